// What to send so that the API says of a pod what we say: a strategic merge patch of its status.
// Pure.

import { isDeepStrictEqual } from 'node:util'
import type { Pod, PodCondition, PodStatus } from '../../api/schema/generated/types.ts'
import { OWN_CONDITIONS } from './conditions.ts'

export type StatusPatch = { metadata: { uid: string }; status: Record<string, unknown> }

/** Fields that are ours alone. What we do not say is taken away. */
const OWN_FIELDS = [
  ...([
    'observedGeneration',
    'phase',
    'message',
    'reason',
    'hostIP',
    'podIP',
    'startTime',
  ] as const),
  ...(['initContainerStatuses', 'containerStatuses', 'ephemeralContainerStatuses'] as const),
  ...(['qosClass', 'allocatedResources', 'resources'] as const),
] satisfies readonly (keyof PodStatus)[]
/** Lists that a strategic patch would merge by address. */
const ADDRESS_LISTS = ['hostIPs', 'podIPs'] as const

/** Undefined when there is nothing to say. */
export function planStatusPatch(pod: Pod, status: PodStatus): StatusPatch | undefined {
  const before = pod.status ?? {}
  const changes: Record<string, unknown> = {}
  for (const field of OWN_FIELDS) {
    if (!isDeepStrictEqual(before[field], status[field])) changes[field] = status[field] ?? null
  }
  for (const field of ADDRESS_LISTS) {
    if (isDeepStrictEqual(before[field], status[field])) continue
    changes[field] = [...(before[field] ? [{ $patch: 'replace' }] : []), ...(status[field] ?? [])]
  }
  const conditions = changedConditions(before.conditions ?? [], status.conditions ?? [])
  if (conditions.length > 0) changes.conditions = conditions
  if (Object.keys(changes).length === 0) return undefined
  return { metadata: { uid: pod.metadata.uid! }, status: changes }
}

/** Merged by type on the server, so only ours and only what differs is sent. */
function changedConditions(
  before: readonly PodCondition[],
  now: readonly PodCondition[],
): Record<string, unknown>[] {
  const changed: Record<string, unknown>[] = []
  for (const type of OWN_CONDITIONS) {
    const old = before.find((condition) => condition.type === type)
    const own = now.find((condition) => condition.type === type)
    if (own === undefined) {
      if (old !== undefined) changed.push({ type, $patch: 'delete' })
      continue
    }
    const fields = [
      'status',
      'reason',
      'message',
      'observedGeneration',
      'lastTransitionTime',
    ] as const
    const differs = fields.filter((field) => old?.[field] !== own[field])
    if (differs.length === 0) continue
    // A field that was there and is not any more has to be named.
    const removed = differs.filter((field) => own[field] === undefined)
    changed.push({ ...own, ...Object.fromEntries(removed.map((field) => [field, null])) })
  }
  return changed
}
