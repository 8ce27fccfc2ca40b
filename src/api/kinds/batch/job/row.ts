import { jobSpecWarnings } from '../../../job/spec.ts'
import { podNameWarnings } from '../../../pod/warnings.ts'
import { defineResource } from '../../../resource.ts'
import type { Job } from '../../../schema/generated/types.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { hasChanged } from '../../../workload/generation.ts'
import { jobColumns } from './columns.ts'
import { applyJobDefaults } from './defaults.ts'
import { checkJobStatus } from './status-validation.ts'
import { prepareJob, prepareJobUpdate } from './strategy.ts'
import { checkJob } from './validation.ts'

export const jobs = defineResource<Job>({
  group: 'batch',
  version: 'v1',
  kind: 'Job',
  plural: 'jobs',
  type: 'io.k8s.api.batch.v1.Job',
  categories: ['all'],
  orphansByDefault: true,
  orphaningWarning:
    'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background' +
    ' to remove them or set propagationPolicy=Orphan to suppress this warning',
  metadataJudges: ['whole', 'change'],
  defaults: applyJobDefaults,
  prepareCreate: prepareJob,
  prepareUpdate: prepareJobUpdate,
  rules: [ruleOf(checkJob)],
  warnings: (job, old) => {
    if (old && !hasChanged(job, old)) return []
    const name = old === undefined ? podNameWarnings(job.metadata.name) : []
    return [...name, ...jobSpecWarnings('spec', job.spec)]
  },
  status: { writes: ['metadata', 'status'], rules: [ruleOf(checkJobStatus)] },
  selectable: { 'status.successful': ({ status }) => `${status?.succeeded ?? 0}` },
  unknownField: (field) => `field label ${JSON.stringify(field)} not supported for Job`,
  columns: jobColumns,
})
