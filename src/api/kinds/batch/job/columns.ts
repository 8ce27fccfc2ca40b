// What tables of Jobs print.

import { humanDuration } from '../../../duration.ts'
import { hasJobCondition } from '../../../job/state.ts'
import type { Column } from '../../../resource.ts'
import type { Job } from '../../../schema/generated/types.ts'
import { ageColumn, selectorText } from '../../../table/cells.ts'
import { templateColumns, textColumn } from '../../../workload/columns.ts'

export const jobColumns: readonly Column<Job>[] = [
  textColumn('Status', 0, 'How far it is.', statusCell),
  textColumn('Completions', 0, 'Pods that succeeded, of those that must.', completionsCell),
  {
    name: 'Duration',
    type: 'string',
    priority: 0,
    description: 'Time from the start to the completion, or to now.',
    cell: durationCell,
  },
  ageColumn,
  ...templateColumns<Job>(
    ({ spec }) => spec.template?.spec?.containers,
    ({ spec }) => selectorText(spec.selector, ''),
  ),
]

function statusCell(job: Job): string {
  if (hasJobCondition(job, 'Complete')) return 'Complete'
  if (hasJobCondition(job, 'Failed')) return 'Failed'
  if (job.metadata.deletionTimestamp !== undefined) return 'Terminating'
  if (hasJobCondition(job, 'Suspended')) return 'Suspended'
  if (hasJobCondition(job, 'FailureTarget')) return 'FailureTarget'
  return hasJobCondition(job, 'SuccessCriteriaMet') ? 'SuccessCriteriaMet' : 'Running'
}

function completionsCell({ spec, status }: Job): string {
  const { completions, parallelism = 0 } = spec
  const succeeded = status?.succeeded ?? 0
  if (completions !== undefined) return `${succeeded}/${completions}`
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`
}

function durationCell({ status }: Job, nowMs: number): string {
  const { startTime, completionTime } = status ?? {}
  if (startTime === undefined) return ''
  const endMs = completionTime === undefined ? nowMs : Date.parse(completionTime)
  return humanDuration(endMs - Date.parse(startTime))
}
