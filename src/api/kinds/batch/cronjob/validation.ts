// What a CronJob must be (pkg/apis/batch/validation).

import { parseSchedule, ScheduleError } from '../../../cron/schedule.ts'
import { isZoneName, zoneOffset } from '../../../cron/time-zone.ts'
import { checkJobSpec } from '../../../job/spec.ts'
import type { CronJob, CronJobSpec } from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { shownSelector } from '../../../validation/labels.ts'
import { checkNonNegative, checkOneOf } from '../../../validation/values.ts'

/** Names of Jobs are eleven letters longer, and may have 63. */
const NAME_LETTERS_MAX = 52

export function checkCronJob(
  faults: FieldErrors,
  { metadata, spec }: CronJob,
  old: CronJob | undefined,
) {
  checkSchedule(faults, 'spec.schedule', spec, old?.spec)
  checkNonNegative(faults, 'spec.startingDeadlineSeconds', spec.startingDeadlineSeconds)
  if (spec.timeZone !== old?.spec.timeZone) checkTimeZone(faults, 'spec.timeZone', spec.timeZone)
  checkOneOf(faults, 'spec.concurrencyPolicy', spec.concurrencyPolicy, POLICIES)
  checkTemplate(faults, 'spec.jobTemplate.spec', spec)
  checkNonNegative(faults, 'spec.successfulJobsHistoryLimit', spec.successfulJobsHistoryLimit)
  checkNonNegative(faults, 'spec.failedJobsHistoryLimit', spec.failedJobsHistoryLimit)
  const { name = '' } = metadata
  // Those that are there already may stay.
  if (old !== undefined || Buffer.byteLength(name) <= NAME_LETTERS_MAX) return
  faults.invalid('metadata.name', name, `must be no more than ${NAME_LETTERS_MAX} characters`)
}

const POLICIES = ['Allow', 'Forbid', 'Replace']

function checkSchedule(
  faults: FieldErrors,
  at: string,
  { schedule = '', timeZone }: CronJobSpec,
  old: CronJobSpec | undefined,
) {
  if (schedule === '') return faults.required(at)
  try {
    parseSchedule(schedule)
  } catch (error) {
    if (!(error instanceof ScheduleError)) throw error
    faults.invalid(at, schedule, error.message)
  }
  if (!schedule.includes('TZ')) return
  if (!old?.schedule.includes('TZ')) {
    const detail = 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead'
    faults.invalid(at, schedule, detail)
  } else if (timeZone !== undefined) {
    const detail = 'cannot use both timeZone field and TZ or CRON_TZ in schedule'
    faults.invalid(at, schedule, detail)
  }
}

function checkTimeZone(faults: FieldErrors, at: string, zone: string | undefined) {
  if (zone === undefined) return
  if (zone === '') return faults.invalid(at, zone, 'timeZone must be nil or non-empty string')
  const unknown = `unknown time zone ${zone}`
  if (!isZoneName(zone)) return faults.invalid(at, zone, unknown)
  if (zone.toLowerCase() === 'local') {
    const zones = 'as defined in https://www.iana.org/time-zones'
    faults.invalid(at, zone, `timeZone must be an explicit time zone ${zones}`)
  }
  // Go knows this one, as the zone of the machine.
  if (zone !== 'Local' && zoneOffset(zone) === undefined) faults.invalid(at, zone, unknown)
}

function checkTemplate(faults: FieldErrors, at: string, { jobTemplate }: CronJobSpec) {
  const spec = jobTemplate?.spec ?? { template: {} }
  checkJobSpec(faults, at, spec)
  if (spec.selector) {
    const detail = '`selector` will be auto-generated'
    faults.invalid(`${at}.selector`, shownSelector(spec.selector), detail)
  }
  if (!spec.manualSelector) return
  faults.notSupported(`${at}.manualSelector`, spec.manualSelector, ['nil', 'false'])
}
