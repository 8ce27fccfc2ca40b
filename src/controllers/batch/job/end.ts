// Whether a Job ends, and why. What was decided before stands; then failures come before successes.

import { totalOf } from '../../../api/job/indexes.ts'
import { jobCondition } from '../../../api/job/state.ts'
import type { Job, JobCondition } from '../../../api/schema/generated/types.ts'
import { formatTime, parseTime } from '../../../api/time.ts'
import { judgeFailure } from './failure-policy.ts'
import { isPodFailed } from './job-pods.ts'
import { metSuccessRule } from './success-policy.ts'
import type { JobView } from './view.ts'

/** What the status tells at once, and what it will tell when no pod is left. */
export type End = { type: 'FailureTarget' | 'SuccessCriteriaMet'; reason: string; message: string }

/** An end that does not wait for the pods that still run. */
export function planEnd(view: JobView): End | undefined {
  return decidedEnd(view) ?? failureOfPolicy(view) ?? limitExceeded(view) ?? endOfIndexes(view)
}

function decidedEnd({ job }: JobView): End | undefined {
  for (const type of ['SuccessCriteriaMet', 'FailureTarget'] as const) {
    const decided = jobCondition(job, type)
    if (decided === undefined) continue
    return { type, reason: decided.reason ?? '', message: decided.message ?? '' }
  }
  return undefined
}

function failureOfPolicy({ job, pods }: JobView): End | undefined {
  const policy = job.spec.podFailurePolicy
  if (policy === undefined) return undefined
  for (const pod of pods) {
    const message = isPodFailed(pod, job) ? judgeFailure(policy, pod).failsJob : undefined
    if (message !== undefined) return failure('PodFailurePolicy', message)
  }
  return undefined
}

function limitExceeded(view: JobView): End | undefined {
  const { spec } = view.job
  if (view.failed > (spec.backoffLimit ?? 0) || hasRestartedTooOften(view)) {
    return failure('BackoffLimitExceeded', 'Job has reached the specified backoff limit')
  }
  if (deadlineInMs(view) !== 0) return undefined
  return failure('DeadlineExceeded', 'Job was active longer than specified deadline')
}

/** Containers that start again in their pods count as failed pods would. */
function hasRestartedTooOften({ job, pods }: JobView): boolean {
  const { template, backoffLimit = 0 } = job.spec
  if (template.spec?.restartPolicy !== 'OnFailure') return false
  const restarts = pods
    .filter(({ status }) => ['Running', 'Pending'].includes(status?.phase ?? ''))
    .flatMap(({ status }) => [
      ...(status?.initContainerStatuses ?? []),
      ...(status?.containerStatuses ?? []),
    ])
    .reduce((sum, { restartCount }) => sum + restartCount, 0)
  return backoffLimit === 0 ? restarts > 0 : restarts >= backoffLimit
}

/** Until spec.activeDeadlineSeconds are over; undefined when they do not count. */
export function deadlineInMs({ job, nowMs }: Pick<JobView, 'job' | 'nowMs'>): number | undefined {
  const { activeDeadlineSeconds: seconds, suspend } = job.spec
  const startTime = job.status?.startTime
  if (seconds === undefined || startTime === undefined || suspend) return undefined
  return Math.max(0, parseTime(startTime) + seconds * 1000 - nowMs)
}

function endOfIndexes({ job, indexes }: JobView): End | undefined {
  if (indexes === undefined) return undefined
  const { maxFailedIndexes, completions = 0 } = job.spec
  const failed = totalOf(indexes.failed ?? [])
  if (maxFailedIndexes !== undefined && failed > maxFailedIndexes) {
    const message = 'Job has exceeded the specified maximal number of failed indexes'
    return failure('MaxFailedIndexesExceeded', message)
  }
  if (failed > 0 && failed + totalOf(indexes.succeeded) >= completions) {
    return failure('FailedIndexes', 'Job has failed indexes')
  }
  const message = metSuccessRule(job.spec, indexes.succeeded)
  return message === undefined ? undefined : success('SuccessPolicy', message)
}

/** Enough have succeeded, and nobody is at work any more. */
export function planCompletion(
  { job, succeeded }: Pick<JobView, 'job' | 'succeeded'>,
  active: number,
): End | undefined {
  const { completions } = job.spec
  const isEnough = completions === undefined ? succeeded > 0 : succeeded >= completions
  if (!isEnough || active > 0) return undefined
  return success('CompletionsReached', 'Reached expected number of succeeded pods')
}

function failure(reason: string, message: string): End {
  return { type: 'FailureTarget', reason, message }
}

function success(reason: string, message: string): End {
  return { type: 'SuccessCriteriaMet', reason, message }
}

export function newCondition(
  { type, status = 'True', reason, message }: Omit<JobCondition, 'status'> & { status?: string },
  nowMs: number,
): JobCondition {
  const now = formatTime(nowMs)
  return {
    type,
    status,
    lastProbeTime: now,
    lastTransitionTime: now,
    ...(reason ? { reason } : {}),
    ...(message ? { message } : {}),
  }
}

/** With the condition in it; one that is False is only told of where it was True before. */
export function withJobCondition(
  conditions: NonNullable<Job['status']>['conditions'],
  fresh: JobCondition,
): JobCondition[] {
  const list = conditions ?? []
  const old = list.find(({ type }) => type === fresh.type)
  if (old === undefined) return fresh.status === 'False' ? [...list] : [...list, fresh]
  const { status, reason, message } = old
  const isSame = status === fresh.status && reason === fresh.reason && message === fresh.message
  return isSame ? [...list] : list.map((one) => (one === old ? fresh : one))
}
