import type { Faults } from '../../validation/faults.ts'

/** Each type once, and none without. */
export function checkConditions(
  faults: Faults,
  conditions: readonly { type?: string }[] | undefined,
) {
  const seen = new Set<string>()
  for (const [index, { type = '' }] of (conditions ?? []).entries()) {
    const at = `status.conditions[${index}].type`
    if (seen.has(type)) faults.duplicate(at, type)
    seen.add(type)
    if (type === '') faults.required(at)
  }
}
