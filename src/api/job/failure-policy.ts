// What spec.podFailurePolicy may say: which failures of pods count, and which end the Job.

import type {
  JobSpec,
  PodFailurePolicyOnExitCodesRequirement as OnExitCodes,
  PodFailurePolicyOnPodConditionsPattern as OnPodCondition,
  PodFailurePolicyRule,
} from '../schema/generated/types.ts'
import type { FieldErrors } from '../validation/field-errors.ts'
import { checkQualifiedName } from '../validation/values.ts'

const RULES_MAX = 20
const EXIT_CODES_MAX = 255
const CONDITIONS_MAX = 20
const ACTIONS = ['Count', 'FailIndex', 'FailJob', 'Ignore']
const OPERATORS = ['In', 'NotIn']
const STATUSES = ['False', 'True', 'Unknown']

export function checkFailurePolicy(faults: FieldErrors, at: string, spec: JobSpec) {
  const rules = spec.podFailurePolicy?.rules ?? []
  if (rules.length > RULES_MAX) faults.tooMany(`${at}.rules`, rules.length, RULES_MAX)
  for (const [index, rule] of rules.entries()) {
    checkRule(faults, `${at}.rules[${index}]`, rule, spec)
  }
}

function checkRule(faults: FieldErrors, at: string, rule: PodFailurePolicyRule, spec: JobSpec) {
  const { action, onExitCodes, onPodConditions = [] } = rule
  if (action === 'FailIndex') {
    if (spec.backoffLimitPerIndex === undefined) {
      faults.invalid(`${at}.action`, action, 'requires the backoffLimitPerIndex to be set')
    }
  } else checkChoice(faults, `${at}.action`, action, ACTIONS)
  if (onExitCodes) checkExitCodes(faults, `${at}.onExitCodes`, onExitCodes, spec)
  if (onPodConditions.length > 0) checkConditions(faults, `${at}.onPodConditions`, onPodConditions)
  const both = 'OnExitCodes and OnPodConditions'
  if (onExitCodes && onPodConditions.length > 0) {
    faults.invalidAsItIs(at, `specifying both ${both} is not supported`)
  }
  if (!onExitCodes && onPodConditions.length === 0) {
    faults.invalidAsItIs(at, `specifying one of ${both} is required`)
  }
}

/** A missing value is told what there is, as Go prints lists. */
function checkChoice(faults: FieldErrors, at: string, value: string, choices: readonly string[]) {
  const list = choices.map((choice) => JSON.stringify(choice)).join(' ')
  if (!value) faults.required(at, `valid values: [${list}]`)
  else if (!choices.includes(value)) faults.notSupported(at, value, choices)
}

function checkConditions(faults: FieldErrors, at: string, patterns: readonly OnPodCondition[]) {
  if (patterns.length > CONDITIONS_MAX) faults.tooMany(at, patterns.length, CONDITIONS_MAX)
  for (const [index, { type, status = '' }] of patterns.entries()) {
    checkQualifiedName(faults, `${at}[${index}].type`, type)
    checkChoice(faults, `${at}[${index}].status`, status, STATUSES)
  }
}

function checkExitCodes(faults: FieldErrors, at: string, codes: OnExitCodes, spec: JobSpec) {
  const { operator, containerName } = codes
  const values = codes.values ?? []
  checkChoice(faults, `${at}.operator`, operator, OPERATORS)
  if (containerName !== undefined && !containerNames(spec).has(containerName)) {
    const detail = 'must be one of the container or initContainer names in the pod template'
    faults.invalid(`${at}.containerName`, containerName, detail)
  }
  if (values.length === 0) faults.invalid(`${at}.values`, [], 'at least one value is required')
  else if (values.length > EXIT_CODES_MAX) {
    faults.tooMany(`${at}.values`, values.length, EXIT_CODES_MAX)
  }
  const seen = new Set<number>()
  let isOrdered = true
  for (const [index, value] of values.entries()) {
    const path = `${at}.values[${index}]`
    if (operator === 'In' && value === 0) {
      faults.invalid(path, value, 'must not be 0 for the In operator')
    }
    if (seen.has(value)) faults.duplicate(path, value)
    seen.add(value)
    if (index > 0 && values[index - 1]! > value) isOrdered = false
  }
  if (!isOrdered) faults.invalid(`${at}.values`, values, 'must be ordered')
}

function containerNames({ template }: JobSpec): ReadonlySet<string> {
  const { containers = [], initContainers = [] } = template?.spec ?? {}
  return new Set([...containers, ...initContainers].map(({ name }) => name))
}
