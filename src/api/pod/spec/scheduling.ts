// What else the scheduler is told: tolerations, gates, spreading.

import { labelValueFaults } from '../../names.ts'
import type {
  LabelSelector,
  PodReadinessGate,
  PodSchedulingGate,
  Toleration,
  TopologySpreadConstraint,
} from '../../schema/generated/types.ts'
import type { FieldErrors } from '../../validation/field-errors.ts'
import { checkLabelName, checkLabelSelector } from '../../validation/labels.ts'
import { checkPositive, checkQualifiedName, checkSupported } from '../../validation/values.ts'

const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']

export function checkTolerations(
  faults: FieldErrors,
  at: string,
  tolerations: readonly Toleration[],
) {
  for (const [index, toleration] of tolerations.entries()) {
    const path = `${at}[${index}]`
    const { key, operator = '', effect = '', tolerationSeconds } = toleration
    if (key) checkLabelName(faults, `${path}.key`, key)
    if (!key && operator !== 'Exists') {
      const detail =
        'operator must be Exists when `key` is empty, which means "match all values and all keys"'
      faults.invalid(`${path}.operator`, operator, detail)
    }
    if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
      const detail = "effect must be 'NoExecute' when `tolerationSeconds` is set"
      faults.invalid(`${path}.effect`, effect, detail)
    }
    checkOperator(faults, `${path}.operator`, toleration)
    if (effect) checkSupported(faults, `${path}.effect`, effect, EFFECTS)
  }
}

function checkOperator(faults: FieldErrors, at: string, { operator = '', value = '' }: Toleration) {
  switch (operator) {
    case '':
    case 'Equal': {
      const details = labelValueFaults(value)
      if (details.length > 0) faults.invalid(at, value, details.join(';'))
      return
    }
    case 'Exists':
      if (value === '') return
      return faults.invalid(at, value, "value must be empty when `operator` is 'Exists'")
    case 'Lt':
    case 'Gt':
      // Off by default upstream, which names them all the same.
      return faults.notSupported(at, operator, ['Equal', 'Exists', 'Lt', 'Gt'])
    default:
      return faults.notSupported(at, operator, ['Equal', 'Exists'])
  }
}

/** Also for taints, where the effect must be there. */
export function checkTaintEffect(faults: FieldErrors, at: string, effect: string | undefined) {
  if (!effect) faults.required(at)
  else checkSupported(faults, at, effect, EFFECTS)
}

export function checkReadinessGates(
  faults: FieldErrors,
  at: string,
  gates: readonly PodReadinessGate[] = [],
) {
  for (const [index, { conditionType = '' }] of gates.entries()) {
    checkQualifiedName(faults, `${at}[${index}].conditionType`, conditionType)
  }
}

export function checkSchedulingGates(
  faults: FieldErrors,
  at: string,
  gates: readonly PodSchedulingGate[] = [],
) {
  const names = new Set<string>()
  for (const [index, { name = '' }] of gates.entries()) {
    checkQualifiedName(faults, `${at}[${index}]`, name)
    if (names.has(name)) faults.duplicate(`${at}[${index}]`, name)
    names.add(name)
  }
}

export function checkTopologySpread(
  faults: FieldErrors,
  at: string,
  constraints: readonly TopologySpreadConstraint[],
) {
  for (const [index, constraint] of constraints.entries()) {
    const path = `${at}[${index}]`
    const { topologyKey = '', whenUnsatisfiable = '', minDomains } = constraint
    checkPositive(faults, `${path}.maxSkew`, constraint.maxSkew)
    if (!topologyKey) faults.required(`${path}.topologyKey`, 'can not be empty')
    const actions = ['DoNotSchedule', 'ScheduleAnyway']
    checkSupported(faults, `${path}.whenUnsatisfiable`, whenUnsatisfiable, actions)
    const isRepeated = constraints
      .slice(index + 1)
      .some((o) => o.topologyKey === topologyKey && o.whenUnsatisfiable === whenUnsatisfiable)
    if (isRepeated) {
      const pair = `{${topologyKey}, ${whenUnsatisfiable}}`
      faults.duplicate(`${path}.{topologyKey, whenUnsatisfiable}`, pair)
    }
    if (minDomains !== undefined) {
      checkPositive(faults, `${path}.minDomains`, minDomains)
      if (whenUnsatisfiable !== 'DoNotSchedule') {
        const wanted = 'can only use minDomains if whenUnsatisfiable=DoNotSchedule'
        faults.invalid(`${path}.minDomains`, minDomains, `${wanted}, not ${whenUnsatisfiable}`)
      }
    }
    for (const field of ['nodeAffinityPolicy', 'nodeTaintsPolicy'] as const) {
      const policy = constraint[field]
      if (policy === undefined) continue
      checkSupported(faults, `${path}.${field}`, policy, ['Honor', 'Ignore'])
    }
    checkLabelKeys(faults, path, constraint)
    checkLabelSelector(faults, `${path}.labelSelector`, constraint.labelSelector)
  }
}

type Keyed = {
  matchLabelKeys?: string[]
  mismatchLabelKeys?: string[]
  labelSelector?: LabelSelector
}

/** Keys whose values are taken from the pod, so the selector may not name them already. */
export function checkLabelKeys(
  faults: FieldErrors,
  at: string,
  { matchLabelKeys = [], mismatchLabelKeys = [], labelSelector }: Keyed,
) {
  const lists = { matchLabelKeys, mismatchLabelKeys }
  for (const [field, keys] of Object.entries(lists)) {
    if (keys.length === 0) continue
    if (labelSelector === undefined) {
      faults.forbidden(`${at}.${field}`, 'must not be specified when labelSelector is not set')
      continue
    }
    for (const [index, key] of keys.entries()) {
      checkLabelName(faults, `${at}.${field}[${index}]`, key)
    }
  }
  const selected = new Set(Object.keys(labelSelector?.matchLabels ?? {}))
  for (const { key } of labelSelector?.matchExpressions ?? []) {
    const index = matchLabelKeys.lastIndexOf(key)
    if (index >= 0 && selected.has(key)) {
      faults.invalid(`${at}[${index}]`, key, 'exists in both matchLabelKeys and labelSelector')
    }
    selected.add(key)
  }
  for (const [index, key] of matchLabelKeys.entries()) {
    if (!mismatchLabelKeys.includes(key)) continue
    const detail = 'exists in both matchLabelKeys and mismatchLabelKeys'
    faults.invalid(`${at}.matchLabelKeys[${index}]`, key, detail)
  }
}
