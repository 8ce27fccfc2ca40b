// Writes to a pod through its sub-resources: what each keeps, and what it may change.

import { checkPodAnnotationsUpdate, MIRROR } from '../../../pod/annotations.ts'
import { internalForm, internalText } from '../../../pod/internal-form.ts'
import { dropDisabledFields } from '../../../pod/strategy.ts'
import { unifiedDiff } from '../../../pod/unified-diff.ts'
import type {
  Container,
  EphemeralContainer,
  Pod,
  PodStatus,
} from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { sameValue } from '../../../validation/values.ts'
import { checkWhole } from './validation.ts'

/** Status, labels and annotations; owners stay, because old kubelets sent broken ones. */
export function mergeStatus(sent: Pod, stored: Pod): Pod {
  const { ownerReferences: _owners, deletionTimestamp: _time, ...metadata } = sent.metadata
  const { ownerReferences } = stored.metadata
  return {
    ...sent,
    metadata: ownerReferences === undefined ? metadata : { ...metadata, ownerReferences },
    spec: stored.spec,
    status: keepFromStatus(sent.status ?? {}, stored.status ?? {}),
  }
}

function keepFromStatus(status: PodStatus, old: PodStatus): PodStatus {
  const kept: PodStatus = { ...status }
  const qosClass = status.qosClass || old.qosClass
  const observedGeneration = status.observedGeneration || old.observedGeneration
  if (qosClass) kept.qosClass = qosClass
  if (observedGeneration) kept.observedGeneration = observedGeneration
  const before = [...(old.conditions ?? [])]
  if (status.conditions) {
    kept.conditions = status.conditions.map((condition) => {
      const index = before.findIndex(({ type }) => type === condition.type)
      const [same] = index < 0 ? [] : before.splice(index, 1)
      const generation = condition.observedGeneration || same?.observedGeneration
      return generation ? { ...condition, observedGeneration: generation } : condition
    })
  }
  return kept
}

export function mergeEphemeral(sent: Pod, stored: Pod): Pod {
  const { ephemeralContainers: _old, ...spec } = stored.spec
  const { ephemeralContainers } = sent.spec
  const merged = ephemeralContainers === undefined ? spec : { ...spec, ephemeralContainers }
  dropDisabledFields(merged)
  return { ...stored, spec: merged }
}

export function checkEphemeral(faults: FieldErrors, pod: Pod, old: Pod | undefined) {
  if (old === undefined) return
  if (old.metadata.annotations?.[MIRROR] !== undefined) {
    return faults.forbidden('', 'static pods do not support ephemeral containers')
  }
  checkWhole(faults, pod)
  checkPodAnnotationsUpdate(faults, 'metadata.annotations', pod, old)
  const at = 'spec.ephemeralContainers'
  const shown = (container: EphemeralContainer) =>
    internalText(internalForm('EphemeralContainer', container))
  for (const before of old.spec.ephemeralContainers ?? []) {
    const name = `existing ephemeral containers "${before.name}"`
    const now = (pod.spec.ephemeralContainers ?? []).findLast((each) => each.name === before.name)
    if (now === undefined) faults.forbidden(at, `${name} may not be removed\n`)
    else if (!sameValue(now, before)) {
      const diff = unifiedDiff(shown(before), shown(now))
      faults.forbidden(at, `${name} may not be changed\n${diff}`)
    }
  }
}

/** Resources and resize policies; containers that are others are left for the rules to refuse. */
export function mergeResize(sent: Pod, stored: Pod): Pod {
  const [now, before] = [sent.spec, stored.spec]
  const [inits, oldInits] = [now.initContainers ?? [], before.initContainers ?? []]
  const isSame =
    now.containers.length === before.containers.length && inits.length === oldInits.length
  if (!isSame) return { ...stored, spec: now }
  const { resources: _old, ...spec } = before
  const merged = {
    ...spec,
    containers: withResources(now.containers, before.containers),
    ...(oldInits.length === 0 ? {} : { initContainers: withResources(inits, oldInits) }),
    ...(now.resources === undefined ? {} : { resources: now.resources }),
  }
  dropDisabledFields(merged)
  return { ...stored, spec: merged }
}

function withResources(sent: readonly Container[], stored: readonly Container[]): Container[] {
  const isRenamed = sent.some((container, index) => container.name !== stored[index]!.name)
  if (isRenamed) return [...sent]
  return stored.map((container, index) => {
    const { resources: _resources, resizePolicy: _policy, ...rest } = container
    const { resources, resizePolicy } = sent[index]!
    return {
      ...rest,
      ...(resources === undefined ? {} : { resources }),
      ...(resizePolicy === undefined ? {} : { resizePolicy }),
    }
  })
}
