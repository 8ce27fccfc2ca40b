// Claims and volumes that belong together: who says so, and which volume a claim may get
// (component-helpers/storage/volume).

import { own } from '../../lib/own.ts'
import { compareQuantity, parseQuantity } from '../quantity.ts'
import type {
  ObjectReference,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  Volume,
} from '../schema/generated/types.ts'
import { matchesLabels } from '../validation/labels.ts'
import { className } from './class.ts'

/** On a claim: its volume is its own for good. */
export const BIND_COMPLETED = 'pv.kubernetes.io/bind-completed'
/** On either: the binding was not the user's wish, and may be taken back. */
export const BOUND_BY_CONTROLLER = 'pv.kubernetes.io/bound-by-controller'
/** On a claim: the node on which its first pod will run. */
export const SELECTED_NODE = 'volume.kubernetes.io/selected-node'
/** On a volume: who made it. */
export const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by'
/** On a claim: who is to make its volume. */
export const PROVISIONER = 'volume.kubernetes.io/storage-provisioner'
export const OLD_PROVISIONER = 'volume.beta.kubernetes.io/storage-provisioner'
/** The provisioner of classes whose volumes nobody makes. */
export const NO_PROVISIONER = 'kubernetes.io/no-provisioner'

export function hasAnnotation(object: { metadata: PersistentVolume['metadata'] }, key: string) {
  return own(object.metadata.annotations, key) !== undefined
}

/** The claim that `volume` is for; a reference without a uid is for whoever has that name. */
export function isVolumeFor(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const { claimRef } = volume.spec
  if (claimRef === undefined) return false
  const { name, namespace, uid } = claim.metadata
  if (claimRef.name !== name || claimRef.namespace !== namespace) return false
  return !claimRef.uid || claimRef.uid === uid
}

/** `volume` as it is when it is bound to `claim`. */
export function boundVolume(
  volume: PersistentVolume,
  claim: PersistentVolumeClaim,
): PersistentVolume {
  const { claimRef } = volume.spec
  const { name, namespace, uid } = claim.metadata
  const isSame =
    claimRef?.name === name && claimRef?.namespace === namespace && claimRef?.uid === uid
  const bound = structuredClone(volume)
  if (!isSame) bound.spec.claimRef = referenceTo(claim)
  if (!isVolumeFor(volume, claim) && !hasAnnotation(volume, BOUND_BY_CONTROLLER)) {
    bound.metadata.annotations = { ...bound.metadata.annotations, [BOUND_BY_CONTROLLER]: 'yes' }
  }
  return bound
}

export function referenceTo({ metadata }: PersistentVolumeClaim): ObjectReference {
  const { namespace, name, uid, resourceVersion } = metadata
  return {
    kind: 'PersistentVolumeClaim',
    apiVersion: 'v1',
    ...(namespace !== undefined && { namespace }),
    ...(name !== undefined && { name }),
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
  }
}

export type Match = {
  /** False for volumes that the node cannot reach; without it no node is meant. */
  readonly fitsNode?: (volume: PersistentVolume) => boolean
  /** Names of volumes that are spoken for. */
  readonly taken?: ReadonlySet<string>
  /** Only a volume that was made for this claim: the others wait for the first pod. */
  readonly isDelayed?: boolean
}

/** The smallest of `volumes` that will do, or the one that is for this claim already. */
export function findVolume(
  claim: PersistentVolumeClaim,
  volumes: readonly PersistentVolume[],
  { fitsNode, taken, isDelayed = false }: Match = {},
): PersistentVolume | undefined {
  let best: PersistentVolume | undefined
  for (const volume of volumes) {
    if (taken?.has(volume.metadata.name ?? '')) continue
    if (!mayHold(volume, claim)) continue
    const fits = fitsNode?.(volume) ?? true
    if (isVolumeFor(volume, claim)) return fits ? volume : undefined
    if (volume.spec.claimRef !== undefined || (isDelayed && fitsNode === undefined)) continue
    if (!fits || !isFree(volume, claim)) continue
    if (best === undefined || compareQuantity(sizeOf(volume), sizeOf(best)) < 0) best = volume
  }
  return best
}

/** Large enough, of the same mode and attributes, and here to stay. */
function mayHold(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  if (compareQuantity(sizeOf(volume), requestOf(claim)) < 0) return false
  if (!hasSameMode(volume, claim) || !hasSameAttributes(volume, claim)) return false
  return volume.metadata.deletionTimestamp === undefined
}

function isFree(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  if (volume.status?.phase !== 'Available') return false
  const { selector } = claim.spec
  if (selector && !matchesLabels(selector, volume.metadata.labels ?? {})) return false
  return className(volume) === className(claim) && hasModesOf(volume, claim)
}

export function hasSameMode({ spec }: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  return (spec.volumeMode ?? 'Filesystem') === (claim.spec.volumeMode ?? 'Filesystem')
}

export function hasSameAttributes({ spec }: PersistentVolume, claim: PersistentVolumeClaim) {
  return (spec.volumeAttributesClassName ?? '') === (claim.spec.volumeAttributesClassName ?? '')
}

export function hasModesOf({ spec }: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  return (claim.spec.accessModes ?? []).every((mode) => spec.accessModes?.includes(mode))
}

export function sizeOf({ spec }: PersistentVolume) {
  return parseQuantity(own(spec.capacity, 'storage') ?? '0')
}

export function requestOf({ spec }: PersistentVolumeClaim) {
  return parseQuantity(own(spec.resources?.requests, 'storage') ?? '0')
}

/** The claim behind a volume of a pod: named, or made for it. */
export function claimNameOf(podName: string, volume: Volume): string | undefined {
  if (volume.persistentVolumeClaim) return volume.persistentVolumeClaim.claimName
  return volume.ephemeral && `${podName}-${volume.name}`
}

/** Whether `claim` was made for `pod`, which brings it along. */
export function isEphemeralFor({ metadata }: PersistentVolumeClaim, pod: Pod): boolean {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller)
  return metadata.namespace === pod.metadata.namespace && owner?.uid === pod.metadata.uid
}

/** As messages put it when it was not. */
export function notEphemeralFor({ metadata }: PersistentVolumeClaim, pod: Pod): string {
  const claim = `${metadata.namespace}/${metadata.name}`
  const owner = `${pod.metadata.namespace}/${pod.metadata.name}`
  return `PVC ${claim} was not created for pod ${owner} (pod is not owner)`
}
