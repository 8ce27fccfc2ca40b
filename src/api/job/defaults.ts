// What Jobs and templates of Jobs alike get when nothing is said.

import type { JobSpec } from '../schema/generated/types.ts'

/** A condition is meant to be there, unless something else is said. */
export function applyFailurePolicyDefaults({ podFailurePolicy }: JobSpec) {
  for (const { onPodConditions } of podFailurePolicy?.rules ?? []) {
    for (const pattern of onPodConditions ?? []) pattern.status ||= 'True'
  }
}
