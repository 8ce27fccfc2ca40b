// What a HorizontalPodAutoscaler must be (pkg/apis/autoscaling/validation).

import { compareQuantity, parseQuantity, ZERO } from '../../../quantity.ts'
import type {
  HorizontalPodAutoscaler,
  HPAScalingPolicy,
  HPAScalingRules,
} from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { checkNonNegative, NOT_NEGATIVE } from '../../../validation/values.ts'
import { checkMetrics } from './metric-validation.ts'
import { checkReference, type Reference, versionFault } from './reference.ts'

type Spec = HorizontalPodAutoscaler['spec']

const PERIOD_SECONDS_MAX = 1800
const WINDOW_SECONDS_MAX = 3600

export function checkAutoscaler(
  faults: FieldErrors,
  { spec }: HorizontalPodAutoscaler,
  old: HorizontalPodAutoscaler | undefined,
) {
  const { minReplicas, maxReplicas = 0, scaleTargetRef } = spec
  const fewest = old?.spec.minReplicas === 0 ? 0 : 1
  if (minReplicas !== undefined && minReplicas < fewest) {
    const detail = `must be greater than or equal to ${fewest}`
    faults.invalid('spec.minReplicas', minReplicas, detail)
  }
  const at = 'spec.maxReplicas'
  if (maxReplicas === 0) faults.required(at, 'must be set and greater than 0')
  else if (maxReplicas < 0) faults.invalid(at, maxReplicas, 'must be greater than or equal to 1')
  if (minReplicas !== undefined && maxReplicas < minReplicas) {
    faults.invalid(at, maxReplicas, 'must be greater than or equal to `minReplicas`')
  }
  const target = scaleTargetRef ?? { kind: '', name: '' }
  checkReference(faults, 'spec.scaleTargetRef', target, forgivenOfTarget(spec, old?.spec))
  checkMetrics(faults, spec, forgivenOfObjects(old?.spec))
  const { scaleUp, scaleDown } = spec.behavior ?? {}
  if (scaleUp) checkRules(faults, 'spec.behavior.scaleUp', scaleUp)
  if (scaleDown) checkRules(faults, 'spec.behavior.scaleDown', scaleDown)
}

function forgivenOfTarget({ scaleTargetRef: target }: Spec, old: Spec | undefined): Reference {
  const before = old?.scaleTargetRef
  const isAsBefore =
    before !== undefined &&
    (before.apiVersion ?? '') === (target?.apiVersion ?? '') &&
    before.kind === target?.kind
  return { mayBeAnything: isAsBefore, mayBeOfCore: target?.kind === 'ReplicationController' }
}

function forgivenOfObjects(old: Spec | undefined): Reference {
  const strict = { mayBeOfCore: true, mayBeAnything: false }
  const isFaulty = (old?.metrics ?? []).some(
    ({ type, object }) =>
      type === 'Object' && object && versionFault(object.describedObject, strict) !== undefined,
  )
  return { mayBeOfCore: true, mayBeAnything: isFaulty }
}

function checkRules(faults: FieldErrors, at: string, rules: HPAScalingRules) {
  const { stabilizationWindowSeconds: window, selectPolicy, policies = [], tolerance } = rules
  const path = `${at}.stabilizationWindowSeconds`
  if ((window ?? 0) < 0) faults.invalid(path, window, 'must be greater than or equal to zero')
  if ((window ?? 0) > WINDOW_SECONDS_MAX) {
    faults.invalid(path, window, `must be less than or equal to ${WINDOW_SECONDS_MAX}`)
  }
  const choices = ['Disabled', 'Max', 'Min']
  if (selectPolicy !== undefined && !choices.includes(selectPolicy)) {
    faults.notSupported(`${at}.selectPolicy`, selectPolicy, choices)
  }
  if (policies.length === 0) faults.required(`${at}.policies`, 'must specify at least one Policy')
  for (const [i, policy] of policies.entries()) checkPolicy(faults, `${at}.policies[${i}]`, policy)
  if (tolerance === undefined || compareQuantity(parseQuantity(tolerance), ZERO) >= 0) return
  faults.invalid(`${at}.tolerance`, tolerance, NOT_NEGATIVE)
}

function checkPolicy(faults: FieldErrors, at: string, policy: HPAScalingPolicy) {
  const { type = '', value = 0, periodSeconds: period = 0 } = policy
  const types = ['Percent', 'Pods']
  if (!types.includes(type)) faults.notSupported(`${at}.type`, type, types)
  if (value <= 0) faults.invalid(`${at}.value`, value, 'must be greater than zero')
  if (period <= 0) faults.invalid(`${at}.periodSeconds`, period, 'must be greater than zero')
  if (period <= PERIOD_SECONDS_MAX) return
  const detail = `must be less than or equal to ${PERIOD_SECONDS_MAX}`
  faults.invalid(`${at}.periodSeconds`, period, detail)
}

export function checkAutoscalerStatus(faults: FieldErrors, { status }: HorizontalPodAutoscaler) {
  checkNonNegative(faults, 'status.currentReplicas', status?.currentReplicas)
  checkNonNegative(faults, 'status.desiredReplicas', status?.desiredReplicas)
}
