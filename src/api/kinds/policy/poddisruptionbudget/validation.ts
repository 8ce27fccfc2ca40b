// What a PodDisruptionBudget must be (pkg/apis/policy/validation).

import { internalForm } from '../../../pod/internal-form.ts'
import type { PodDisruptionBudget } from '../../../schema/generated/types.ts'
import { checkConditions } from '../../../validation/conditions.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { checkLabelSelector, shownSelector } from '../../../validation/labels.ts'
import { checkNonNegative } from '../../../validation/values.ts'
import { checkAtMostAll, checkIntOrPercent } from '../../../workload/validation.ts'

const POLICIES = ['AlwaysAllow', 'IfHealthyBudget']

export function checkBudget(faults: FieldErrors, { spec = {} }: PodDisruptionBudget) {
  const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy: policy } = spec
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    const shown = internalForm('PodDisruptionBudgetSpec', {
      ...spec,
      selector: shownSelector(selector),
    })
    faults.invalid('spec', shown, 'minAvailable and maxUnavailable cannot be both set')
  }
  for (const [name, amount] of Object.entries({ minAvailable, maxUnavailable })) {
    if (amount === undefined) continue
    checkIntOrPercent(faults, `spec.${name}`, amount)
    checkAtMostAll(faults, `spec.${name}`, amount)
  }
  checkLabelSelector(faults, 'spec.selector', selector)
  if (policy === undefined || POLICIES.includes(policy)) return
  faults.notSupported('spec.unhealthyPodEvictionPolicy', policy, POLICIES)
}

export function checkBudgetStatus(faults: FieldErrors, { status }: PodDisruptionBudget) {
  const { conditions, disruptionsAllowed, currentHealthy, desiredHealthy, expectedPods } =
    status ?? {}
  checkConditions(faults, 'status.conditions', conditions ?? [])
  const counts = { disruptionsAllowed, currentHealthy, desiredHealthy, expectedPods }
  for (const [name, count] of Object.entries(counts)) {
    checkNonNegative(faults, `status.${name}`, count)
  }
}
