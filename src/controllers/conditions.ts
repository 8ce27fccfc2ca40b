// Conditions of a status: one for each type, with the time at which its status last changed.

import { formatTime } from '../api/time.ts'

export type Condition = {
  type: string
  status: string
  reason?: string
  message?: string
  lastTransitionTime?: string
}

export function conditionOf<C extends Condition>(
  conditions: readonly C[] | undefined,
  type: string,
): C | undefined {
  return conditions?.find((condition) => condition.type === type)
}

/**
 * The list with `condition` in it. The time of transition is `nowMs`, or that of the condition it
 * replaces when the status stays. The list comes back as it is when nothing but time would change.
 */
export function withCondition<C extends Condition>(
  conditions: readonly C[] | undefined,
  condition: C,
  nowMs: number,
): C[] {
  const old = conditionOf(conditions, condition.type)
  const lastTransitionTime =
    old?.status === condition.status && old.lastTransitionTime !== undefined
      ? old.lastTransitionTime
      : formatTime(nowMs)
  const fresh = { ...condition, lastTransitionTime }
  if (old === undefined) return [...(conditions ?? []), fresh]
  return conditions!.map((other) => (other === old ? fresh : other))
}

export function withoutCondition<C extends Condition>(
  conditions: readonly C[] | undefined,
  type: string,
): C[] {
  return (conditions ?? []).filter((condition) => condition.type !== type)
}

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** Drops what is zero, empty or undefined: the wire form of optional fields. */
export function nonZero<T extends Record<string, unknown>>(fields: T): Given<T> {
  const kept = Object.entries(fields).filter(
    ([, value]) => value !== undefined && value !== 0 && value !== '' && !isEmptyList(value),
  )
  return Object.fromEntries(kept) as Given<T>
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}
