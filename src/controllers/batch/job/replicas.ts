// Which pods of a Job that goes on come and go. In one pass either some go or some come.

import type { Pod } from '../../../api/schema/generated/types.ts'
import { cheapestPods } from '../../workloads/deletion-order.ts'
import { indexRemainingMs, remainingMs } from './backoff.ts'
import { pendingIndexes, superfluousPods } from './indexed.ts'
import { replacesFailedOnly } from './job-pods.ts'
import type { JobView } from './view.ts'

/** One pass starts or removes at most this many pods; the next pass continues. */
export const BURST_MAX = 500
/** A wait for failed pods is not shorter. */
const WAIT_MS_MIN = 1000

export type PodsPlan = {
  remove: readonly Pod[]
  /** One for each pod to make: its index, in an Indexed Job. */
  create: readonly (number | undefined)[]
  /** Until failed pods may be replaced. */
  waitMs?: number
}

export function planPods(view: JobView): PodsPlan {
  const { job, active, terminating } = view
  if (job.spec.suspend) return { remove: [...active], create: [] }
  const wanted = wantedPods(view)
  const remove = podsToRemove(view, Math.max(0, active.length - wanted))
  if (remove.length > 0) return { remove: remove.slice(0, BURST_MAX), create: [] }
  const going = replacesFailedOnly(job) ? terminating : 0
  const missing = Math.min(wanted - going - active.length, BURST_MAX)
  return missing > 0 ? planCreations(view, missing) : { remove: [], create: [] }
}

/** No more than can still be of use. */
function wantedPods({ job, active, succeeded }: JobView): number {
  const { completions, parallelism = 1 } = job.spec
  // The first success ends a work queue: who is at work goes on, and nobody begins.
  if (completions === undefined) return succeeded > 0 ? active.length : parallelism
  return Math.max(0, Math.min(completions - succeeded, parallelism))
}

function podsToRemove({ job, active, indexes, nowMs }: JobView, atLeast: number): Pod[] {
  const { completions = 0 } = job.spec
  const useless = indexes === undefined ? [] : superfluousPods(active, completions, nowMs)
  if (useless.length >= atLeast) return useless
  const rest = active.filter((pod) => !useless.includes(pod))
  return [...useless, ...cheapestPods(rest, [], atLeast - useless.length, nowMs)]
}

function planCreations(view: JobView, missing: number): PodsPlan {
  const { job, indexes, pods, active, backoff, nowMs } = view
  const waitMs = indexes?.failed === undefined ? remainingMs(backoff, nowMs) : 0
  if (waitMs > 0) return waiting(waitMs)
  if (indexes === undefined) return { remove: [], create: Array(missing).fill(undefined) }
  const pending = pendingIndexes(job, indexes, pods, active, missing)
  const waits = pending.map((index) => indexRemainingMs(indexes.waiting.get(index), nowMs))
  const create = pending.filter((_, at) => waits[at] === 0)
  const soonest = Math.min(...waits.filter((ms) => ms > 0))
  if (create.length === 0 && soonest !== Infinity) return waiting(soonest)
  return { remove: [], create }
}

function waiting(ms: number): PodsPlan {
  return { remove: [], create: [], waitMs: Math.max(ms, WAIT_MS_MIN) }
}
