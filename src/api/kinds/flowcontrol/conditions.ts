import type { FieldErrors } from '../../validation/field-errors.ts'

/** Each type once, and none without. */
export function checkConditions(
  faults: FieldErrors,
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
