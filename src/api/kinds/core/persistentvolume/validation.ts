// What a PersistentVolume must be, and what of it may change (pkg/apis/core/validation,
// pkg/volume/validation).

import { own } from '../../../../lib/own.ts'
import { internalForm, internalText } from '../../../pod/internal-form.ts'
import { unifiedDiff } from '../../../pod/unified-diff.ts'
import type {
  NodeSelectorTerm,
  PersistentVolume,
  PersistentVolumeSpec,
  VolumeNodeAffinity,
} from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { checkImmutable, IMMUTABLE, sameValue } from '../../../validation/values.ts'
import { checkVolumeSpec } from '../../../volume/volume-spec.ts'

export const MOUNT_OPTIONS = 'volume.beta.kubernetes.io/mount-options'

export function checkVolume(
  faults: FieldErrors,
  volume: PersistentVolume,
  old: PersistentVolume | undefined,
) {
  const name = volume.metadata.name ?? ''
  checkVolumeSpec(faults, 'spec', volume.spec, name)
  checkMountOptions(faults, volume)
  if (!old) return
  // Upstream judges the whole of a change twice.
  checkVolumeSpec(faults, 'spec', volume.spec, name)
  checkSourceKept(faults, volume.spec, old.spec)
  checkImmutable(faults, 'volumeMode', volume.spec.volumeMode, old.spec.volumeMode)
  checkAffinityKept(faults, volume.spec.nodeAffinity, old.spec.nodeAffinity)
  const [now, before] = [volume, old].map(({ spec }) => spec.volumeAttributesClassName)
  if (before !== undefined && now === undefined) {
    const detail = 'update from non-nil value to nil is forbidden'
    faults.forbidden('spec.volumeAttributesClassName', detail)
  }
}

/** Sources that are mounted with options. */
const MOUNTED = [
  ...(['gcePersistentDisk', 'awsElasticBlockStore', 'glusterfs', 'nfs', 'rbd'] as const),
  ...(['quobyte', 'iscsi', 'cinder', 'cephfs', 'azureFile', 'vsphereVolume'] as const),
  ...(['azureDisk', 'photonPersistentDisk'] as const),
]

function checkMountOptions(faults: FieldErrors, { metadata, spec }: PersistentVolume) {
  if (own(metadata.annotations, MOUNT_OPTIONS) === undefined) return
  if (MOUNTED.some((source) => spec[source] !== undefined)) return
  const detail = 'may not specify mount options for this volume type'
  faults.forbidden(`metadata.annotations.${MOUNT_OPTIONS}`, detail)
}

function checkSourceKept(
  faults: FieldErrors,
  spec: PersistentVolumeSpec,
  old: PersistentVolumeSpec,
) {
  const [now, before] = [sourceText(withoutNewSecret(spec, old)), sourceText(old)]
  if (now === before) return
  const detail = 'spec.persistentvolumesource is immutable after creation'
  faults.forbidden('spec.persistentvolumesource', `${detail}\n${unifiedDiff(before, now)}`)
}

/** The secret for growing a volume may be named later. */
function withoutNewSecret(spec: PersistentVolumeSpec, old: PersistentVolumeSpec) {
  if (!spec.csi || !old.csi || old.csi.controllerExpandSecretRef) return spec
  const { controllerExpandSecretRef: _new, ...csi } = spec.csi
  return { ...spec, csi }
}

function sourceText(spec: PersistentVolumeSpec): string {
  return internalText(internalForm('PersistentVolumeSource', spec))
}

/** Old names of labels, and those that may take their place. */
const NEW_LABELS = new Map([
  ['beta.kubernetes.io/arch', 'kubernetes.io/arch'],
  ['beta.kubernetes.io/os', 'kubernetes.io/os'],
  ['failure-domain.beta.kubernetes.io/zone', 'topology.kubernetes.io/zone'],
  ['failure-domain.beta.kubernetes.io/region', 'topology.kubernetes.io/region'],
  ['beta.kubernetes.io/instance-type', 'node.kubernetes.io/instance-type'],
])

function checkAffinityKept(
  faults: FieldErrors,
  affinity: VolumeNodeAffinity | undefined,
  old: VolumeNodeAffinity | undefined,
) {
  if (old === undefined || sameValue(affinity, renamed(old, affinity))) return
  const shown = affinity === undefined ? null : internalForm('VolumeNodeAffinity', affinity)
  const detail = `${IMMUTABLE}, except for updating from beta label to GA`
  faults.invalid('nodeAffinity', shown, detail)
}

/** `old`, with the new names of labels where `affinity` has them. */
function renamed(old: VolumeNodeAffinity, affinity: VolumeNodeAffinity | undefined) {
  if (!old.required) return old
  const now = affinity?.required?.nodeSelectorTerms ?? []
  const terms = (old.required.nodeSelectorTerms ?? []).map((term, index) => ({
    ...term,
    ...renamedIn('matchExpressions', term, now[index]),
    ...renamedIn('matchFields', term, now[index]),
  }))
  return { ...old, required: { ...old.required, nodeSelectorTerms: terms } }
}

function renamedIn(
  list: 'matchExpressions' | 'matchFields',
  term: NodeSelectorTerm,
  now: NodeSelectorTerm | undefined,
) {
  const requirements = term[list]?.map((requirement, index) => {
    const key = now?.[list]?.[index]?.key
    return NEW_LABELS.get(requirement.key) === key && key ? { ...requirement, key } : requirement
  })
  return requirements && { [list]: requirements }
}
