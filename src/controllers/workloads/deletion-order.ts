// Which pods of a group go first when there are too many: the first difference decides.
// Order from upstream's ActivePodsWithRanks (pkg/controller/controller_utils.go).

import type { ContainerStatus, Pod } from '../../api/schema/generated/types.ts'
import { parseTime } from '../../api/time.ts'
import { isActive, isReady, readySinceMs } from '../pods.ts'

const PHASES = ['Pending', 'Unknown', 'Running']
const COST = 'controller.kubernetes.io/pod-deletion-cost'

type Compare = (a: Pod, b: Pod) => number

/**
 * The `count` cheapest of `pods`. `related` are pods of the same owner's other groups: of several
 * on one node, one goes first.
 */
export function cheapestPods(
  pods: readonly Pod[],
  related: readonly Pod[],
  count: number,
  nowMs: number,
): Pod[] {
  if (count >= pods.length) return [...pods]
  const siblings = new Map<string, number>()
  for (const pod of related.filter(isActive)) {
    const node = pod.spec.nodeName ?? ''
    siblings.set(node, (siblings.get(node) ?? 0) + 1)
  }
  return pods.toSorted(byCost(siblings, nowMs)).slice(0, count)
}

function byCost(siblings: ReadonlyMap<string, number>, nowMs: number): Compare {
  const siblingsOf = (pod: Pod) => siblings.get(pod.spec.nodeName ?? '') ?? 0
  const steps: Compare[] = [
    (a, b) => Number(Boolean(a.spec.nodeName)) - Number(Boolean(b.spec.nodeName)),
    (a, b) => phaseRank(a) - phaseRank(b),
    (a, b) => Number(isReady(a)) - Number(isReady(b)),
    (a, b) => deletionCost(a) - deletionCost(b),
    (a, b) => siblingsOf(b) - siblingsOf(a),
    (a, b) => byAge(a, b, readySinceMs, nowMs),
    (a, b) => restarts(b.status?.containerStatuses) - restarts(a.status?.containerStatuses),
    (a, b) => restarts(b.status?.initContainerStatuses) - restarts(a.status?.initContainerStatuses),
    (a, b) => byAge(a, b, createdMs, nowMs),
  ]
  return (a, b) => {
    for (const step of steps) {
      const order = step(a, b)
      if (order !== 0) return order
    }
    return 0
  }
}

function phaseRank(pod: Pod): number {
  return PHASES.indexOf(pod.status?.phase ?? 'Pending')
}

function deletionCost({ metadata }: Pod): number {
  const cost = Number(metadata.annotations?.[COST] ?? 0)
  return Number.isInteger(cost) ? cost : 0
}

function createdMs({ metadata }: Pod): number | undefined {
  return metadata.creationTimestamp === undefined
    ? undefined
    : parseTime(metadata.creationTimestamp)
}

function restarts(statuses: readonly ContainerStatus[] = []): number {
  return Math.max(0, ...statuses.map((status) => status.restartCount))
}

/**
 * The younger first; ages in one power of two are as good as equal, so that the oldest pods do not
 * always survive together (KEP-2185). Between equals the uid decides, as a coin would.
 */
function byAge(a: Pod, b: Pod, sinceMs: (pod: Pod) => number | undefined, nowMs: number): number {
  const [aMs, bMs] = [sinceMs(a), sinceMs(b)]
  if (aMs === bMs) return 0
  if (aMs === undefined) return -1
  if (bMs === undefined) return 1
  const bucketOf = (ms: number) => Math.floor(Math.log2(Math.max(1, nowMs - ms) * 1_000_000))
  const order = bucketOf(aMs) - bucketOf(bMs)
  if (order !== 0) return order
  return (a.metadata.uid ?? '') < (b.metadata.uid ?? '') ? -1 : 1
}
