// What the server writes into a Job on its own account (pkg/registry/batch/job/strategy.go).

import {
  CONTROLLER_UID_LABEL,
  JOB_NAME_LABEL,
  OLD_CONTROLLER_UID_LABEL,
  OLD_JOB_NAME_LABEL,
} from '../../../job/state.ts'
import { labelValueFaults } from '../../../names.ts'
import { dropDisabledFields } from '../../../pod/strategy.ts'
import type { Job } from '../../../schema/generated/types.ts'

export function prepareJob(job: Job) {
  if (!job.spec.manualSelector) generateSelector(job)
  dropDisabledFields(job.spec.template?.spec)
}

export function prepareJobUpdate({ spec }: Job) {
  dropDisabledFields(spec.template?.spec)
}

/**
 * Labels that are there with other values stay: it is for the rules to refuse them. A Job without
 * labels has those of its pods, also these.
 */
function generateSelector({ metadata, spec }: Job) {
  const { name = '', uid = '' } = metadata
  spec.template ??= { spec: { containers: [] } }
  spec.template.metadata ??= {}
  const { metadata: template } = spec.template
  template.labels ??= {}
  const { labels } = template
  labels[OLD_JOB_NAME_LABEL] ??= name
  labels[JOB_NAME_LABEL] ??= name
  labels[OLD_CONTROLLER_UID_LABEL] ??= uid
  labels[CONTROLLER_UID_LABEL] ??= uid
  spec.selector ??= {}
  spec.selector.matchLabels ??= {}
  spec.selector.matchLabels[CONTROLLER_UID_LABEL] ??= uid
  // A name that is no label is refused in the template, and there alone.
  const isLabel = labelValueFaults(name).length === 0
  if (isLabel && Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels }
}
