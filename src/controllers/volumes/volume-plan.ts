// What becomes of one volume (upstream's pv_controller: syncVolume). Pure.

import type { PersistentVolume, PersistentVolumeClaim } from '../../api/schema/generated/types.ts'
import {
  BOUND_BY_CONTROLLER,
  hasAnnotation,
  hasSameMode,
  PROVISIONED_BY,
} from '../../api/volume/binding.ts'
import { own } from '../../lib/own.ts'

export type VolumePhase = 'Available' | 'Bound' | 'Failed' | 'Released'

export type VolumePlan =
  | { do: 'phase'; phase: VolumePhase; fault?: { reason: string; message: string } }
  /** Its claim has another volume by now. */
  | { do: 'unbind' }
  /** The two do not fit; both are told. */
  | { do: 'mismatch' }
  | { do: 'nothing' }

/** `claim` is the one that the volume refers to, with its uid; undefined when that is gone. */
export function planVolume(
  volume: PersistentVolume,
  claim: PersistentVolumeClaim | undefined,
): VolumePlan {
  if (!volume.spec.claimRef?.uid) return { do: 'phase', phase: 'Available' }
  if (claim === undefined) return planReclaim(volume)
  const { volumeName } = claim.spec
  if (!volumeName) return hasSameMode(volume, claim) ? { do: 'nothing' } : { do: 'mismatch' }
  if (volumeName === volume.metadata.name) return { do: 'phase', phase: 'Bound' }
  const isMade = hasAnnotation(volume, PROVISIONED_BY)
  const isDeleted = volume.spec.persistentVolumeReclaimPolicy === 'Delete'
  return isMade && isDeleted ? planReclaim(volume) : { do: 'unbind' }
}

function planReclaim(volume: PersistentVolume): VolumePlan {
  const { spec, status, metadata } = volume
  const isDone = status?.phase === 'Released' || status?.phase === 'Failed'
  if (!isDone) return { do: 'phase', phase: 'Released' }
  const fail = (reason: string, message: string): VolumePlan => {
    return { do: 'phase', phase: 'Failed', fault: { reason, message } }
  }
  switch (spec.persistentVolumeReclaimPolicy) {
    case 'Retain':
      return { do: 'nothing' }
    case 'Recycle':
      return fail('VolumeFailedRecycle', 'No recycler plugin found for the volume!')
    case 'Delete': {
      const provisioner = own(metadata.annotations, PROVISIONED_BY) ?? ''
      if (provisioner !== '' && !provisioner.startsWith('kubernetes.io/')) return { do: 'nothing' }
      if (spec.csi !== undefined) return { do: 'nothing' }
      const why = 'no deletable volume plugin matched'
      const shown = JSON.stringify(metadata.name)
      const message = `error getting deleter volume plugin for volume ${shown}: ${why}`
      return fail('VolumeFailedDelete', message)
    }
    default: {
      const message = 'Volume has unrecognized PersistentVolumeReclaimPolicy'
      return fail('VolumeUnknownReclaimPolicy', message)
    }
  }
}

/** As it is for the next claim: a wish of the user stays, a binding of ours goes. */
export function unboundVolume(volume: PersistentVolume): PersistentVolume {
  const unbound = structuredClone(volume)
  if (!hasAnnotation(volume, BOUND_BY_CONTROLLER)) {
    if (unbound.spec.claimRef) delete unbound.spec.claimRef.uid
    return unbound
  }
  delete unbound.spec.claimRef
  const { [BOUND_BY_CONTROLLER]: _ours, ...annotations } = unbound.metadata.annotations ?? {}
  if (Object.keys(annotations).length === 0) delete unbound.metadata.annotations
  else unbound.metadata.annotations = annotations
  return unbound
}
