// Whether budgets let a pod be evicted, and what one has to note of it. Pure.

import {
  DISRUPTION_ALLOWED,
  disruptionAllowed,
  SYNC_FAILED,
  withBudgetCondition,
} from '../../../api/kinds/policy/poddisruptionbudget/allowed.ts'
import type {
  Pod,
  PodDisruptionBudget,
  PodDisruptionBudgetStatus,
} from '../../../api/schema/generated/types.ts'
import { ApiError, forbidden } from '../../../api/status.ts'
import { formatTime } from '../../../api/time.ts'
import { isReadableSelector, matchesLabels } from '../../../api/validation/labels.ts'

const REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."
/** Evictions that a budget remembers until its controller has seen them. */
const DISRUPTED_MAX = 2000
const RETRY_SECONDS = 10

export type Budget = PodDisruptionBudget

/** A pod that has ended, goes already or never ran is no loss to anybody. */
export function isFreeToGo({ metadata, status }: Pod): boolean {
  return isPast({ metadata, status } as Pod) || status?.phase === 'Pending'
}

/** Nothing that happens to the pod meanwhile could make its eviction wrong. */
export function isPast({ metadata, status }: Pod): boolean {
  const isGoing = metadata.deletionTimestamp !== undefined
  return isGoing || status?.phase === 'Succeeded' || status?.phase === 'Failed'
}

/** The one budget that the pod counts for. Throws 500 for more than one. */
export function budgetOf(pod: Pod, budgets: readonly Budget[]): Budget | undefined {
  const [first, ...others] = budgets.filter(({ spec }) => {
    const selector = spec?.selector
    return (
      !!selector && isReadableSelector(selector) && matchesLabels(selector, pod.metadata.labels)
    )
  })
  if (others.length === 0) return first
  const what = 'which the eviction subresource does not support.'
  throw new ApiError(500, '', `This pod has more than one PodDisruptionBudget, ${what}`)
}

/** Whether the pod, being unready, may go without being counted. */
export function mayGoUnready({ status }: Pod, { spec, status: seen }: Budget): boolean {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')
  if (ready?.status === 'True') return false
  if (spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true
  const { currentHealthy = 0, desiredHealthy = 0 } = seen ?? {}
  return desiredHealthy > 0 && currentHealthy >= desiredHealthy
}

/** The status of the budget after one more eviction. Throws 429 when it allows none. */
export function chargeEviction(
  budget: Budget,
  podName: string,
  nowMs: number,
): PodDisruptionBudgetStatus {
  const { metadata, status = {} } = budget
  const name = metadata.name ?? ''
  const { disruptionsAllowed: allowed = 0, disruptedPods = {} } = status
  if ((status.observedGeneration ?? 0) < (metadata.generation ?? 0)) throw stillProcessed(name)
  if (allowed < 0) throw refusedBy(name, 'pdb disruptions allowed is negative')
  if (Object.keys(disruptedPods).length > DISRUPTED_MAX) {
    const what = 'too many evictions not confirmed by PDB controller'
    throw refusedBy(name, `DisruptedPods map too big - ${what}`)
  }
  if (allowed === 0) throw tooMany(whyNone(name, status))
  const charged = {
    ...status,
    disruptionsAllowed: allowed - 1,
    disruptedPods: { ...disruptedPods, [podName]: formatTime(nowMs) },
  }
  if (charged.disruptionsAllowed > 0) return charged
  const condition = disruptionAllowed(charged)
  return { ...charged, conditions: withBudgetCondition(status.conditions, condition, nowMs) }
}

/** 429: the controller has not seen what the budget asks for, or the pod has changed meanwhile. */
export function stillProcessed(name: string): ApiError {
  const why = `The disruption budget ${name} is still being processed by the server.`
  return tooMany(why, RETRY_SECONDS)
}

function whyNone(name: string, status: PodDisruptionBudgetStatus): string {
  const { currentHealthy = 0, desiredHealthy = 0, conditions = [] } = status
  const condition = conditions.find(({ type }) => type === DISRUPTION_ALLOWED)
  const { reason, message } = condition?.status === 'False' ? condition : {}
  const none = `The disruption budget ${name} does not allow evicting pods currently`
  if (message && reason === SYNC_FAILED) return `${none} because it failed sync: ${message}`
  if (currentHealthy <= desiredHealthy) {
    const needs = `needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`
    return `The disruption budget ${name} ${needs}`
  }
  return message ? `${none} (${reason}): ${message}` : none
}

function tooMany(message: string, retryAfterSeconds?: number): ApiError {
  const causes = [{ reason: 'DisruptionBudget', message }]
  const details = { causes, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) }
  return new ApiError(429, 'TooManyRequests', REFUSED, details)
}

function refusedBy(name: string, why: string): ApiError {
  return forbidden({ group: 'policy', plural: 'poddisruptionbudget' }, name, why)
}
