// How the ends of pods get into the status: see README.md for the steps and why they are three.

import {
  formatIndexes,
  hasIndex,
  intervalsOf,
  mergeIndexes,
  totalOf,
} from '../../../api/job/indexes.ts'
import type { Job, JobStatus, Pod } from '../../../api/schema/generated/types.ts'
import { nonZero } from '../../conditions.ts'
import { type End, newCondition, withJobCondition } from './end.ts'
import { judgeFailure } from './failure-policy.ts'
import { isWithin } from './indexed.ts'
import { completionIndexOf, hasFinalizer, isPodFailed, isPodSucceeded } from './job-pods.ts'
import type { JobView } from './view.ts'

/** So many ends are taken in by one pass: a status stays below 20 KB, and the next continues. */
export const UNCOUNTED_MAX = 500

/** What a pass has come to, before ends are counted. */
export type Outcome = {
  active: number
  ready: number
  terminating: number
  conditions: NonNullable<JobStatus['conditions']>
  startTime: string | undefined
  end: End | undefined
}

export type Accounting = {
  /** To be stored before any finalizer goes. */
  status: JobStatus
  release: readonly Pod[]
  /** Other pods have ended too. */
  isPartial: boolean
}

type Lists = { succeeded: string[]; failed: string[]; indexes: number[] }

export function planAccounting(view: JobView, outcome: Outcome): Accounting {
  const { job, indexes, nowMs } = view
  const held = new Set(view.pods.filter(hasFinalizer).map(({ metadata }) => metadata.uid ?? ''))
  const before = countReleased(job.status ?? {}, held)
  const { succeeded = [], failed = [] } = before.uncountedTerminatedPods ?? {}
  const lists: Lists = { succeeded: [...succeeded], failed: [...failed], indexes: [] }
  const { release, isPartial } = takeIn(view, outcome.end, lists)
  const done = indexes && mergeIndexes(indexes.succeeded, intervalsOf(lists.indexes))
  const { end } = outcome
  const conditions = end ? withEnd(outcome.conditions, end, nowMs) : outcome.conditions
  const { status: old = {} } = job
  const status = jobStatus({
    ...old,
    conditions,
    startTime: outcome.startTime,
    active: outcome.active,
    ready: outcome.ready,
    terminating: outcome.terminating,
    succeeded: done ? totalOf(done) : before.succeeded,
    failed: before.failed,
    completedIndexes: done ? formatIndexes(done) : old.completedIndexes,
    failedIndexes: indexes ? indexes.failed && formatIndexes(indexes.failed) : old.failedIndexes,
    uncountedTerminatedPods: uncountedOf(lists.succeeded, lists.failed),
  })
  return { status, release, isPartial }
}

/** What was decided before keeps its time. */
function withEnd(conditions: Outcome['conditions'], end: End, nowMs: number) {
  const isTold = conditions.some(({ type, status }) => type === end.type && status === 'True')
  return isTold ? conditions : withJobCondition(conditions, newCondition(end, nowMs))
}

function takeIn({ job, pods, indexes }: JobView, end: End | undefined, lists: Lists) {
  const { completions = 0 } = job.spec
  const release: Pod[] = []
  const [listedSucceeded, listedFailed] = [new Set(lists.succeeded), new Set(lists.failed)]
  const ordered =
    indexes === undefined
      ? pods
      : pods.toSorted((a, b) => (completionIndexOf(a) ?? -1) - (completionIndexOf(b) ?? -1))
  for (const pod of ordered) {
    if (!hasFinalizer(pod) || !mayRelease(pod, job, indexes, end)) continue
    release.push(pod)
    const { uid = '' } = pod.metadata
    if (isPodSucceeded(pod) && !listedFailed.has(uid)) {
      const index = completionIndexOf(pod) ?? -1
      if (indexes === undefined) {
        if (!listedSucceeded.has(uid)) lists.succeeded.push(uid)
      } else if (isWithin(pod, completions) && !hasIndex(indexes.counted, index)) {
        lists.indexes.push(index)
      }
    } else if (isPodFailed(pod, job) || end?.type === 'FailureTarget') {
      const isOurs = indexes === undefined || isWithin(pod, completions)
      const { counts } = judgeFailure(job.spec.podFailurePolicy, pod)
      if (isOurs && counts && !listedFailed.has(uid)) lists.failed.push(uid)
    }
    const taken = lists.indexes.length + lists.succeeded.length + lists.failed.length
    if (taken >= UNCOUNTED_MAX) return { release, isPartial: true }
  }
  return { release, isPartial: false }
}

/** Pods that are over, or whose Job is; but the last failed one of an index waits for the next. */
function mayRelease(
  pod: Pod,
  job: Job,
  indexes: JobView['indexes'],
  end: End | undefined,
): boolean {
  const isOver = job.metadata.deletionTimestamp !== undefined || end !== undefined
  if (isOver || isPodSucceeded(pod)) return true
  if (!isPodFailed(pod, job)) return false
  const index = completionIndexOf(pod)
  if (index === undefined) return true
  return indexes?.waiting.get(index)?.metadata.uid !== pod.metadata.uid
}

/** Uids whose pods have lost the finalizer become counts. `held` have theirs. */
export function countReleased(status: JobStatus, held: ReadonlySet<string>): JobStatus {
  const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {}
  const isHeld = (uid: string) => held.has(uid)
  const [stillSucceeded, stillFailed] = [succeeded.filter(isHeld), failed.filter(isHeld)]
  return jobStatus({
    ...status,
    succeeded: (status.succeeded ?? 0) + succeeded.length - stillSucceeded.length,
    failed: (status.failed ?? 0) + failed.length - stillFailed.length,
    uncountedTerminatedPods: uncountedOf(stillSucceeded, stillFailed),
  })
}

/** The last condition, once nothing is uncounted and no pod on its way; else undefined. */
export function planFinish(
  status: JobStatus,
  end: End,
  terminating: number,
  nowMs: number,
): JobStatus | undefined {
  const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {}
  if (succeeded.length + failed.length + terminating > 0) return undefined
  const type = end.type === 'FailureTarget' ? 'Failed' : 'Complete'
  const last = newCondition({ ...end, type }, nowMs)
  return jobStatus({
    ...status,
    conditions: withJobCondition(status.conditions, last),
    ...(type === 'Complete' ? { completionTime: last.lastTransitionTime } : {}),
  })
}

function uncountedOf(succeeded: string[], failed: string[]) {
  return nonZero({ succeeded, failed })
}

type Fields = { [K in keyof JobStatus]: JobStatus[K] | undefined }

/** As the API answers it: zeros are left out where Go leaves them out. */
function jobStatus({ active, succeeded, failed, completedIndexes, ...fields }: Fields): JobStatus {
  const others = Object.entries(fields).filter(([, value]) => value !== undefined)
  const { conditions, ...given } = Object.fromEntries(others) as JobStatus
  return {
    ...given,
    ...nonZero({ conditions, active, succeeded, failed, completedIndexes }),
  } as JobStatus
}
