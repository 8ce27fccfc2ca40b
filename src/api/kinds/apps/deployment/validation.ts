// What a Deployment must be (pkg/apis/apps/validation).

import { internalForm } from '../../../pod/internal-form.ts'
import type { Deployment, DeploymentStrategy } from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { checkNonNegative } from '../../../validation/values.ts'
import {
  checkAtMostAll,
  checkCollisions,
  checkCounts,
  checkIntOrPercent,
  checkSelectorAndTemplate,
  checkSelectorKept,
  isZero,
} from '../../../workload/validation.ts'

export function checkDeployment(
  faults: FieldErrors,
  { spec }: Deployment,
  old: Deployment | undefined,
) {
  const { minReadySeconds = 0, progressDeadlineSeconds } = spec
  checkNonNegative(faults, 'spec.replicas', spec.replicas)
  checkSelectorAndTemplate(faults, spec)
  checkStrategy(faults, 'spec.strategy', spec.strategy ?? {})
  checkNonNegative(faults, 'spec.minReadySeconds', minReadySeconds)
  checkNonNegative(faults, 'spec.revisionHistoryLimit', spec.revisionHistoryLimit)
  if (progressDeadlineSeconds !== undefined) {
    const path = 'spec.progressDeadlineSeconds'
    checkNonNegative(faults, path, progressDeadlineSeconds)
    if (progressDeadlineSeconds <= minReadySeconds) {
      faults.invalid(path, progressDeadlineSeconds, 'must be greater than minReadySeconds')
    }
  }
  if (old) checkSelectorKept(faults, spec.selector, old.spec.selector)
}

function checkStrategy(faults: FieldErrors, at: string, strategy: DeploymentStrategy) {
  const { type, rollingUpdate } = strategy
  const path = `${at}.rollingUpdate`
  if (type === 'Recreate') {
    if (rollingUpdate === undefined) return
    const detail = "may not be specified when strategy `type` is 'Recreate'"
    return faults.forbidden(path, detail)
  }
  if (type !== 'RollingUpdate') {
    const shown = internalForm('DeploymentStrategy', strategy)
    return faults.notSupported(at, shown, ['Recreate', 'RollingUpdate'])
  }
  const { maxUnavailable = 0, maxSurge = 0 } = rollingUpdate ?? {}
  checkIntOrPercent(faults, `${path}.maxUnavailable`, maxUnavailable)
  checkIntOrPercent(faults, `${path}.maxSurge`, maxSurge)
  if (isZero(maxUnavailable) && isZero(maxSurge)) {
    const detail = 'may not be 0 when `maxSurge` is 0'
    faults.invalid(`${path}.maxUnavailable`, maxUnavailable, detail)
  }
  checkAtMostAll(faults, `${path}.maxUnavailable`, maxUnavailable)
}

export function checkDeploymentStatus(
  faults: FieldErrors,
  { status }: Deployment,
  old: Deployment | undefined,
) {
  const { observedGeneration, replicas, updatedReplicas, readyReplicas } = status ?? {}
  const { availableReplicas, unavailableReplicas, terminatingReplicas } = status ?? {}
  const { collisionCount } = status ?? {}
  const counts = {
    observedGeneration,
    replicas,
    updatedReplicas,
    readyReplicas,
    availableReplicas,
    unavailableReplicas,
    terminatingReplicas,
    collisionCount,
  }
  checkCounts(faults, counts, ['updatedReplicas', 'readyReplicas', 'availableReplicas'])
  checkCollisions(faults, collisionCount, old?.status?.collisionCount)
}
