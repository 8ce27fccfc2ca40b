// What a pod must be, and what may change in it through its own path.

import { own } from '../../../../lib/own.ts'
import { rangeFaults } from '../../../names.ts'
import { checkPodAnnotations, checkPodAnnotationsUpdate } from '../../../pod/annotations.ts'
import { internalForm, internalPodSpec, internalText } from '../../../pod/internal-form.ts'
import { checkProfilesMatch } from '../../../pod/profiles.ts'
import { checkImageSpaces } from '../../../pod/spec/containers.ts'
import { checkTolerations } from '../../../pod/spec/scheduling.ts'
import { checkPodSpec } from '../../../pod/spec/spec.ts'
import { unifiedDiff } from '../../../pod/unified-diff.ts'
import type { Container, NodeSelectorTerm, Pod, PodSpec } from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { sameValue } from '../../../validation/values.ts'

const INT32_MAX = 2_147_483_647

export function checkPod(faults: FieldErrors, pod: Pod, old: Pod | undefined) {
  checkWhole(faults, pod)
  if (old === undefined) checkNew(faults, pod)
  else {
    checkPodAnnotationsUpdate(faults, 'metadata.annotations', pod, old)
    checkSpecUpdate(faults, pod.spec, old.spec)
  }
}

/** What holds for a pod whenever it is written, through whatever path. */
export function checkWhole(faults: FieldErrors, pod: Pod) {
  const { metadata, spec } = pod
  checkPodAnnotations(faults, 'metadata.annotations', metadata.annotations, spec)
  checkPodSpec(faults, 'spec', spec, metadata)
  if (!spec.serviceAccountName) {
    for (const [index, { projected }] of (spec.volumes ?? []).entries()) {
      for (const [sourceIndex, source] of (projected?.sources ?? []).entries()) {
        if (source.serviceAccountToken === undefined) continue
        const path = `spec.volumes[${index}].projected.sources[${sourceIndex}].serviceAccountToken`
        faults.forbidden(path, 'must not be specified when serviceAccountName is not set')
      }
    }
  }
  for (const kind of ['containers', 'initContainers'] as const) {
    for (const [index, container] of (spec[kind] ?? []).entries()) {
      checkImageSpaces(faults, `spec.${kind}[${index}]`, container)
    }
  }
}

function checkNew(faults: FieldErrors, { spec, metadata }: Pod) {
  if ((spec.ephemeralContainers ?? []).length > 0) {
    faults.forbidden('spec.ephemeralContainers', 'cannot be set on create')
  }
  if (spec.nodeName && (spec.schedulingGates ?? []).length > 0) {
    faults.forbidden('spec.nodeName', 'cannot be set until all schedulingGates have been cleared')
  }
  checkProfilesMatch(faults, 'spec', spec, metadata.annotations)
}

const UPDATABLE = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
].join(',')

function checkSpecUpdate(faults: FieldErrors, spec: PodSpec, old: PodSpec) {
  for (const kind of ['containers', 'initContainers'] as const) {
    if (!checkImages(faults, `spec.${kind}`, spec[kind] ?? [], old[kind] ?? [])) return
  }
  if (!checkDeadline(faults, spec, old)) return
  checkTolerationsUpdate(faults, spec, old)
  checkGatesUpdate(faults, spec, old)
  if (sameValue(spec, old)) return
  const masked = maskUpdatable(faults, spec, old)
  const [before, after] = [internalPodSpec(old), internalPodSpec(masked)]
  if (Bun.deepEquals(before, after)) return
  const diff = unifiedDiff(internalText(before), internalText(after))
  const start = 'pod updates may not change fields other than'
  faults.forbidden('spec', `${start} ${UPDATABLE}\n${diff}`)
}

/** False when nothing more can be said, because the containers are others. */
function checkImages(
  faults: FieldErrors,
  at: string,
  containers: readonly Container[],
  old: readonly Container[],
): boolean {
  if (containers.length !== old.length) {
    faults.forbidden(at, 'pod updates may not add or remove containers')
    return false
  }
  for (const [index, container] of containers.entries()) {
    if (!container.image) faults.required(`${at}[${index}].image`)
    checkImageSpaces(faults, `${at}[${index}]`, container)
  }
  return true
}

function checkDeadline(faults: FieldErrors, spec: PodSpec, old: PodSpec): boolean {
  const [seconds, before] = [spec.activeDeadlineSeconds, old.activeDeadlineSeconds]
  const path = 'spec.activeDeadlineSeconds'
  if (seconds === undefined) {
    if (before !== undefined) {
      faults.invalid(path, null, 'must not update from a positive integer to nil value')
    }
    return true
  }
  const details = rangeFaults(seconds, 0, INT32_MAX)
  faults.invalidAll(path, seconds, details)
  if (details.length > 0) return false
  if (before === undefined || seconds <= before) return true
  faults.invalid(path, seconds, 'must be less than or equal to previous value')
  return false
}

function checkTolerationsUpdate(faults: FieldErrors, spec: PodSpec, old: PodSpec) {
  const tolerations = spec.tolerations ?? []
  for (const before of old.tolerations ?? []) {
    const { tolerationSeconds: _seconds, ...wanted } = before
    const isKept = tolerations.some(({ tolerationSeconds: _own, ...rest }) =>
      Bun.deepEquals(rest, wanted),
    )
    if (isKept) continue
    const detail = 'existing toleration can not be modified except its tolerationSeconds'
    return faults.forbidden('spec.tolerations', detail)
  }
  checkTolerations(faults, 'spec.tolerations', tolerations)
}

function checkGatesUpdate(faults: FieldErrors, spec: PodSpec, old: PodSpec) {
  const before = new Set((old.schedulingGates ?? []).map((gate) => gate.name))
  for (const [index, { name }] of (spec.schedulingGates ?? []).entries()) {
    if (before.has(name)) continue
    const detail = `only deletion is allowed, but found new scheduling gate '${name}'`
    faults.forbidden(`spec.schedulingGates[${index}].name`, detail)
  }
}

/** The new spec with everything that may change as it was; what still differs may not. */
function maskUpdatable(faults: FieldErrors, spec: PodSpec, old: PodSpec): PodSpec {
  const masked: PodSpec = { ...spec, containers: withImagesOf(spec.containers, old.containers) }
  if (spec.initContainers) {
    masked.initContainers = withImagesOf(spec.initContainers, old.initContainers ?? [])
  }
  take(masked, old, 'activeDeadlineSeconds')
  take(masked, old, 'schedulingGates')
  take(masked, old, 'tolerations')
  const wasNegative = (old.terminationGracePeriodSeconds ?? 0) < 0
  if (wasNegative && spec.terminationGracePeriodSeconds === 1) {
    take(masked, old, 'terminationGracePeriodSeconds')
  }
  if ((old.schedulingGates ?? []).length > 0) maskGated(faults, masked, old)
  return masked
}

function withImagesOf(containers: readonly Container[], old: readonly Container[]): Container[] {
  return containers.map((container, index) => {
    const image = old[index]?.image
    return image === undefined ? container : { ...container, image }
  })
}

/** While a pod is held back, its node selection may be narrowed. */
function maskGated(faults: FieldErrors, masked: PodSpec, old: PodSpec) {
  if (!sameValue(masked.nodeSelector, old.nodeSelector)) {
    const before = Object.entries(old.nodeSelector ?? {})
    if (before.some(([key, value]) => own(masked.nodeSelector, key) !== value)) {
      const detail = 'only additions to spec.nodeSelector are allowed (no mutations or deletions)'
      faults.invalid('spec.nodeSelector', masked.nodeSelector ?? null, detail)
    }
    take(masked, old, 'nodeSelector')
  }
  const [now, before] = [masked.affinity?.nodeAffinity, old.affinity?.nodeAffinity]
  if (sameValue(now, before)) return
  checkNarrowed(faults, termsOf(now), termsOf(before))
  const { nodeAffinity: _now, ...rest } = masked.affinity ?? {}
  const affinity = before === undefined ? rest : { ...rest, nodeAffinity: before }
  if (Object.keys(affinity).length === 0 && old.affinity === undefined) delete masked.affinity
  else masked.affinity = affinity
}

type NodeAffinity = NonNullable<NonNullable<PodSpec['affinity']>['nodeAffinity']>

function termsOf(affinity: NodeAffinity | undefined): readonly NodeSelectorTerm[] {
  return affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []
}

const TERMS =
  'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms'

function checkNarrowed(
  faults: FieldErrors,
  terms: readonly NodeSelectorTerm[],
  old: readonly NodeSelectorTerm[],
) {
  const shown = (term: NodeSelectorTerm) => internalForm('NodeSelectorTerm', term)
  if (old.length > 0 && old.length !== terms.length) {
    const detail = 'no additions/deletions to non-empty NodeSelectorTerms list are allowed'
    return faults.invalid(TERMS, terms.length === 0 ? null : terms.map(shown), detail)
  }
  for (const [index, before] of old.entries()) {
    if (onlyAdds(terms[index]!, before)) continue
    const detail = 'only additions are allowed (no mutations or deletions)'
    faults.invalid(`${TERMS}[${index}]`, shown(terms[index]!), detail)
  }
}

function onlyAdds(term: NodeSelectorTerm, old: NodeSelectorTerm): boolean {
  const lists = (['matchExpressions', 'matchFields'] as const).map(
    (field) => [term[field] ?? [], old[field] ?? []] as const,
  )
  const wasEmpty = lists.every(([, before]) => before.length === 0)
  if (wasEmpty) return lists.every(([now]) => now.length === 0)
  return lists.every(([now, before]) => Bun.deepEquals(now.slice(0, before.length), before))
}

function take<Field extends keyof PodSpec>(target: PodSpec, from: PodSpec, field: Field) {
  if (from[field] === undefined) delete target[field]
  else target[field] = from[field]
}
