// What a pass sees of a Job: its pods, and which of their ends are not in the status yet.

import { totalOf } from '../../../api/job/indexes.ts'
import { isIndexed } from '../../../api/job/state.ts'
import type { Job, Pod } from '../../../api/schema/generated/types.ts'
import { isActive, isReady, isTerminating } from '../../pods.ts'
import { type Backoff, nextBackoff } from './backoff.ts'
import { judgeFailure } from './failure-policy.ts'
import { type Indexes, indexesOf, isWithin } from './indexed.ts'
import { hasFinalizer, isPodFailed, isPodSucceeded } from './job-pods.ts'

export type JobView = {
  readonly job: Job
  readonly nowMs: number
  readonly pods: readonly Pod[]
  readonly active: readonly Pod[]
  readonly ready: number
  readonly terminating: number
  /** Pods, or indexes, that have succeeded so far, whether the status knows it or not. */
  readonly succeeded: number
  readonly failed: number
  readonly backoff: Backoff
  /** Of Indexed Jobs. */
  readonly indexes: Indexes | undefined
}

export function viewOf(job: Job, pods: readonly Pod[], before: Backoff, nowMs: number): JobView {
  const { status = {}, spec } = job
  const active = pods.filter(isActive)
  const uncounted = status.uncountedTerminatedPods ?? {}
  const listedAs = (list: readonly string[] = []) => {
    const uids = new Set(list)
    return (pod: Pod) => uids.has(pod.metadata.uid ?? '')
  }
  const [isListedSucceeded, isListedFailed] = [uncounted.succeeded, uncounted.failed].map(listedAs)
  const fresh = pods.filter((pod) => {
    return hasFinalizer(pod) && (!isIndexed(job) || isWithin(pod, spec.completions ?? 0))
  })
  const newSucceeded = fresh.filter((pod) => isPodSucceeded(pod) && !isListedSucceeded!(pod))
  const newFailed = fresh.filter((pod) => isPodFailed(pod, job) && !isListedFailed!(pod))
  const counting = newFailed.filter((pod) => judgeFailure(spec.podFailurePolicy, pod).counts)
  const indexes = isIndexed(job) ? indexesOf(job, pods, active) : undefined
  const known = (status.succeeded ?? 0) + (uncounted.succeeded?.length ?? 0)
  return {
    job,
    nowMs,
    pods,
    active,
    ready: active.filter(isReady).length,
    terminating: pods.filter(isTerminating).length,
    succeeded: indexes ? totalOf(indexes.succeeded) : known + newSucceeded.length,
    failed: (status.failed ?? 0) + (uncounted.failed?.length ?? 0) + counting.length,
    backoff: nextBackoff(before, newSucceeded, newFailed),
    indexes,
  }
}
