// The status of a budget, from its pods and from how many of them there should be. Pure.

import {
  DISRUPTION_ALLOWED,
  disruptionAllowed,
  SYNC_FAILED,
  withBudgetCondition,
} from '../../api/kinds/policy/poddisruptionbudget/allowed.ts'
import type {
  LabelSelector,
  Pod,
  PodDisruptionBudget,
  PodDisruptionBudgetStatus,
} from '../../api/schema/generated/types.ts'
import { parseTime } from '../../api/time.ts'
import { conditionOf } from '../conditions.ts'
import { isReady } from '../pods.ts'
import { scaled } from '../workloads/percent.ts'

/** An eviction that has not deleted its pod by then has failed. */
export const DELETION_MS = 2 * 60_000

/** Whether the number of pods there should be counts, and not just that of those there are. */
export function wantsScale({ spec }: PodDisruptionBudget): boolean {
  const { minAvailable, maxUnavailable } = spec ?? {}
  return maxUnavailable !== undefined || typeof minAvailable === 'string'
}

export type BudgetPlan = {
  status: PodDisruptionBudgetStatus
  /** Pods that were evicted, and are still there. */
  notDeleted: Pod[]
  /** When the next of those falls due. */
  recheckInMs: number | undefined
}

/** `scale` is the sum over all owners; it counts where `wantsScale` says so. */
export function planBudget(
  budget: PodDisruptionBudget,
  pods: readonly Pod[],
  scale: number,
  nowMs: number,
): BudgetPlan {
  const { metadata, status } = budget
  const { expectedPods, desiredHealthy } = expectations(budget, pods.length, scale)
  const { disrupted, notDeleted, recheckInMs } = disruptions(budget, pods, nowMs)
  const currentHealthy = pods.filter(
    (pod) => !isGoing(pod) && !disrupted.has(pod.metadata.name ?? '') && isReady(pod),
  ).length
  // A budget without pods must not let the first one go before it was counted.
  const disruptionsAllowed = expectedPods <= 0 ? 0 : Math.max(0, currentHealthy - desiredHealthy)
  const counted: PodDisruptionBudgetStatus = {
    ...(metadata.generation ? { observedGeneration: metadata.generation } : {}),
    ...(disrupted.size > 0 ? { disruptedPods: Object.fromEntries(disrupted) } : {}),
    disruptionsAllowed,
    currentHealthy,
    desiredHealthy,
    expectedPods,
  }
  const condition = disruptionAllowed(counted)
  const old = conditionOf(status?.conditions, DISRUPTION_ALLOWED)
  // What else the condition says is no reason to write it again.
  const isFresh = old?.status === condition.status && old.reason === condition.reason
  const conditions =
    isFresh && isSameCount(counted, status)
      ? status!.conditions!
      : withBudgetCondition(status?.conditions, condition, nowMs)
  return { status: { ...counted, conditions }, notDeleted, recheckInMs }
}

/** Nothing may go: the number of pods there should be is not known. */
export function planFailure(
  { status }: PodDisruptionBudget,
  message: string,
  nowMs: number,
): PodDisruptionBudgetStatus {
  const { observedGeneration } = status ?? {}
  const condition = {
    type: DISRUPTION_ALLOWED,
    status: 'False',
    ...(observedGeneration ? { observedGeneration } : {}),
    reason: SYNC_FAILED,
    message,
  }
  const none = { currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 }
  const conditions = withBudgetCondition(status?.conditions, condition, nowMs)
  return { ...none, ...status, disruptionsAllowed: 0, conditions }
}

function expectations({ spec }: PodDisruptionBudget, podCount: number, scale: number) {
  const { minAvailable, maxUnavailable } = spec ?? {}
  if (maxUnavailable !== undefined) {
    const missing = scaled(maxUnavailable, scale, Math.ceil)
    return { expectedPods: scale, desiredHealthy: Math.max(0, scale - missing) }
  }
  if (typeof minAvailable === 'number') {
    return { expectedPods: podCount, desiredHealthy: minAvailable }
  }
  if (minAvailable === undefined) return { expectedPods: 0, desiredHealthy: 0 }
  return { expectedPods: scale, desiredHealthy: scaled(minAvailable, scale, Math.ceil) }
}

function disruptions({ status }: PodDisruptionBudget, pods: readonly Pod[], nowMs: number) {
  const noted = new Map(Object.entries(status?.disruptedPods ?? {}))
  const disrupted = new Map<string, string>()
  const notDeleted: Pod[] = []
  let dueMs = Number.POSITIVE_INFINITY
  for (const pod of pods) {
    const { name = '' } = pod.metadata
    const time = noted.get(name)
    if (time === undefined || isGoing(pod)) continue
    const atMs = parseTime(time) + DELETION_MS
    if (atMs < nowMs) notDeleted.push(pod)
    else {
      disrupted.set(name, time)
      dueMs = Math.min(dueMs, atMs)
    }
  }
  const recheckInMs = disrupted.size === 0 ? undefined : dueMs + 1 - nowMs
  return { disrupted, notDeleted, recheckInMs }
}

function isGoing({ metadata }: Pod): boolean {
  return metadata.deletionTimestamp !== undefined
}

function isSameCount(
  { conditions: _mine, ...counted }: PodDisruptionBudgetStatus,
  status: PodDisruptionBudgetStatus | undefined,
): boolean {
  const { conditions: _theirs, ...before } = status ?? {}
  return Bun.deepEquals(counted, before)
}

/** As Go prints one. */
export function shownSelector(selector: LabelSelector | undefined): string {
  if (selector === undefined) return 'nil'
  const labels = Object.entries(selector.matchLabels ?? {})
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}: ${value},`)
  const expressions = (selector.matchExpressions ?? []).map(
    ({ key, operator, values = [] }) =>
      `LabelSelectorRequirement{Key:${key},Operator:${operator},Values:[${values.join(' ')}],},`,
  )
  const map = `MatchLabels:map[string]string{${labels.join('')}}`
  return `&LabelSelector{${map},MatchExpressions:[]LabelSelectorRequirement{${expressions.join('')}},}`
}
