import { applyFailurePolicyDefaults } from '../../../job/defaults.ts'
import { jobSpecWarnings } from '../../../job/spec.ts'
import { applyPodTemplateDefaults } from '../../../pod/defaults.ts'
import { dropDisabledFields } from '../../../pod/strategy.ts'
import { podNameWarnings } from '../../../pod/warnings.ts'
import { defineResource } from '../../../resource.ts'
import type { CronJob } from '../../../schema/generated/types.ts'
import { ageColumn, selectorText, since } from '../../../table/cells.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { templateColumns, textColumn } from '../../../workload/columns.ts'
import { hasChanged } from '../../../workload/generation.ts'
import { checkCronJob } from './validation.ts'

export const cronJobs = defineResource<CronJob>({
  group: 'batch',
  version: 'v1',
  kind: 'CronJob',
  plural: 'cronjobs',
  type: 'io.k8s.api.batch.v1.CronJob',
  shortNames: ['cj'],
  categories: ['all'],
  defaults: applyDefaults,
  prepareCreate: ({ spec }) => dropDisabledFields(spec.jobTemplate?.spec?.template?.spec),
  prepareUpdate: ({ spec }) => dropDisabledFields(spec.jobTemplate?.spec?.template?.spec),
  rules: [ruleOf(checkCronJob)],
  warnings,
  status: { writes: ['metadata', 'status'], rules: [] },
  columns: [
    textColumn('Schedule', 0, 'When it makes Jobs.', ({ spec }) => spec.schedule ?? ''),
    textColumn('Timezone', 0, 'Whose clocks count.', ({ spec }) => spec.timeZone ?? '<none>'),
    {
      name: 'Suspend',
      type: 'boolean',
      priority: 0,
      description: 'Whether it makes none for now.',
      // A word, as kubectl prints it, though the column says boolean.
      cell: ({ spec }) => (spec.suspend ? 'True' : 'False'),
    },
    {
      name: 'Active',
      type: 'integer',
      priority: 0,
      description: 'Jobs that are running.',
      cell: ({ status }) => status?.active?.length ?? 0,
    },
    {
      name: 'Last Schedule',
      type: 'string',
      priority: 0,
      description: 'Time since a Job was last due and made.',
      cell: ({ status }, nowMs) =>
        status?.lastScheduleTime ? since(status.lastScheduleTime, nowMs) : '<none>',
    },
    ageColumn,
    ...templateColumns<CronJob>(
      ({ spec }) => spec.jobTemplate?.spec?.template?.spec?.containers,
      ({ spec }) => selectorText(spec.jobTemplate?.spec?.selector, '<none>'),
    ),
  ],
})

function applyDefaults({ spec }: CronJob) {
  spec.concurrencyPolicy ||= 'Allow'
  spec.suspend ??= false
  spec.successfulJobsHistoryLimit ??= 3
  spec.failedJobsHistoryLimit ??= 1
  const job = spec.jobTemplate?.spec
  if (job === undefined) return
  applyFailurePolicyDefaults(job)
  applyPodTemplateDefaults(job.template)
}

function warnings(cronJob: CronJob, old: CronJob | undefined): string[] {
  const { metadata, spec } = cronJob
  const job = spec.jobTemplate?.spec
  const counts = old === undefined || hasChanged(cronJob, old)
  return [
    ...(old === undefined ? podNameWarnings(metadata.name) : []),
    ...(counts && job ? jobSpecWarnings('spec.jobTemplate.spec', job) : []),
    ...(old !== undefined && spec.schedule.includes('TZ') ? [ZONE_IN_SCHEDULE] : []),
  ]
}

const ZONE_IN_SCHEDULE =
  'cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see' +
  ' https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details'
