// Whom to remove so that a more important pod fits, and from which node. Pure.
//
// On each node that others might make room on: all the less important away; if the pod then fits,
// they come back one by one, as long as it still does. Who did not come back is a victim.

import type { LabelSelector, Pod } from '../../api/schema/generated/types.ts'
import { isEmptySelector, matchesSelector } from '../../kit/labels.ts'
import { own } from '../../lib/own.ts'
import { type FailedAttempt, final, priorityOf, type Refusal } from '../framework.ts'
import { addPod, copyOf, type NodeState, type PodInfo, takePod } from '../node-state.ts'

/** What is read of a PodDisruptionBudget. */
export type Budget = {
  readonly metadata: { readonly namespace?: string }
  readonly spec?: { readonly selector?: LabelSelector }
  readonly status?: {
    readonly disruptionsAllowed?: number
    readonly disruptedPods?: Readonly<Record<string, string>>
  }
}

export type Candidate = {
  readonly nodeName: string
  /** The most important first. */
  readonly victims: readonly Pod[]
  /** How many of them a budget would rather keep. */
  readonly violationCount: number
}

/** As upstream: a tenth of the nodes, and no less than a hundred, are looked at. */
const CANDIDATES = { percent: 10, min: 100 }

/** Candidates, or why each node that was looked at is none. */
export function findCandidates(
  attempt: FailedAttempt,
  budgets: readonly Budget[],
): { candidates: Candidate[]; refusals: Map<string, Refusal> } {
  const refusals = new Map<string, Refusal>()
  const [gentle, violating]: [Candidate[], Candidate[]] = [[], []]
  const states = attempt.view.nodes.filter(
    ({ node }) => attempt.refusalOf(node.metadata.name!)?.isFinal === false,
  )
  const share = Math.floor((states.length * CANDIDATES.percent) / 100)
  const enough = Math.max(share, CANDIDATES.min)
  const offset = Math.floor(attempt.dice() * states.length)
  for (let i = 0; i < states.length; i++) {
    if (gentle.length > 0 && gentle.length + violating.length >= enough) break
    const state = states[(offset + i) % states.length]!
    const answer = selectVictims(attempt, state, budgets)
    if ('reasons' in answer) refusals.set(state.node.metadata.name!, answer)
    else if (answer.violationCount === 0) gentle.push(answer)
    else violating.push(answer)
  }
  return { candidates: [...gentle, ...violating], refusals }
}

function selectVictims(
  attempt: FailedAttempt,
  state: NodeState,
  budgets: readonly Budget[],
): Candidate | Refusal {
  const priority = priorityOf(attempt.info.pod)
  const lesser = [...state.pods.values()].filter(({ pod }) => priorityOf(pod) < priority)
  if (lesser.length === 0) return final('No preemption victims found for incoming pod')
  const draft = copyOf(state)
  const away = new Set<PodInfo>()
  const remove = (info: PodInfo) => {
    takePod(draft, info.pod.metadata.uid!)
    attempt.suppose(info.pod, state.node, -1)
    away.add(info)
  }
  const bringBack = (info: PodInfo) => {
    addPod(draft, info)
    attempt.suppose(info.pod, state.node, 1)
    away.delete(info)
  }
  try {
    for (const info of lesser) remove(info)
    const refusal = attempt.check(draft)
    if (refusal !== undefined) return refusal
    const kept = byBudget(
      lesser.toSorted((a, b) => byImportance(a.pod, b.pod)),
      budgets,
    )
    let violationCount = 0
    for (const { info, isViolating } of kept) {
      bringBack(info)
      if (attempt.check(draft) === undefined) continue
      remove(info)
      if (isViolating) violationCount++
    }
    const victims = [...away].map(({ pod }) => pod).toSorted(byImportance)
    return { nodeName: state.node.metadata.name!, victims, violationCount }
  } finally {
    for (const info of away) attempt.suppose(info.pod, state.node, 1)
  }
}

/** Those that a budget would rather keep come first; each of the others takes from the budgets. */
function byBudget(
  infos: readonly PodInfo[],
  budgets: readonly Budget[],
): { info: PodInfo; isViolating: boolean }[] {
  const allowed = budgets.map(({ status }) => status?.disruptionsAllowed ?? 0)
  const judged = infos.map((info) => {
    let isViolating = false
    for (const [i, budget] of budgets.entries()) {
      if (!covers(budget, info.pod)) continue
      allowed[i]!--
      if (allowed[i]! < 0) isViolating = true
    }
    return { info, isViolating }
  })
  return [...judged.filter((one) => one.isViolating), ...judged.filter((one) => !one.isViolating)]
}

/** A pod that is being evicted through the API has been counted already. */
function covers({ metadata, spec, status }: Budget, pod: Pod): boolean {
  if (metadata.namespace !== pod.metadata.namespace) return false
  if (Object.keys(pod.metadata.labels ?? {}).length === 0) return false
  if (isEmptySelector(spec?.selector) || !matchesSelector(pod, spec?.selector)) return false
  return own(status?.disruptedPods, pod.metadata.name!) === undefined
}

/** Of equals the one that has run for longer. */
function byImportance(a: Pod, b: Pod): number {
  return priorityOf(b) - priorityOf(a) || startedMs(a) - startedMs(b)
}

/** A pod that has not started is the newest of all. */
function startedMs({ status }: Pod): number {
  return status?.startTime === undefined ? Number.MAX_SAFE_INTEGER : Date.parse(status.startTime)
}

/** Each rule decides only among those that are equal by all before it. */
const RULES: readonly ((candidate: Candidate) => number)[] = [
  ({ violationCount }) => violationCount,
  ({ victims }) => priorityOf(victims[0]!),
  // Shifted to be positive, so that few of a negative priority are less than many.
  ({ victims }) => victims.reduce((sum, pod) => sum + priorityOf(pod) + 2 ** 31, 0),
  ({ victims }) => victims.length,
  ({ victims }) => -startedMs(victims[0]!),
]

/** The nodes on which the least is lost: of those that are left, any. */
export function bestCandidates(candidates: readonly Candidate[]): readonly Candidate[] {
  let best = candidates
  for (const rule of RULES) {
    const values = best.map(rule)
    const least = Math.min(...values)
    best = best.filter((_, i) => values[i] === least)
  }
  return best
}
