// What a Job is where nothing was said (pkg/apis/batch/v1/defaults.go).

import { applyFailurePolicyDefaults } from '../../../job/defaults.ts'
import { applyPodTemplateDefaults } from '../../../pod/defaults.ts'
import type { Job } from '../../../schema/generated/types.ts'

const NO_LIMIT = 2 ** 31 - 1
const BACKOFF_LIMIT = 6

export function applyJobDefaults({ metadata, spec }: Job) {
  if (spec.parallelism === undefined) spec.completions ??= 1
  spec.parallelism ??= 1
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? BACKOFF_LIMIT : NO_LIMIT
  const labels = spec.template?.metadata?.labels
  // The very same map, so that what is written into the one is in the other.
  if (labels && Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = labels
  spec.completionMode ??= 'NonIndexed'
  spec.suspend ??= false
  spec.podReplacementPolicy ??= spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed'
  spec.manualSelector ??= false
  applyFailurePolicyDefaults(spec)
  applyPodTemplateDefaults(spec.template)
}
