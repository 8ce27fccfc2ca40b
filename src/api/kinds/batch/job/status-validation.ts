// What the status of a Job must be, and how it may go on. Anybody whom spec.managedBy names may
// write it, so a Job that is over must stay over. Rules that a change does not touch are not asked
// again.

import { commonIndex } from '../../../job/indexes.ts'
import { hasJobCondition, isIndexed, isJobFinished } from '../../../job/state.ts'
import { checkIndexes } from '../../../job/success-policy.ts'
import { internalForm } from '../../../pod/internal-form.ts'
import type { Job, UncountedTerminatedPods } from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { checkNonNegative, IMMUTABLE, sameValue } from '../../../validation/values.ts'

const CONDITIONS = 'status.conditions'

export function checkJobStatus(faults: FieldErrors, job: Job, old: Job | undefined) {
  const before = old ?? { ...job, status: {} }
  const changes = changesOf(job, before)
  checkCounts(faults, job)
  checkConditions(faults, job, changes)
  checkTimes(faults, job, changes)
  checkEnds(faults, job, changes)
  checkEnded(faults, job, changes)
  checkStatusIndexes(faults, job, changes)
  checkPods(faults, job, changes)
  checkSuccessCriteria(faults, job)
  if (old) checkHistory(faults, job, old, changes)
}

type Changes = ReturnType<typeof changesOf>

function changesOf(job: Job, old: Job) {
  const [now, was] = [job.status ?? {}, old.status ?? {}]
  const hasTurned = (type: Parameters<typeof hasJobCondition>[1]) =>
    hasJobCondition(job, type) !== hasJobCondition(old, type)
  return {
    finished: isJobFinished(job) !== isJobFinished(old),
    complete: hasTurned('Complete'),
    failed: hasTurned('Failed'),
    failureTarget: hasTurned('FailureTarget'),
    successCriteria: hasTurned('SuccessCriteriaMet'),
    completedIndexes: (now.completedIndexes ?? '') !== (was.completedIndexes ?? ''),
    failedIndexes: now.failedIndexes !== was.failedIndexes,
    active: (now.active ?? 0) !== (was.active ?? 0),
    ready: now.ready !== was.ready,
    terminating: now.terminating !== was.terminating,
    startTime: now.startTime !== was.startTime,
    completionTime: now.completionTime !== was.completionTime,
    uncounted: !sameUncounted(now.uncountedTerminatedPods, was.uncountedTerminatedPods),
  }
}

function sameUncounted(
  a: UncountedTerminatedPods | undefined,
  b: UncountedTerminatedPods | undefined,
): boolean {
  if ((a === undefined) !== (b === undefined)) return false
  return sameValue(a?.succeeded, b?.succeeded) && sameValue(a?.failed, b?.failed)
}

function checkCounts(faults: FieldErrors, { status = {} }: Job) {
  checkNonNegative(faults, 'status.active', status.active)
  checkNonNegative(faults, 'status.succeeded', status.succeeded)
  checkNonNegative(faults, 'status.failed', status.failed)
  checkNonNegative(faults, 'status.ready', status.ready)
  checkNonNegative(faults, 'status.terminating', status.terminating)
  const seen = new Set<string>()
  for (const list of ['succeeded', 'failed'] as const) {
    for (const [index, uid] of (status.uncountedTerminatedPods?.[list] ?? []).entries()) {
      const path = `status.uncountedTerminatedPods.${list}[${index}]`
      if (uid === '') faults.invalid(path, uid, 'must not be empty')
      else if (seen.has(uid)) faults.duplicate(path, uid)
      seen.add(uid)
    }
  }
}

function checkConditions(faults: FieldErrors, job: Job, changes: Changes) {
  if (!hasJobCondition(job, 'Complete')) return
  if ((changes.complete || changes.failed) && hasJobCondition(job, 'Failed')) {
    faults.invalidAsItIs(CONDITIONS, 'cannot set Complete=True and Failed=true conditions')
  }
  if ((changes.complete || changes.failureTarget) && hasJobCondition(job, 'FailureTarget')) {
    faults.invalidAsItIs(CONDITIONS, 'cannot set Complete=True and FailureTarget=true conditions')
  }
}

function checkTimes(faults: FieldErrors, job: Job, changes: Changes) {
  const { startTime, completionTime } = job.status ?? {}
  const path = 'status.completionTime'
  const isComplete = hasJobCondition(job, 'Complete')
  if (changes.complete || changes.completionTime) {
    if (completionTime !== undefined && !isComplete) {
      const detail = 'cannot set completionTime when there is no Complete=True condition'
      faults.invalid(path, completionTime, detail)
    }
    if (completionTime === undefined && isComplete) {
      faults.required(path, 'completionTime is required for Complete jobs')
    }
  }
  if (!changes.startTime && !changes.completionTime) return
  if (startTime === undefined || completionTime === undefined) return
  if (Date.parse(completionTime) >= Date.parse(startTime)) return
  faults.invalid(path, completionTime, 'must be equal to or after `startTime`')
}

/** Nothing ends without having said why it will. */
function checkEnds(faults: FieldErrors, job: Job, changes: Changes) {
  const lacks = (end: 'Failed' | 'Complete', why: 'FailureTarget' | 'SuccessCriteriaMet') =>
    hasJobCondition(job, end) && !hasJobCondition(job, why)
  if ((changes.failed || changes.failedIndexes) && lacks('Failed', 'FailureTarget')) {
    const detail = 'cannot set Failed=True condition without the FailureTarget=true condition'
    faults.invalidAsItIs(CONDITIONS, detail)
  }
  const isAsked = changes.complete || changes.successCriteria
  if (isAsked && lacks('Complete', 'SuccessCriteriaMet')) {
    const detail =
      'cannot set Complete=True condition without the SuccessCriteriaMet=true condition'
    faults.invalidAsItIs(CONDITIONS, detail)
  }
}

function checkEnded(faults: FieldErrors, job: Job, changes: Changes) {
  if (!isJobFinished(job)) return
  const { active = 0, startTime, uncountedTerminatedPods: uncounted } = job.status ?? {}
  if ((changes.finished || changes.active) && active > 0) {
    faults.invalid('status.active', active, 'active>0 is invalid for finished job')
  }
  const neverStarts = job.spec.suspend === true && job.spec.completions === 0
  if ((changes.finished || changes.startTime) && !neverStarts && startTime === undefined) {
    faults.required('status.startTime', 'startTime is required for finished job')
  }
  if (!changes.finished && !changes.uncounted) return
  const { succeeded = [], failed = [] } = uncounted ?? {}
  if (uncounted === undefined || succeeded.length + failed.length === 0) return
  const shown = internalForm('UncountedTerminatedPods', uncounted)
  faults.invalid('status.uncountedTerminatedPods', shown, 'must be empty for finished job')
}

function checkStatusIndexes(faults: FieldErrors, { spec, status = {} }: Job, changes: Changes) {
  const { completedIndexes = '', failedIndexes } = status
  const { completions, backoffLimitPerIndex } = spec
  const [completedAt, failedAt] = ['status.completedIndexes', 'status.failedIndexes']
  if (changes.completedIndexes && completions !== undefined) {
    checkIndexes(faults, completedAt, completedIndexes, completions)
  }
  const isLimited = backoffLimitPerIndex !== undefined
  if (changes.failedIndexes && completions !== undefined && isLimited) {
    checkIndexes(faults, failedAt, failedIndexes ?? '', completions)
  }
  if (changes.completedIndexes && completedIndexes !== '' && !isIndexed({ spec })) {
    const detail = 'cannot set non-empty completedIndexes when non-indexed completion mode'
    faults.invalid(completedAt, completedIndexes, detail)
  }
  if (changes.failedIndexes && failedIndexes !== undefined && !isLimited) {
    const detail = 'cannot set non-null failedIndexes when backoffLimitPerIndex is null'
    faults.invalid(failedAt, failedIndexes, detail)
  }
  if (!changes.failedIndexes && !changes.completedIndexes) return
  if (completions === undefined || failedIndexes === undefined) return
  const common = commonIndex(completedIndexes, failedIndexes, completions)
  if (common === undefined) return
  const detail = `failedIndexes and completedIndexes overlap at index: ${common}`
  faults.invalid(failedAt, failedIndexes, detail)
}

function checkPods(faults: FieldErrors, job: Job, changes: Changes) {
  const { active = 0, ready = 0, terminating = 0 } = job.status ?? {}
  if ((changes.finished || changes.terminating) && terminating > 0 && isJobFinished(job)) {
    faults.invalid('status.terminating', terminating, 'terminating>0 is invalid for finished job')
  }
  if ((changes.ready || changes.active) && ready > active) {
    faults.invalid('status.ready', ready, 'cannot set more ready pods than active')
  }
}

function checkSuccessCriteria(faults: FieldErrors, job: Job) {
  const isMet = hasJobCondition(job, 'SuccessCriteriaMet')
  if (isMet && hasJobCondition(job, 'Failed')) {
    faults.invalidAsItIs(
      CONDITIONS,
      'cannot set SuccessCriteriaMet=True and Failed=true conditions',
    )
  }
  if (isMet && hasJobCondition(job, 'FailureTarget')) {
    const detail = 'cannot set SuccessCriteriaMet=True and FailureTarget=true conditions'
    faults.invalidAsItIs(CONDITIONS, detail)
  }
  if (job.spec.successPolicy && !isMet && hasJobCondition(job, 'Complete')) {
    const unless = 'unless SuccessCriteriaMet=True'
    const detail = `cannot set Complete=True for Job with SuccessPolicy ${unless}`
    faults.invalidAsItIs(CONDITIONS, detail)
  }
}

function checkHistory(faults: FieldErrors, job: Job, old: Job, changes: Changes) {
  for (const type of ['Failed', 'Complete', 'FailureTarget'] as const) {
    if (!hasJobCondition(old, type) || hasJobCondition(job, type)) continue
    faults.invalidAsItIs(CONDITIONS, `cannot disable the terminal ${type}=True condition`)
  }
  const { failed = 0, succeeded = 0, completionTime } = job.status ?? {}
  const was = old.status ?? {}
  if (failed < (was.failed ?? 0)) {
    faults.invalid('status.failed', failed, 'cannot decrease the failed counter')
  }
  // One that shrinks forgets the indexes that are beyond its end.
  const mayShrink = isIndexed(job) && job.spec.completions === job.spec.parallelism
  if (!mayShrink && succeeded < (was.succeeded ?? 0)) {
    faults.invalid('status.succeeded', succeeded, 'cannot decrease the succeeded counter')
  }
  if (completionTime && was.completionTime && completionTime !== was.completionTime) {
    faults.invalid('status.completionTime', completionTime, IMMUTABLE)
  }
  checkStartKept(faults, job, old, changes)
  const [isMet, wasMet] = [job, old].map((one) => hasJobCondition(one, 'SuccessCriteriaMet'))
  if (wasMet && !isMet) {
    faults.invalidAsItIs(CONDITIONS, 'cannot disable the SuccessCriteriaMet=True condition')
  }
  if (hasJobCondition(old, 'Complete') && !wasMet && isMet) {
    const already = 'for Job already has Complete=true conditions'
    faults.invalidAsItIs(CONDITIONS, `cannot set SuccessCriteriaMet=True ${already}`)
  }
}

function checkStartKept(faults: FieldErrors, job: Job, old: Job, changes: Changes) {
  if (!changes.startTime || old.status?.startTime === undefined || job.spec.suspend) return
  const isSuspended = (value: string) => (one: { type: string; status: string }) =>
    one.type === 'Suspended' && one.status === value
  const wasSuspended = old.status.conditions?.some(isSuspended('True'))
  if (wasSuspended && job.status?.conditions?.some(isSuspended('False'))) return
  const detail = 'field is immutable for unsuspended job once set'
  faults.invalid('status.startTime', job.status?.startTime ?? null, detail)
}
