// What is asked of a Job, and by which names its pods are known.

import type { Job, JobCondition } from '../schema/generated/types.ts'

export const JOB_FINALIZER = 'batch.kubernetes.io/job-tracking'
export const JOB_NAME_LABEL = 'batch.kubernetes.io/job-name'
export const CONTROLLER_UID_LABEL = 'batch.kubernetes.io/controller-uid'
/** Names that these labels had before they got a prefix; both are kept. */
export const OLD_JOB_NAME_LABEL = 'job-name'
export const OLD_CONTROLLER_UID_LABEL = 'controller-uid'
/** Annotation and label alike. */
export const COMPLETION_INDEX = 'batch.kubernetes.io/job-completion-index'
export const INDEX_FAILURES = 'batch.kubernetes.io/job-index-failure-count'
export const INDEX_IGNORED_FAILURES = 'batch.kubernetes.io/job-index-ignored-failure-count'
export const SCHEDULED_AT = 'batch.kubernetes.io/cronjob-scheduled-timestamp'
/** What spec.managedBy says when the Job is ours. */
export const JOB_CONTROLLER = 'kubernetes.io/job-controller'

type ConditionType = 'Complete' | 'Failed' | 'FailureTarget' | 'SuccessCriteriaMet' | 'Suspended'

export function jobCondition(
  { status }: Pick<Job, 'status'>,
  type: ConditionType,
  value = 'True',
): JobCondition | undefined {
  return status?.conditions?.find((one) => one.type === type && one.status === value)
}

export function hasJobCondition(job: Pick<Job, 'status'>, type: ConditionType): boolean {
  return jobCondition(job, type) !== undefined
}

/** The first condition that ends it. */
export function finishedCondition({ status }: Pick<Job, 'status'>): JobCondition | undefined {
  return status?.conditions?.find(({ type, status: value }) => {
    return (type === 'Complete' || type === 'Failed') && value === 'True'
  })
}

export function isJobFinished(job: Pick<Job, 'status'>): boolean {
  return finishedCondition(job) !== undefined
}

export function isIndexed({ spec }: Pick<Job, 'spec'>): boolean {
  return spec.completionMode === 'Indexed'
}
