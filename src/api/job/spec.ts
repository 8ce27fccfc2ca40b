// What a JobSpec must be, in a Job and in the template of a CronJob (pkg/apis/batch/validation).

import { dnsSubdomainFaults } from '../names.ts'
import { internalForm } from '../pod/internal-form.ts'
import { checkPodTemplate } from '../pod/template.ts'
import { templateWarnings } from '../pod/warnings.ts'
import type { JobSpec } from '../schema/generated/types.ts'
import type { FieldErrors } from '../validation/field-errors.ts'
import { checkNonNegative } from '../validation/values.ts'
import { checkFailurePolicy } from './failure-policy.ts'
import { checkSuccessPolicy } from './success-policy.ts'

const PARALLELISM_MAX = 100_000
const FAILED_INDEXES_MAX = 100_000
/** Above so many completions less may fail, and run at once. */
const MANY_COMPLETIONS = 100_000
const PARALLELISM_OF_MANY_MAX = 10_000
const FAILED_INDEXES_OF_MANY_MAX = 10_000
const MANAGED_BY_BYTES_MAX = 63

export function checkJobSpec(faults: FieldErrors, at: string, spec: JobSpec) {
  checkNumbers(faults, at, spec)
  if (spec.managedBy !== undefined) checkManagedBy(faults, `${at}.managedBy`, spec.managedBy)
  checkCompletionMode(faults, at, spec)
  if (spec.podFailurePolicy) checkFailurePolicy(faults, `${at}.podFailurePolicy`, spec)
  if (spec.successPolicy) {
    const path = `${at}.successPolicy`
    if (spec.completionMode === 'Indexed') checkSuccessPolicy(faults, path, spec)
    else {
      const shown = internalForm('SuccessPolicy', spec.successPolicy)
      faults.invalid(path, shown, 'requires indexed completion mode')
    }
  }
  checkReplacement(faults, `${at}.podReplacementPolicy`, spec)
  checkPodTemplate(faults, `${at}.template`, spec.template ?? {})
  checkRestartPolicy(faults, `${at}.template.spec.restartPolicy`, spec)
}

function checkNumbers(faults: FieldErrors, at: string, spec: JobSpec) {
  checkNonNegative(faults, `${at}.parallelism`, spec.parallelism)
  checkNonNegative(faults, `${at}.completions`, spec.completions)
  checkNonNegative(faults, `${at}.activeDeadlineSeconds`, spec.activeDeadlineSeconds)
  checkNonNegative(faults, `${at}.backoffLimit`, spec.backoffLimit)
  checkNonNegative(faults, `${at}.ttlSecondsAfterFinished`, spec.ttlSecondsAfterFinished)
  checkNonNegative(faults, `${at}.backoffLimitPerIndex`, spec.backoffLimitPerIndex)
  if (spec.maxFailedIndexes === undefined) return
  checkNonNegative(faults, `${at}.maxFailedIndexes`, spec.maxFailedIndexes)
  if (spec.backoffLimitPerIndex !== undefined) return
  faults.required(`${at}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified')
}

/** A path under a domain: acme.io/foo. */
function checkManagedBy(faults: FieldErrors, at: string, text: string) {
  if (text === '') return faults.required(at)
  const slash = text.indexOf('/')
  const [domain, path] = [text.slice(0, Math.max(slash, 0)), text.slice(slash + 1)]
  if (domain === '' || path === '') {
    faults.invalid(at, text, 'must be a domain-prefixed path (such as "acme.io/foo")')
  } else {
    faults.invalidAll(at, domain, dnsSubdomainFaults(domain))
    if (!PATH_RE.test(path)) {
      faults.invalid(at, path, `Invalid path (regex used for validation is '${PATH}')`)
    }
  }
  if (Buffer.byteLength(text) > MANAGED_BY_BYTES_MAX) faults.tooLong(at, MANAGED_BY_BYTES_MAX)
}

const PATH = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+"
const PATH_RE = new RegExp(`^${PATH}$`)

function checkCompletionMode(faults: FieldErrors, at: string, spec: JobSpec) {
  const { completionMode: mode, backoffLimitPerIndex, maxFailedIndexes } = spec
  if (mode === 'Indexed') return checkIndexed(faults, at, spec)
  if (mode !== undefined && mode !== 'NonIndexed') {
    return faults.notSupported(`${at}.completionMode`, mode, ['NonIndexed', 'Indexed'])
  }
  const detail = 'requires indexed completion mode'
  if (backoffLimitPerIndex !== undefined) {
    faults.invalid(`${at}.backoffLimitPerIndex`, backoffLimitPerIndex, detail)
  }
  if (maxFailedIndexes !== undefined) {
    faults.invalid(`${at}.maxFailedIndexes`, maxFailedIndexes, detail)
  }
}

function checkIndexed(faults: FieldErrors, at: string, spec: JobSpec) {
  const { completions, parallelism = 0, backoffLimitPerIndex, maxFailedIndexes } = spec
  const mayFail = maxFailedIndexes ?? 0
  const failing = `${at}.maxFailedIndexes`
  if (completions === undefined) {
    faults.required(`${at}.completions`, 'when completion mode is Indexed')
  }
  if (parallelism > PARALLELISM_MAX) {
    const detail = `must be less than or equal to ${PARALLELISM_MAX} when completion mode is Indexed`
    faults.invalid(`${at}.parallelism`, parallelism, detail)
  }
  if (completions !== undefined && mayFail > completions) {
    faults.invalid(failing, mayFail, 'must be less than or equal to completions')
  }
  if (mayFail > FAILED_INDEXES_MAX) {
    faults.invalid(failing, mayFail, `must be less than or equal to ${FAILED_INDEXES_MAX}`)
  }
  if ((completions ?? 0) <= MANY_COMPLETIONS || backoffLimitPerIndex === undefined) return
  if (maxFailedIndexes === undefined) {
    faults.required(failing, `must be specified when completions is above ${MANY_COMPLETIONS}`)
  }
  const many = `when completions are above ${MANY_COMPLETIONS} and used with backoff limit per index`
  if (parallelism > PARALLELISM_OF_MANY_MAX) {
    const detail = `must be less than or equal to ${PARALLELISM_OF_MANY_MAX} ${many}`
    faults.invalid(`${at}.parallelism`, parallelism, detail)
  }
  if (mayFail > FAILED_INDEXES_OF_MANY_MAX) {
    const detail = `must be less than or equal to ${FAILED_INDEXES_OF_MANY_MAX} ${many}`
    faults.invalid(failing, mayFail, detail)
  }
}

function checkReplacement(faults: FieldErrors, at: string, spec: JobSpec) {
  const { podReplacementPolicy: policy } = spec
  if (policy === undefined) return
  const supported = spec.podFailurePolicy ? ['Failed'] : ['Failed', 'TerminatingOrFailed']
  if (!supported.includes(policy)) faults.notSupported(at, policy, supported)
}

/** Always is what a pod gets when nothing is said: so something must be said. */
function checkRestartPolicy(faults: FieldErrors, at: string, spec: JobSpec) {
  const policy = spec.template?.spec?.restartPolicy ?? ''
  if (policy === '' || policy === 'Always') {
    faults.required(at, 'valid values: "OnFailure", "Never"')
  } else if (policy !== 'OnFailure' && policy !== 'Never') {
    faults.notSupported(at, policy, ['OnFailure', 'Never'])
  } else if (spec.podFailurePolicy && policy !== 'Never') {
    const detail = 'only "Never" is supported when podFailurePolicy is specified'
    faults.invalid(at, policy, detail)
  }
}

/** `at` is the path of the spec. */
export function jobSpecWarnings(at: string, spec: JobSpec): string[] {
  const { completionMode, completions = 0, parallelism = 0 } = spec
  const isHuge = completions > MANY_COMPLETIONS && parallelism > PARALLELISM_OF_MANY_MAX
  const template = templateWarnings(`${at}.template`, spec.template)
  return completionMode === 'Indexed' && isHuge ? [`${at}: ${HUGE}`, ...template] : template
}

const HUGE =
  'In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than' +
  ' 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail'
