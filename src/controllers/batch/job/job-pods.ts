// What is asked of a Job's pod.

import {
  COMPLETION_INDEX,
  INDEX_FAILURES,
  INDEX_IGNORED_FAILURES,
  JOB_FINALIZER,
} from '../../../api/job/state.ts'
import type { ContainerStatus, Job, Pod } from '../../../api/schema/generated/types.ts'
import { parseTime } from '../../../api/time.ts'
import { own } from '../../../lib/own.ts'
import { conditionOf } from '../../conditions.ts'

const INT32_MAX = 2 ** 31 - 1

/** Not counted yet. */
export function hasFinalizer({ metadata }: Pod): boolean {
  return metadata.finalizers?.includes(JOB_FINALIZER) ?? false
}

/** Which part of an Indexed Job it does; undefined when it does not say so. */
export function completionIndexOf({ metadata }: Pod): number | undefined {
  const text = own(metadata.annotations, COMPLETION_INDEX) ?? ''
  if (!/^\+?\d+$/.test(text)) return undefined
  const index = Number(text)
  return Number.isSafeInteger(index) ? index : undefined
}

/** Pods that are on their way out are replaced only when they have failed. */
export function replacesFailedOnly({ spec }: Job): boolean {
  return spec.podReplacementPolicy === 'Failed' || spec.podFailurePolicy !== undefined
}

/** Those that go before their end count too: nobody else may ever say that they failed. */
export function isPodFailed({ status, metadata }: Pod, job: Job): boolean {
  if (status?.phase === 'Failed') return true
  if (replacesFailedOnly(job)) return false
  return metadata.deletionTimestamp !== undefined && status?.phase !== 'Succeeded'
}

export function isPodSucceeded({ status }: Pod): boolean {
  return status?.phase === 'Succeeded'
}

/** Failures of its index before it, which count for the limit. */
export function indexFailuresOf(pod: Pod): number {
  return countIn(pod, INDEX_FAILURES)
}

export function ignoredIndexFailuresOf(pod: Pod): number {
  return countIn(pod, INDEX_IGNORED_FAILURES)
}

function countIn({ metadata }: Pod, annotation: string): number {
  const count = Number(own(metadata.annotations, annotation) ?? 0)
  return Number.isInteger(count) && count >= 0 && count <= INT32_MAX ? count : 0
}

/** When it ended, as well as can be told. */
export function finishedMs(pod: Pod): number {
  return lastContainerEndMs(pod) ?? unreadyMs(pod) ?? deletionMs(pod) ?? createdMs(pod)
}

/** Undefined when one of them has not ended; sidecars end last. */
function lastContainerEndMs({ spec, status }: Pod): number | undefined {
  const sidecars = new Set(
    (spec.initContainers ?? [])
      .filter(({ restartPolicy }) => restartPolicy === 'Always')
      .map(({ name }) => name),
  )
  const counted: ContainerStatus[] = [
    ...(status?.containerStatuses ?? []),
    ...(status?.initContainerStatuses ?? []).filter(({ name }) => sidecars.has(name)),
  ]
  const ends = counted.map(({ state }) => msOf(state?.terminated?.finishedAt))
  if (ends.length === 0 || ends.includes(undefined)) return undefined
  return Math.max(...(ends as number[]))
}

function unreadyMs({ status }: Pod): number | undefined {
  const ready = conditionOf(status?.conditions, 'Ready')
  return ready?.status === 'False' ? msOf(ready.lastTransitionTime) : undefined
}

function deletionMs({ metadata }: Pod): number | undefined {
  const ms = msOf(metadata.deletionTimestamp)
  return ms === undefined ? undefined : ms - (metadata.deletionGracePeriodSeconds ?? 0) * 1000
}

function createdMs({ metadata }: Pod): number {
  return msOf(metadata.creationTimestamp) ?? 0
}

function msOf(text: string | null | undefined): number | undefined {
  return text ? parseTime(text) : undefined
}
