// Which indexes of an Indexed Job are done, have failed, or wait for a pod.

import {
  hasIndex,
  type Interval,
  intervalsOf,
  mergeIndexes,
  parseIndexes,
} from '../../../api/job/indexes.ts'
import type { Job, Pod } from '../../../api/schema/generated/types.ts'
import { isTerminating } from '../../pods.ts'
import { cheapestPods } from '../../workloads/deletion-order.ts'
import { judgeFailure } from './failure-policy.ts'
import {
  completionIndexOf,
  finishedMs,
  hasFinalizer,
  ignoredIndexFailuresOf,
  indexFailuresOf,
  isPodFailed,
  isPodSucceeded,
  replacesFailedOnly,
} from './job-pods.ts'

export type Indexes = {
  /** As the status has them. */
  counted: readonly Interval[]
  succeeded: readonly Interval[]
  /** Undefined unless each index has its own limit of failures. */
  failed: readonly Interval[] | undefined
  /**
   * The last failed pod of each index that waits for another. It must stay until then, because the
   * next one takes the number of failures from it.
   */
  waiting: ReadonlyMap<number, Pod>
}

export function indexesOf(job: Job, pods: readonly Pod[], active: readonly Pod[]): Indexes {
  const { completions = 0, backoffLimitPerIndex } = job.spec
  const uncounted = pods.filter((pod) => hasFinalizer(pod) && isWithin(pod, completions))
  const counted = parseIndexes(job.status?.completedIndexes ?? '', completions)
  const succeeded = mergeIndexes(counted, intervalsOfPods(uncounted.filter(isPodSucceeded)))
  if (backoffLimitPerIndex === undefined) {
    return { counted, succeeded, failed: undefined, waiting: new Map() }
  }
  const failed = mergeIndexes(
    parseIndexes(job.status?.failedIndexes ?? '', completions),
    intervalsOfPods(uncounted.filter((pod) => failsIndex(pod, job, backoffLimitPerIndex))),
  )
  const settled = mergeIndexes(mergeIndexes(succeeded, failed), intervalsOfPods(active))
  const open = uncounted.filter((pod) => {
    return isPodFailed(pod, job) && !hasIndex(settled, completionIndexOf(pod)!)
  })
  return { counted, succeeded, failed, waiting: lastOfEach(open) }
}

/** Whether it belongs to an index that the Job has. */
export function isWithin(pod: Pod, completions: number): boolean {
  const index = completionIndexOf(pod)
  return index !== undefined && index < completions
}

function intervalsOfPods(pods: readonly Pod[]): Interval[] {
  return intervalsOf(pods.map(completionIndexOf).filter((index) => index !== undefined))
}

function failsIndex(pod: Pod, job: Job, limit: number): boolean {
  if (!isPodFailed(pod, job)) return false
  const { counts, action } = judgeFailure(job.spec.podFailurePolicy, pod)
  return action === 'FailIndex' || (counts && indexFailuresOf(pod) >= limit)
}

function lastOfEach(pods: readonly Pod[]): ReadonlyMap<number, Pod> {
  const last = new Map<number, Pod>()
  const failuresOf = (pod: Pod) => indexFailuresOf(pod) + ignoredIndexFailuresOf(pod)
  for (const pod of pods) {
    const index = completionIndexOf(pod)!
    const before = last.get(index)
    const isLater =
      before === undefined ||
      (failuresOf(before) <= failuresOf(pod) && finishedMs(pod) >= finishedMs(before))
    if (isLater) last.set(index, pod)
  }
  return last
}

/** The first `count` indexes that need a pod. */
export function pendingIndexes(
  job: Job,
  { succeeded, failed = [] }: Indexes,
  pods: readonly Pod[],
  active: readonly Pod[],
  count: number,
): number[] {
  const going = replacesFailedOnly(job) ? pods.filter(isTerminating) : []
  const taken = mergeIndexes(
    mergeIndexes(succeeded, failed),
    intervalsOfPods([...active, ...going]),
  )
  const pending: number[] = []
  let index = 0
  for (const { first, last } of [...taken, { first: job.spec.completions ?? 0, last: Infinity }]) {
    while (index < Math.min(first, job.spec.completions ?? 0) && pending.length < count) {
      pending.push(index++)
    }
    index = Math.max(index, last + 1)
  }
  return pending
}

/** Pods that do nothing for the Job: without an index, beyond the last, all but one of an index. */
export function superfluousPods(active: readonly Pod[], completions: number, nowMs: number): Pod[] {
  const byIndex = new Map<number, Pod[]>()
  const superfluous: Pod[] = []
  for (const pod of active) {
    const index = completionIndexOf(pod)
    if (index === undefined || index >= completions) superfluous.push(pod)
    else byIndex.set(index, [...(byIndex.get(index) ?? []), pod])
  }
  const repeated = [...byIndex.values()].flatMap((pods) =>
    cheapestPods(pods, [], pods.length - 1, nowMs),
  )
  return [...superfluous, ...repeated]
}
