// Fields of events that selectors may name.

import type { Event, ObjectReference } from '../../../schema/generated/types.ts'

const PARTS = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath']

/** `prefix` is what the group calls the object that an event is about. */
export function selectableFields<O>(
  prefix: string,
  coreOf: (event: O) => Event,
): Record<string, (event: O) => string> {
  const parts = PARTS.map((part) => {
    const read = (event: O) => coreOf(event).involvedObject?.[part as keyof ObjectReference] ?? ''
    return [`${prefix}.${part}`, read] as const
  })
  return {
    ...Object.fromEntries(parts),
    reason: (event) => coreOf(event).reason ?? '',
    type: (event) => coreOf(event).type ?? '',
  }
}
