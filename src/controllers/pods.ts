// What controllers ask of a pod.

import type { Pod } from '../api/schema/generated/types.ts'
import { parseTime } from '../api/time.ts'
import { conditionOf } from './conditions.ts'

/** Neither finished nor on its way out. */
export function isActive({ status, metadata }: Pod): boolean {
  return !isFinished({ status } as Pod) && metadata.deletionTimestamp === undefined
}

export function isFinished({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed'
}

/** Asked to go, and not gone yet. */
export function isTerminating(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined && !isFinished(pod)
}

export function isReady({ status }: Pod): boolean {
  return conditionOf(status?.conditions, 'Ready')?.status === 'True'
}

/** When it became ready; undefined when it is not, or does not say. */
export function readySinceMs(pod: Pod): number | undefined {
  const ready = conditionOf(pod.status?.conditions, 'Ready')
  if (ready?.status !== 'True' || !ready.lastTransitionTime) return undefined
  return parseTime(ready.lastTransitionTime)
}

/**
 * How long until the pod counts as available: 0 when it does, undefined when it is not ready.
 * A pod is available once it has been ready for `minReadySeconds`.
 */
export function availableInMs(
  pod: Pod,
  minReadySeconds: number,
  nowMs: number,
): number | undefined {
  if (!isReady(pod)) return undefined
  if (minReadySeconds === 0) return 0
  const sinceMs = readySinceMs(pod)
  if (sinceMs === undefined) return undefined
  return Math.max(0, sinceMs + minReadySeconds * 1000 - nowMs)
}

/** When the next of the ready pods counts as available; undefined when none is on its way. */
export function nextAvailableInMs(
  pods: readonly Pod[],
  minReadySeconds: number,
  nowMs: number,
): number | undefined {
  const waits = pods
    .map((pod) => availableInMs(pod, minReadySeconds, nowMs))
    .filter((ms): ms is number => ms !== undefined && ms > 0)
  return waits.length === 0 ? undefined : Math.min(...waits)
}
