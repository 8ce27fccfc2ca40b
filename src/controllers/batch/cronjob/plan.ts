// What a pass makes of a CronJob and its Jobs.

import { ScheduleError, scheduleIn } from '../../../api/cron/schedule.ts'
import { zoneOffset } from '../../../api/cron/time-zone.ts'
import { finishedCondition, SCHEDULED_AT } from '../../../api/job/state.ts'
import { cronJobs } from '../../../api/kinds/batch/cronjob/row.ts'
import type { CronJob, CronJobStatus, Job } from '../../../api/schema/generated/types.ts'
import { formatTime, parseTime } from '../../../api/time.ts'
import { ownerReference } from '../../workloads/claims.ts'
import { dueTime, lookAgainInMs } from './due.ts'

export type Said = { isWarning: boolean; reason: string; message: string }

const normal = (reason: string, message: string): Said => ({ isWarning: false, reason, message })
const warning = (reason: string, message: string): Said => ({ isWarning: true, reason, message })

/** Jobs that have ended leave the list of those at work; what is missing, too. */
export function planStatus(
  cronJob: CronJob,
  jobs: readonly Job[],
  isMissing: (uid: string) => boolean,
): { status: CronJobStatus; says: Said[] } {
  const says: Said[] = []
  const status: CronJobStatus = { ...cronJob.status }
  let active = status.active ?? []
  const isActive = (uid: string | undefined) => active.some((one) => one.uid === uid)
  for (const job of jobs) {
    const { name, uid } = job.metadata
    const ended = finishedCondition(job)
    if (ended === undefined) {
      if (isActive(uid)) continue
      const what = 'Saw a job that the controller did not create or forgot'
      says.push(warning('UnexpectedJob', `${what}: ${name}`))
      continue
    }
    if (isActive(uid)) {
      active = active.filter((one) => one.uid !== uid)
      const message = `Saw completed job: ${name}, condition: ${ended.type}`
      says.push(normal('SawCompletedJob', message))
    }
    const { completionTime } = job.status ?? {}
    if (ended.type === 'Complete' && isLater(completionTime, status.lastSuccessfulTime)) {
      status.lastSuccessfulTime = completionTime!
    }
  }
  for (const { name, uid = '' } of active.filter((one) => isMissing(one.uid ?? ''))) {
    says.push(normal('MissingJob', `Active job went missing: ${name}`))
    active = active.filter((one) => one.uid !== uid)
  }
  return { status: withActive(status, active), says }
}

function isLater(time: string | undefined, than: string | undefined): boolean {
  if (time === undefined) return false
  return than === undefined || parseTime(time) > parseTime(than)
}

export function withActive(
  { active: _before, ...status }: CronJobStatus,
  active: NonNullable<CronJobStatus['active']>,
): CronJobStatus {
  return active.length === 0 ? status : { ...status, active: [...active] }
}

/** Ended Jobs beyond the limits, the oldest first. */
export function planHistory({ spec }: CronJob, jobs: readonly Job[]): Job[] {
  const ended = (type: string) =>
    jobs.filter((job) => finishedCondition(job)?.type === type).toSorted(byStart)
  const beyond = (list: readonly Job[], limit: number | undefined) =>
    limit === undefined ? [] : list.slice(0, Math.max(0, list.length - limit))
  return [
    ...beyond(ended('Complete'), spec.successfulJobsHistoryLimit),
    ...beyond(ended('Failed'), spec.failedJobsHistoryLimit),
  ]
}

/** Those that never started come last. */
function byStart(a: Job, b: Job): number {
  const startOf = ({ status }: Job) =>
    status?.startTime === undefined ? Infinity : parseTime(status.startTime)
  const [x, y] = [startOf(a), startOf(b)]
  if (x !== y) return x < y ? -1 : 1
  return (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1
}

export type RunPlan = {
  says: Said[]
  /** The time for which a Job is to be made now. */
  runAtMs?: number
  /** Those at work go first. */
  replaces?: boolean
  /** Undefined: not before something changes. */
  lookAgainInMs?: number
}

/** `sinceMs`: times before do not count, because the schedule was another. */
export function planRun(
  cronJob: CronJob,
  status: CronJobStatus,
  when: { nowMs: number; sinceMs: number },
): RunPlan {
  const { spec, metadata } = cronJob
  const { schedule: text, timeZone, concurrencyPolicy } = spec
  if (metadata.deletionTimestamp !== undefined) return { says: [] }
  if (timeZone !== undefined && zoneOffset(timeZone) === undefined) {
    const why = `invalid timeZone: ${JSON.stringify(timeZone)}: unknown time zone ${timeZone}`
    return { says: [warning('UnknownTimeZone', why)] }
  }
  if (spec.suspend) return { says: [] }
  const says = text.includes('TZ') ? [warning('UnsupportedSchedule', unsupported(text))] : []
  const schedule = parsed(text, timeZone)
  if (typeof schedule === 'string') {
    const why = `unparseable schedule: ${JSON.stringify(text)} : ${schedule}`
    return { says: [...says, warning('UnparseableSchedule', why)] }
  }
  const { nowMs } = when
  const due = dueTime({ ...cronJob, status }, schedule, when)
  if (due.kind === 'invalid') {
    return { says: [...says, warning('InvalidSchedule', `invalid schedule: ${text} : ${due.why}`)] }
  }
  const later = lookAgainInMs({ ...cronJob, status }, schedule, nowMs)
  if (due.kind === 'none') return { says, lookAgainInMs: later }
  if (due.isManyMissed) says.push(warning('TooManyMissedTimes', TOO_MANY))
  const { atMs } = due
  const refusal = refusalOf(cronJob, status, atMs, nowMs)
  if (refusal !== undefined) return { says: [...says, ...refusal], lookAgainInMs: later }
  return { says, runAtMs: atMs, replaces: concurrencyPolicy === 'Replace', lookAgainInMs: later }
}

/** Why no Job is made for a time that is due: what is to be said of it, which may be nothing. */
function refusalOf(
  { metadata, spec }: CronJob,
  { active = [], lastScheduleTime }: CronJobStatus,
  atMs: number,
  nowMs: number,
): Said[] | undefined {
  const { startingDeadlineSeconds: deadline } = spec
  if (deadline !== undefined && atMs + deadline * 1000 < nowMs) {
    const missed = new Date(atMs).toUTCString().replace('GMT', '+0000')
    return [warning('MissSchedule', `Missed scheduled time to start a job: ${missed}`)]
  }
  const isMade = active.some(({ name }) => name === jobName(metadata.name ?? '', atMs))
  if (isMade || lastScheduleTime === formatTime(atMs)) return []
  if (spec.concurrencyPolicy !== 'Forbid' || active.length === 0) return undefined
  const why = 'prior execution is running and concurrency policy is Forbid'
  return [normal('JobAlreadyActive', `Not starting job because ${why}`)]
}

const TOO_MANY =
  'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew'

function unsupported(text: string): string {
  const where = 'see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/'
  const what = `CRON_TZ or TZ used in schedule ${JSON.stringify(text)} is not officially supported`
  return `${what}, ${where} for more details`
}

function parsed(text: string, timeZone: string | undefined) {
  try {
    return scheduleIn(text, timeZone)
  } catch (error) {
    if (error instanceof ScheduleError) return error.message
    throw error
  }
}

/** One for each minute, so that none is made twice. */
export function jobName(name: string, atMs: number): string {
  return `${name}-${Math.floor(atMs / 60_000)}`
}

export function draftJob(cronJob: CronJob, atMs: number): Job {
  const { metadata, spec } = cronJob
  const template = spec.jobTemplate
  const { labels, annotations } = template.metadata ?? {}
  return {
    metadata: {
      name: jobName(metadata.name ?? '', atMs),
      namespace: metadata.namespace ?? '',
      ...(labels ? { labels } : {}),
      annotations: { ...annotations, [SCHEDULED_AT]: localTime(atMs, spec.timeZone) },
      ownerReferences: [ownerReference(cronJobs, cronJob)],
    },
    spec: template.spec ?? { template: { spec: { containers: [] } } },
  }
}

/** RFC 3339, as the clocks of the zone show it. */
function localTime(atMs: number, timeZone: string | undefined): string {
  const aheadMs = zoneOffset(timeZone ?? '')?.(atMs) ?? 0
  const local = formatTime(atMs + aheadMs)
  if (timeZone === undefined || timeZone === 'UTC') return local
  const minutes = Math.abs(Math.trunc(aheadMs / 60_000))
  // Go writes Z for every zone that is not ahead or behind.
  if (minutes === 0) return local
  const two = (value: number) => `${value}`.padStart(2, '0')
  const sign = aheadMs < 0 ? '-' : '+'
  return `${local.slice(0, -1)}${sign}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}
