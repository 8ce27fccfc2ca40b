// Taints of nodes, and what pods put up with. Pure.

import type { Node, Pod, Taint } from '../../api/schema/generated/types.ts'
import { formatTime } from '../../api/time.ts'
import { tolerates } from '../../api/tolerations.ts'
import { conditionOf } from '../conditions.ts'

export const NOT_READY = 'node.kubernetes.io/not-ready'
export const UNREACHABLE = 'node.kubernetes.io/unreachable'
const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable'

/** Which status of which condition keeps new pods away, and under which name. */
const FROM_CONDITIONS: readonly [type: string, status: string, key: string][] = [
  ['Ready', 'False', NOT_READY],
  ['Ready', 'Unknown', UNREACHABLE],
  ['MemoryPressure', 'True', 'node.kubernetes.io/memory-pressure'],
  ['DiskPressure', 'True', 'node.kubernetes.io/disk-pressure'],
  ['NetworkUnavailable', 'True', 'node.kubernetes.io/network-unavailable'],
  ['PIDPressure', 'True', 'node.kubernetes.io/pid-pressure'],
]
const OURS = new Set([UNSCHEDULABLE, ...FROM_CONDITIONS.map(([, , key]) => key)])

/** Keys of the NoSchedule taints that a node must have of ours. */
export function noScheduleKeys({ status, spec }: Node): string[] {
  const keys = FROM_CONDITIONS.filter(
    ([type, wanted]) => conditionOf(status?.conditions, type)?.status === wanted,
  ).map(([, , key]) => key)
  return spec?.unschedulable ? [...keys, UNSCHEDULABLE] : keys
}

export type WantedTaints = {
  noSchedule: readonly string[]
  /** The one NoExecute taint of ours; undefined for none. */
  noExecute: string | undefined
}

/** The node's taints with ours as wanted. Those that stay keep the time they were added. */
export function withTaints({ spec }: Node, wanted: WantedTaints, nowMs: number): Taint[] {
  const existing = spec?.taints ?? []
  const isOurs = ({ key, effect }: Taint) =>
    effect === 'NoSchedule'
      ? OURS.has(key)
      : effect === 'NoExecute' && (key === NOT_READY || key === UNREACHABLE)
  const isWanted = ({ key, effect }: Taint) =>
    effect === 'NoSchedule' ? wanted.noSchedule.includes(key) : wanted.noExecute === key
  const kept = existing.filter((taint) => !isOurs(taint) || isWanted(taint))
  const has = (key: string, effect: string) =>
    kept.some((taint) => taint.key === key && taint.effect === effect)
  const timeAdded = formatTime(nowMs)
  const added = wanted.noSchedule
    .filter((key) => !has(key, 'NoSchedule'))
    .map((key) => ({ key, effect: 'NoSchedule', timeAdded }))
  const { noExecute } = wanted
  if (noExecute !== undefined && !has(noExecute, 'NoExecute')) {
    added.push({ key: noExecute, effect: 'NoExecute', timeAdded })
  }
  return [...kept, ...added]
}

export function hasNoExecute(node: Node, key: string): boolean {
  return noExecuteTaints(node).some((taint) => taint.key === key)
}

export function noExecuteTaints({ spec }: Node): Taint[] {
  return (spec?.taints ?? []).filter(({ effect }) => effect === 'NoExecute')
}

/**
 * How long a pod stays on a node with these taints, in seconds: 0 when it does not put up with
 * one of them, undefined when it stays for good.
 */
export function toleratedSeconds({ spec }: Pod, taints: readonly Taint[]): number | undefined {
  let shortest = Number.POSITIVE_INFINITY
  for (const taint of taints) {
    const toleration = (spec.tolerations ?? []).find((one) => tolerates(one, taint))
    if (toleration === undefined) return 0
    const { tolerationSeconds = Number.POSITIVE_INFINITY } = toleration
    shortest = Math.min(shortest, Math.max(0, tolerationSeconds))
  }
  return shortest === Number.POSITIVE_INFINITY ? undefined : shortest
}
