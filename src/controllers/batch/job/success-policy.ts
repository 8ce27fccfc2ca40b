// What spec.successPolicy says: whether the indexes that succeeded are enough.

import { type Interval, overlapOf, parseIndexes, totalOf } from '../../../api/job/indexes.ts'
import type { JobSpec, SuccessPolicyRule } from '../../../api/schema/generated/types.ts'

/** The message of the rule that is met, if one is. */
export function metSuccessRule(
  { successPolicy, completions = 0 }: JobSpec,
  succeeded: readonly Interval[],
): string | undefined {
  if (succeeded.length === 0) return undefined
  const index = (successPolicy?.rules ?? []).findIndex((rule) =>
    isMet(rule, succeeded, completions),
  )
  return index < 0 ? undefined : `Matched rules at index ${index}`
}

function isMet(
  { succeededIndexes, succeededCount }: SuccessPolicyRule,
  succeeded: readonly Interval[],
  completions: number,
): boolean {
  if (succeededIndexes === undefined) {
    return succeededCount !== undefined && totalOf(succeeded) >= succeededCount
  }
  const required = parseIndexes(succeededIndexes, completions)
  if (required.length === 0) return false
  const done = overlapOf(required, succeeded)
  return done === totalOf(required) || (succeededCount !== undefined && done >= succeededCount)
}
