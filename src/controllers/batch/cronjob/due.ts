// Which time of a schedule is due.

import type { Schedule } from '../../../api/cron/schedule.ts'
import type { CronJob } from '../../../api/schema/generated/types.ts'
import { parseTime } from '../../../api/time.ts'

/** More missed times than this are told of. */
const MISSED_MAX = 100
/** Clocks are put right a little all the time: who looks at the very time may be too early. */
const LATE_MS = 100
/** A wall clock that jumps moves no timer: so it is looked at again. */
const LOOK_AGAIN_MS = 5 * 60_000
/** Times of ours that lie further ahead were written by a clock that went wrong. */
const AHEAD_MS_MAX = 86_400_000

export type Due =
  | { kind: 'none' }
  /** The schedule names no time, or two that are one. */
  | { kind: 'invalid'; why: string }
  | { kind: 'due'; atMs: number; isManyMissed: boolean }

/**
 * The last time after the last run that is not after now. Times before `sinceMs` do not count; it
 * is finite where the last run says nothing.
 */
export function dueTime(
  cronJob: CronJob,
  schedule: Schedule,
  { nowMs, sinceMs }: { nowMs: number; sinceMs: number },
): Due {
  const { startingDeadlineSeconds: deadline } = cronJob.spec
  const oldestMs = deadline === undefined ? -Infinity : nowMs - deadline * 1000
  const afterMs = Math.max(lastRunMs(cronJob, nowMs), oldestMs, sinceMs)
  const first = schedule.nextMs(afterMs)
  if (first === undefined) return { kind: 'invalid', why: NO_TIMES }
  if (first > nowMs) return { kind: 'none' }
  const second = schedule.nextMs(first)
  if (second !== undefined && second > nowMs) {
    return { kind: 'due', atMs: first, isManyMissed: false }
  }
  if (second === undefined || second - first < 1000) return { kind: 'invalid', why: NO_TIMES }
  const atMs = schedule.lastMs(afterMs, nowMs) ?? first
  const missed = Math.floor((nowMs - first) / (second - first)) + 1
  return { kind: 'due', atMs, isManyMissed: missed > MISSED_MAX }
}

const NO_TIMES = 'time difference between two schedules is less than 1 second'

/** Its last time was written by a clock that went wrong: so it says nothing. */
export function isLastRunAhead({ metadata, status }: CronJob, nowMs: number): boolean {
  const text = status?.lastScheduleTime ?? metadata.creationTimestamp
  return text !== undefined && parseTime(text) > nowMs + AHEAD_MS_MAX
}

/** When it last ran; when it was made, if it never did. */
function lastRunMs(cronJob: CronJob, nowMs: number): number {
  if (isLastRunAhead(cronJob, nowMs)) return -Infinity
  const text = cronJob.status?.lastScheduleTime ?? cronJob.metadata.creationTimestamp
  return text ? parseTime(text) : nowMs
}

/** When to look again: at the next time, or before, should the clock jump. */
export function lookAgainInMs(cronJob: CronJob, schedule: Schedule, nowMs: number): number {
  const fromMs = Math.max(nowMs, lastRunMs(cronJob, nowMs))
  const next = schedule.nextMs(fromMs)
  return next === undefined ? LOOK_AGAIN_MS : Math.min(next + LATE_MS - nowMs, LOOK_AGAIN_MS)
}
