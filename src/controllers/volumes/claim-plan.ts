// What becomes of one claim (upstream's pv_controller: syncClaim). Pure.

import { compareQuantity } from '../../api/quantity.ts'
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  PersistentVolumeClaimStatus,
  StorageClass,
} from '../../api/schema/generated/types.ts'
import {
  BIND_COMPLETED,
  BOUND_BY_CONTROLLER,
  findVolume,
  hasAnnotation,
  hasModesOf,
  hasSameAttributes,
  hasSameMode,
  isVolumeFor,
  requestOf,
  SELECTED_NODE,
  sizeOf,
} from '../../api/volume/binding.ts'
import { CLASS_ANNOTATION, className } from '../../api/volume/class.ts'

export type Note = { type: 'Normal' | 'Warning'; reason: string; message: string }

export type ClaimPlan =
  | { do: 'bind'; volume: PersistentVolume }
  /** `note` only when the phase is new. */
  | { do: 'lose'; note: Note }
  | { do: 'wait'; note?: Note; isWrong?: boolean }
  /** The default class has come since the claim was made. */
  | { do: 'name-class'; name: string }
  | { do: 'provision'; provisioner: string; note: Note }

/** What a plan is made from. */
export type ClaimView = {
  readonly volume: (name: string) => PersistentVolume | undefined
  /** Volumes that may do: those of the class, and those that are for this claim. */
  readonly candidates: readonly PersistentVolume[]
  readonly storageClass: (name: string) => StorageClass | undefined
  readonly defaultClass: StorageClass | undefined
  /** Names of pods that mount it and have no node. */
  readonly waitingPods: readonly string[]
}

export function planClaim(claim: PersistentVolumeClaim, view: ClaimView): ClaimPlan {
  if (hasAnnotation(claim, BIND_COMPLETED)) return planBound(claim, view)
  const { volumeName } = claim.spec
  return volumeName ? planNamed(claim, view, volumeName) : planUnbound(claim, view)
}

function planBound(claim: PersistentVolumeClaim, view: ClaimView): ClaimPlan {
  const { volumeName } = claim.spec
  const lose = (reason: string, message: string): ClaimPlan => {
    return { do: 'lose', note: { type: 'Warning', reason, message } }
  }
  const end = 'Data on the volume is lost!'
  if (!volumeName) {
    return lose('ClaimLost', `Bound claim has lost reference to PersistentVolume. ${end}`)
  }
  const volume = view.volume(volumeName)
  if (volume === undefined) {
    return lose('ClaimLost', `Bound claim has lost its PersistentVolume. ${end}`)
  }
  const owner = volume.spec.claimRef
  if (owner === undefined || owner.uid === claim.metadata.uid) return { do: 'bind', volume }
  const why = 'Two claims are bound to the same volume, this one is bound incorrectly'
  return lose('ClaimMisbound', why)
}

/** The user, or an earlier pass, has chosen the volume. */
function planNamed(claim: PersistentVolumeClaim, view: ClaimView, volumeName: string): ClaimPlan {
  const volume = view.volume(volumeName)
  if (volume === undefined) return { do: 'wait' }
  const shown = JSON.stringify(volumeName)
  if (volume.spec.claimRef === undefined) {
    const fault = faultOf(volume, claim)
    if (fault === undefined) return { do: 'bind', volume }
    const message = `Cannot bind to requested volume ${shown}: ${fault}`
    return { do: 'wait', note: { type: 'Warning', reason: 'VolumeMismatch', message } }
  }
  if (isVolumeFor(volume, claim)) return { do: 'bind', volume }
  const message = `volume ${shown} already bound to a different claim.`
  const note: Note = { type: 'Warning', reason: 'FailedBinding', message }
  return { do: 'wait', note, isWrong: hasAnnotation(claim, BOUND_BY_CONTROLLER) }
}

function faultOf(volume: PersistentVolume, claim: PersistentVolumeClaim): string | undefined {
  if (volume.metadata.deletionTimestamp !== undefined) {
    return `the volume is marked for deletion ${JSON.stringify(volume.metadata.name)}`
  }
  if (compareQuantity(sizeOf(volume), requestOf(claim)) < 0) return 'requested PV is too small'
  if (className(volume) !== className(claim)) return 'storageClassName does not match'
  if (!hasSameAttributes(volume, claim)) return 'volumeAttributesClassName does not match'
  if (!hasSameMode(volume, claim)) return 'incompatible volumeMode'
  return hasModesOf(volume, claim) ? undefined : 'incompatible accessMode'
}

function planUnbound(claim: PersistentVolumeClaim, view: ClaimView): ClaimPlan {
  const name = className(claim)
  const storageClass = name === '' ? undefined : view.storageClass(name)
  const isDelayed = storageClass?.volumeBindingMode === 'WaitForFirstConsumer'
  const volume = closestVolume(claim, view.candidates, isDelayed)
  if (volume !== undefined) return { do: 'bind', volume }
  const isOpen =
    claim.spec.storageClassName === undefined && !hasAnnotation(claim, CLASS_ANNOTATION)
  const chosen = view.defaultClass?.metadata.name
  if (isOpen && chosen !== undefined) return { do: 'name-class', name: chosen }
  if (isDelayed && !hasAnnotation(claim, SELECTED_NODE)) {
    return { do: 'wait', note: waitingNote(view.waitingPods) }
  }
  if (name !== '') return planProvision(name, storageClass)
  const message = 'no persistent volumes available for this claim and no storage class is set'
  return { do: 'wait', note: { type: 'Normal', reason: 'FailedBinding', message } }
}

/** Of the volumes with the fewest access modes that the claim needs, the smallest. */
function closestVolume(
  claim: PersistentVolumeClaim,
  candidates: readonly PersistentVolume[],
  isDelayed: boolean,
): PersistentVolume | undefined {
  const byModeCount = new Map<number, PersistentVolume[]>()
  for (const volume of candidates) {
    if (!hasModesOf(volume, claim)) continue
    const count = new Set(volume.spec.accessModes).size
    byModeCount.set(count, [...(byModeCount.get(count) ?? []), volume])
  }
  for (const [, volumes] of [...byModeCount].sort(([a], [b]) => a - b)) {
    const found = findVolume(claim, volumes, { isDelayed })
    if (found !== undefined) return found
  }
  return undefined
}

function waitingNote(waitingPods: readonly string[]): Note {
  if (waitingPods.length === 0) {
    const message = 'waiting for first consumer to be created before binding'
    return { type: 'Normal', reason: 'WaitForFirstConsumer', message }
  }
  const what = waitingPods.length === 1 ? 'pod' : 'pods'
  const message = `waiting for ${what} ${waitingPods.join(',')} to be scheduled`
  return { type: 'Normal', reason: 'WaitForPodScheduled', message }
}

function planProvision(name: string, storageClass: StorageClass | undefined): ClaimPlan {
  const failed = (message: string): ClaimPlan => {
    return { do: 'wait', note: { type: 'Warning', reason: 'ProvisioningFailed', message } }
  }
  if (storageClass === undefined) {
    return failed(`storageclass.storage.k8s.io ${JSON.stringify(name)} not found`)
  }
  const { provisioner } = storageClass
  if (provisioner.startsWith('kubernetes.io/')) {
    return failed(`no volume plugin matched name: ${provisioner}`)
  }
  const message =
    `Waiting for a volume to be created either by the external provisioner '${provisioner}' or` +
    ' manually by the system administrator. If volume creation is delayed, please verify that' +
    ' the provisioner is running and correctly registered.'
  const note: Note = { type: 'Normal', reason: 'ExternalProvisioning', message }
  return { do: 'provision', provisioner, note }
}

/** The status of a claim in `phase`, with what it has of its volume. */
export function claimStatus(
  { status = {} }: PersistentVolumeClaim,
  phase: 'Bound' | 'Lost' | 'Pending',
  volume: PersistentVolume | undefined,
): PersistentVolumeClaimStatus {
  const next: PersistentVolumeClaimStatus = { ...status, phase }
  if (volume === undefined) {
    delete next.accessModes
    delete next.capacity
    delete next.currentVolumeAttributesClassName
    return next
  }
  const { accessModes, capacity, volumeAttributesClassName } = volume.spec
  if (accessModes !== undefined) next.accessModes = accessModes
  if (status.phase === phase) return next
  if (capacity !== undefined) next.capacity = capacity
  if (status.phase === 'Pending' && phase === 'Bound') {
    if (volumeAttributesClassName === undefined) delete next.currentVolumeAttributesClassName
    else next.currentVolumeAttributesClassName = volumeAttributesClassName
  }
  return next
}
