// What spec.successPolicy may say: which indexes are enough.

import type { JobSpec, SuccessPolicyRule } from '../schema/generated/types.ts'
import type { FieldErrors } from '../validation/field-errors.ts'
import { checkNonNegative } from '../validation/values.ts'
import { countIndexes, IndexesError } from './indexes.ts'

const RULES_MAX = 20
const INDEXES_BYTES_MAX = 64 * 1024

export function checkSuccessPolicy(faults: FieldErrors, at: string, spec: JobSpec) {
  const rules = spec.successPolicy?.rules ?? []
  if (rules.length === 0) {
    const detail = 'at least one rules must be specified when the successPolicy is specified'
    faults.required(`${at}.rules`, detail)
  }
  if (rules.length > RULES_MAX) faults.tooMany(`${at}.rules`, rules.length, RULES_MAX)
  // Upstream panics where there are no completions; that they are missing is said elsewhere.
  const { completions = 0 } = spec
  for (const [index, rule] of rules.entries()) {
    checkRule(faults, `${at}.rules[${index}]`, rule, completions)
  }
}

function checkRule(faults: FieldErrors, at: string, rule: SuccessPolicyRule, completions: number) {
  const { succeededCount: count, succeededIndexes: indexes } = rule
  if (count === undefined && indexes === undefined) {
    const detail = 'at least one of succeededCount or succeededIndexes must be specified'
    faults.required(at, detail)
  }
  let total = 0
  if (indexes !== undefined) {
    const path = `${at}.succeededIndexes`
    if (Buffer.byteLength(indexes) > INDEXES_BYTES_MAX) faults.tooLong(path, INDEXES_BYTES_MAX)
    total = checkIndexes(faults, path, indexes, completions)
  }
  if (count === undefined) return
  const path = `${at}.succeededCount`
  checkNonNegative(faults, path, count)
  const limit = (max: number, what: string) => {
    if (count > max) faults.invalid(path, count, `must be less than or equal to ${max} (${what})`)
  }
  limit(completions, 'the number of specified completions')
  if (indexes === undefined) return
  limit(total, 'the number of indexes in the specified succeededIndexes field')
}

/** How many indexes `text` names; none when it cannot be read, which is a fault. */
export function checkIndexes(
  faults: FieldErrors,
  at: string,
  text: string,
  completions: number,
): number {
  try {
    return countIndexes(text, completions)
  } catch (error) {
    if (!(error instanceof IndexesError)) throw error
    const field = at.slice(at.lastIndexOf('.') + 1)
    faults.invalid(at, text, `error parsing ${field}: ${error.message}`)
    return 0
  }
}
