// What a Job must be, and what of it may change (pkg/apis/batch/validation).

import { own } from '../../../../lib/own.ts'
import { checkJobSpec } from '../../../job/spec.ts'
import {
  CONTROLLER_UID_LABEL,
  JOB_NAME_LABEL,
  OLD_CONTROLLER_UID_LABEL,
  OLD_JOB_NAME_LABEL,
} from '../../../job/state.ts'
import { dnsLabelFaults } from '../../../names.ts'
import { internalForm } from '../../../pod/internal-form.ts'
import type { Job, JobSpec } from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import {
  checkLabelSelector,
  isReadableSelector,
  matchesLabels,
  shownLabels,
  shownSelector,
} from '../../../validation/labels.ts'
import { checkImmutable, IMMUTABLE, sameValue } from '../../../validation/values.ts'
import { checkTemplateKept } from './template-validation.ts'

export function checkJob(faults: FieldErrors, job: Job, old: Job | undefined) {
  checkGeneratedSelector(faults, job, old)
  checkSpec(faults, job.spec)
  checkHostnames(faults, job)
  if (old === undefined) return
  checkSpec(faults, job.spec)
  checkSpecKept(faults, job.spec, old)
}

/** Unless made by hand, the selector is the job's uid, and the labels of its pods say so. */
function checkGeneratedSelector(faults: FieldErrors, job: Job, old: Job | undefined) {
  const { metadata, spec } = job
  if (spec.manualSelector || !spec.selector) return
  const { name = '', uid = '' } = metadata
  const expected: [string, string][] = [
    [OLD_CONTROLLER_UID_LABEL, uid],
    [OLD_JOB_NAME_LABEL, name],
  ]
  // Jobs that were made before these labels had a prefix may go on without.
  if (old === undefined || hasPrefixedLabels(old)) {
    expected.push([CONTROLLER_UID_LABEL, uid], [JOB_NAME_LABEL, name])
  }
  const labels = spec.template?.metadata?.labels
  for (const [key, value] of expected) {
    const path = `spec.template.metadata.labels[${key}]`
    const found = own(labels, key)
    if (found === undefined) faults.required(path, `must be '${value}'`)
    else if (found !== value) faults.invalid(path, shownLabels(labels), `must be '${value}'`)
  }
  if (!isReadableSelector(spec.selector)) return
  if (matchesLabels(spec.selector, Object.fromEntries(expected))) return
  faults.invalid('spec.selector', shownSelector(spec.selector), '`selector` not auto-generated')
}

function hasPrefixedLabels({ spec }: Job): boolean {
  const labels = spec.template?.metadata?.labels
  return [CONTROLLER_UID_LABEL, JOB_NAME_LABEL].every((key) => own(labels, key) !== undefined)
}

function checkSpec(faults: FieldErrors, spec: JobSpec) {
  checkJobSpec(faults, 'spec', spec)
  const { selector, template } = spec
  if (!selector) faults.required('spec.selector')
  else checkLabelSelector(faults, 'spec.selector', selector)
  if (!isReadableSelector(selector)) return
  const labels = template?.metadata?.labels
  if (selector && matchesLabels(selector, labels)) return
  const detail = '`selector` does not match template `labels`'
  faults.invalid('spec.template.metadata.labels', shownLabels(labels), detail)
}

/** Pods of an Indexed Job are called by its name and their index. */
function checkHostnames(faults: FieldErrors, { metadata, spec }: Job) {
  const { completionMode, completions = 0 } = spec
  if (completionMode !== 'Indexed' || completions <= 0) return
  const name = metadata.name ?? ''
  const longest = `${name}-${completions - 1}`
  if (dnsLabelFaults(longest).length === 0) return
  const detail = `will not able to create pod with invalid DNS label: ${longest}`
  faults.invalid('metadata.name', name, detail)
}

function checkSpecKept(faults: FieldErrors, spec: JobSpec, old: Job) {
  checkCompletionsKept(faults, spec, old.spec)
  if (!sameValue(spec.selector, old.spec.selector)) {
    faults.invalid('spec.selector', shownSelector(spec.selector), IMMUTABLE)
  }
  checkTemplateKept(faults, spec, old)
  checkImmutable(faults, 'spec.completionMode', spec.completionMode, old.spec.completionMode)
  checkPolicyKept(faults, 'podFailurePolicy', spec, old.spec)
  const { backoffLimitPerIndex: limit, managedBy } = spec
  const { backoffLimitPerIndex: oldLimit, managedBy: oldManager } = old.spec
  if (limit !== oldLimit) faults.invalid('spec.backoffLimitPerIndex', limit ?? null, IMMUTABLE)
  if (managedBy !== oldManager) faults.invalid('spec.managedBy', managedBy ?? null, IMMUTABLE)
  checkPolicyKept(faults, 'successPolicy', spec, old.spec)
}

const POLICIES = { podFailurePolicy: 'PodFailurePolicy', successPolicy: 'SuccessPolicy' } as const

function checkPolicyKept(
  faults: FieldErrors,
  name: keyof typeof POLICIES,
  spec: JobSpec,
  old: JobSpec,
) {
  const policy = spec[name]
  if (sameValue(policy, old[name])) return
  const shown = policy === undefined ? null : internalForm(POLICIES[name], policy)
  faults.invalid(`spec.${name}`, shown, IMMUTABLE)
}

function checkCompletionsKept(faults: FieldErrors, spec: JobSpec, old: JobSpec) {
  const { completions, parallelism } = spec
  if (completions === old.completions) return
  if (spec.completionMode !== 'Indexed') {
    faults.invalid('spec.completions', completions ?? null, IMMUTABLE)
  } else if (completions !== undefined && completions !== parallelism) {
    const detail = 'can only be modified in tandem with spec.parallelism'
    faults.invalid('spec.completions', completions, detail)
  }
}
