// What ReplicaSets and ReplicationControllers must be.

import { checkKeptTemplate } from '../pod/template.ts'
import type { ReplicaSet, ReplicationController } from '../schema/generated/types.ts'
import type { FieldErrors } from '../validation/field-errors.ts'
import { matchesLabels } from '../validation/labels.ts'
import { checkNonNegative, sameValue } from '../validation/values.ts'
import { checkCounts, checkSelectorAndTemplate, checkSelectorKept } from './validation.ts'

export function checkReplicaSet(
  faults: FieldErrors,
  { spec }: ReplicaSet,
  old: ReplicaSet | undefined,
) {
  checkNonNegative(faults, 'spec.replicas', spec.replicas)
  checkNonNegative(faults, 'spec.minReadySeconds', spec.minReadySeconds)
  checkSelectorAndTemplate(faults, spec)
  if (old) checkSelectorKept(faults, spec.selector, old.spec.selector)
}

const NON_CONVERTIBLE = 'non-convertible.kubernetes.io/'

export function checkController(
  faults: FieldErrors,
  { spec }: ReplicationController,
  old: ReplicationController | undefined,
) {
  const { selector = {}, template } = spec
  checkNonNegative(faults, 'spec.minReadySeconds', spec.minReadySeconds)
  if (Object.keys(selector).length === 0) faults.required('spec.selector')
  checkNonNegative(faults, 'spec.replicas', spec.replicas)
  if (template === undefined) faults.required('spec.template')
  else {
    const labels = template.metadata?.labels
    if (!matchesLabels({ matchLabels: selector }, labels)) {
      const detail = '`selector` does not match template `labels`'
      faults.invalid('spec.template.metadata.labels', labels ?? null, detail)
    }
    checkKeptTemplate(faults, 'spec.template', template, 'ReplicationController')
  }
  for (const key of Object.keys(old?.metadata.annotations ?? {})) {
    if (!key.startsWith(NON_CONVERTIBLE) || !key.includes('selector')) continue
    if (sameValue(selector, old?.spec.selector)) continue
    faults.invalid('spec.selector', selector, 'cannot update non-convertible selector')
  }
}

export function checkReplicaSetStatus(
  faults: FieldErrors,
  { status }: ReplicaSet | ReplicationController,
) {
  const { replicas, fullyLabeledReplicas, readyReplicas, availableReplicas } = status ?? {}
  const { observedGeneration } = status ?? {}
  const terminating = (status as ReplicaSet['status'])?.terminatingReplicas
  const counts = {
    replicas,
    fullyLabeledReplicas,
    readyReplicas,
    availableReplicas,
    observedGeneration,
    terminatingReplicas: terminating,
  }
  checkCounts(faults, counts, ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'])
}
