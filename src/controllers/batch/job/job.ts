// Runs pods until enough have succeeded. Decides nothing itself: see README.md.

import { isJobFinished, JOB_CONTROLLER, JOB_FINALIZER } from '../../../api/job/state.ts'
import { jobs } from '../../../api/kinds/batch/job/row.ts'
import { pods } from '../../../api/kinds/core/pod/row.ts'
import { keyOf } from '../../../api/object.ts'
import type { Job, JobStatus, Pod } from '../../../api/schema/generated/types.ts'
import { isNotFound } from '../../../api/status.ts'
import { formatTime } from '../../../api/time.ts'
import { type Controller, defineController, type Kit, watching } from '../../../kit/controller.ts'
import { matchesSelector } from '../../../kit/labels.ts'
import { isReady } from '../../pods.ts'
import { candidatesOf, performClaims, planClaims } from '../../workloads/claims.ts'
import { createPod, inBatches, removePod } from '../../workloads/pod-writes.ts'
import { countReleased, type Outcome, planAccounting, planFinish } from './accounting.ts'
import { type Backoff, NO_BACKOFF } from './backoff.ts'
import { draftJobPod } from './draft.ts'
import {
  deadlineInMs,
  type End,
  newCondition,
  planCompletion,
  planEnd,
  withJobCondition,
} from './end.ts'
import { hasFinalizer } from './job-pods.ts'
import { type PodsPlan, planPods } from './replicas.ts'
import { type JobView, viewOf } from './view.ts'

type Remembered = { uid: string; backoff: Backoff }

export function jobController(): Controller<Job> {
  const backoffs = new Map<string, Remembered>()
  return defineController<Job>({
    name: 'job-controller',
    reconciles: jobs,
    owns: [pods],
    watches: [
      watching(pods, (pod, list) => {
        if (pod.metadata.ownerReferences?.some(({ controller }) => controller)) return []
        const others = list(jobs).inNamespace(pod.metadata.namespace ?? '')
        return others.filter(({ spec }) => matchesSelector(pod, spec.selector)).map(keyOf)
      }),
    ],

    async reconcile(job, kit, signal) {
      const key = keyOf(job)
      if (!isOurs(job)) return
      if (isJobFinished(job)) {
        backoffs.delete(key)
        return
      }
      const { uid = '' } = job.metadata
      const remembered = backoffs.get(key)
      const before = remembered?.uid === uid ? remembered.backoff : NO_BACKOFF
      const view = await see(job, before, kit, signal)
      const remember = () => backoffs.set(key, { uid, backoff: view.backoff })
      return run(job, view, remember, kit, signal)
    },

    async reconcileGone(key) {
      backoffs.delete(key)
    },
  })
}

/** Nobody else was asked to look after it. */
export function isOurs({ spec }: Job): boolean {
  return spec.managedBy === undefined || spec.managedBy === JOB_CONTROLLER
}

async function see(job: Job, before: Backoff, kit: Kit, signal: AbortSignal): Promise<JobView> {
  const matches = (pod: Pod) => matchesSelector(pod, job.spec.selector)
  const claims = planClaims(job, candidatesOf(pods, job, kit), matches)
  const parties = { ownerRow: jobs, owner: job, row: pods, finalizer: JOB_FINALIZER }
  const owned = await performClaims(parties, claims, kit, signal)
  const nowMs = kit.clock.nowMs()
  return viewOf(withStart(job, nowMs), owned, before, nowMs)
}

/** It starts when it is first seen not to be suspended. */
function withStart(job: Job, nowMs: number): Job {
  if (job.status?.startTime !== undefined || job.spec.suspend) return job
  return { ...job, status: { ...job.status, startTime: formatTime(nowMs) } }
}

async function run(
  stored: Job,
  view: JobView,
  remember: () => void,
  kit: Kit,
  signal: AbortSignal,
) {
  const { job } = view
  const decided = planEnd(view)
  const isGoing = job.metadata.deletionTimestamp !== undefined
  const plan: PodsPlan = decided || isGoing ? { remove: [], create: [] } : planPods(view)
  const remove = decided ? view.active : plan.remove
  const done = await perform(view, { ...plan, remove }, decided === undefined, kit, signal)
  const active = view.active.length + done.created - done.removed
  // As long as pods could not be asked to go, the end is not told.
  const end = decided ? (active === 0 ? decided : undefined) : planCompletion(view, active)
  const outcome: Outcome = {
    active,
    ready: view.ready - done.removedReady,
    terminating: view.terminating + done.removed,
    conditions: job.status?.conditions ?? [],
    startTime: job.status?.startTime,
    end,
  }
  const told = decided || end || isGoing ? outcome : withSuspension(view, outcome, kit)
  await keepAccount(stored, view, told, remember, kit, signal)
  if (done.error !== undefined) throw done.error.cause
  const dueMs = [plan.waitMs, deadlineInMs(view)].filter((ms) => ms !== undefined && ms > 0)
  return dueMs.length === 0 ? undefined : { requeueInMs: Math.min(...(dueMs as number[])) }
}

type Done = { created: number; removed: number; removedReady: number; error?: { cause: unknown } }

/** Pods that no longer have a part in the Job are freed first, so that their end does not count. */
async function perform(
  { job, indexes }: JobView,
  { create, remove }: PodsPlan,
  frees: boolean,
  kit: Kit,
  signal: AbortSignal,
): Promise<Done> {
  const about = { row: jobs, object: job }
  const done: Done = { created: 0, removed: 0, removedReady: 0 }
  const drafts = create.map((index) =>
    draftJobPod(job, index, index === undefined ? undefined : indexes?.waiting.get(index)),
  )
  const failed = await inBatches(drafts, async (draft) => {
    await createPod(about, draft, kit, signal)
    done.created++
  })
  const removals = await Promise.allSettled(
    remove.map(async (pod) => {
      if (frees) await release(pod, kit, signal)
      await removePod(about, pod, kit, signal)
      done.removed++
      if (isReady(pod)) done.removedReady++
    }),
  )
  const refused = removals.find(({ status }) => status === 'rejected') as
    | PromiseRejectedResult
    | undefined
  if (failed) done.error = { cause: failed.error }
  else if (refused) done.error = { cause: refused.reason }
  return done
}

/** Whether it is suspended; when that changed, the clock of the Job starts anew. */
function withSuspension(view: JobView, outcome: Outcome, { events }: Kit): Outcome {
  const { job, nowMs } = view
  const about = { row: jobs, object: job }
  const isSuspended = job.spec.suspend === true
  const fresh = isSuspended
    ? { type: 'Suspended', reason: 'JobSuspended', message: 'Job suspended' }
    : { type: 'Suspended', status: 'False', reason: 'JobResumed', message: 'Job resumed' }
  const conditions = withJobCondition(outcome.conditions, newCondition(fresh, nowMs))
  if (Bun.deepEquals(conditions, outcome.conditions)) return outcome
  events.normal(about, isSuspended ? 'Suspended' : 'Resumed', fresh.message)
  return { ...outcome, conditions, startTime: isSuspended ? undefined : formatTime(nowMs) }
}

async function keepAccount(
  stored: Job,
  view: JobView,
  outcome: Outcome,
  remember: () => void,
  kit: Kit,
  signal: AbortSignal,
): Promise<void> {
  const { writer } = kit
  const { status, release: ended, isPartial } = planAccounting(view, outcome)
  const job = await writer.putStatus(jobs, stored, status, signal)
  remember()
  const releases = await Promise.allSettled(ended.map((pod) => release(pod, kit, signal)))
  const held = new Set(view.pods.filter(hasFinalizer).map(({ metadata }) => metadata.uid ?? ''))
  for (const [at, { status }] of releases.entries()) {
    if (status === 'fulfilled') held.delete(ended[at]!.metadata.uid ?? '')
  }
  const counted = countReleased(status, held)
  const finished =
    outcome.end && !isPartial && held.size === 0
      ? planFinish(counted, outcome.end, outcome.terminating, view.nowMs)
      : undefined
  await writer.putStatus(jobs, job, finished ?? counted, signal)
  if (finished) tellEnd(job, finished, outcome.end!, kit)
  const refused = releases.find(({ status }) => status === 'rejected')
  if (refused) throw (refused as PromiseRejectedResult).reason
}

function tellEnd(job: Job, { succeeded = 0 }: JobStatus, end: End, { events }: Kit): void {
  const about = { row: jobs, object: job }
  if (end.type === 'FailureTarget') return events.warning(about, end.reason, end.message)
  if (succeeded > (job.spec.completions ?? succeeded)) {
    const message = 'Too many succeeded pods running after completion count reached'
    events.warning(about, 'TooManySucceededPods', message)
  }
  events.normal(about, 'Completed', 'Job completed')
}

/** Takes the finalizer away, of this very pod. */
export async function release(pod: Pod, { writer }: Kit, signal: AbortSignal): Promise<void> {
  if (!hasFinalizer(pod)) return
  const { uid } = pod.metadata
  const body = { metadata: { uid, '$deleteFromPrimitiveList/finalizers': [JOB_FINALIZER] } }
  try {
    await writer.patch(pods, pod, { type: 'strategic', body }, signal)
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}
