// Keeps the phase of volumes, and says what becomes of them after their claims (upstream's
// persistentvolume-controller, its volumes).

import { persistentVolumes } from '../../api/kinds/core/persistentvolume/row.ts'
import { persistentVolumeClaims } from '../../api/kinds/core/persistentvolumeclaim/row.ts'
import type { PersistentVolume, PersistentVolumeClaim } from '../../api/schema/generated/types.ts'
import { isNotFound } from '../../api/status.ts'
import { defineController, type Kit, watching } from '../../kit/controller.ts'
import { claimKeyOf, VOLUMES_BY_CLAIM, volumesByClaim } from './claims.ts'
import { planVolume, unboundVolume, type VolumePhase } from './volume-plan.ts'

export const volumeBindingController = defineController<PersistentVolume>({
  name: 'persistentvolume-controller',
  account: 'persistent-volume-binder',
  reconciles: persistentVolumes,
  indexes: [volumesByClaim],
  watches: [
    watching(persistentVolumeClaims, ({ metadata, spec }, list) => {
      const key = `${metadata.namespace}/${metadata.name}`
      const referring = list(persistentVolumes).by(VOLUMES_BY_CLAIM, key)
      const names = referring.map((volume) => volume.metadata.name ?? '')
      return spec.volumeName ? [...new Set([...names, spec.volumeName])] : names
    }),
  ],

  async reconcile(volume, kit, signal) {
    const claim = await claimOf(volume, kit, signal)
    const plan = planVolume(volume, claim)
    switch (plan.do) {
      case 'nothing':
        return
      case 'mismatch':
        return tellOfMismatch(volume, claim!, kit)
      case 'unbind': {
        const next = unboundVolume(volume)
        const unbound = await kit.writer.replace(persistentVolumes, next, signal)
        await putPhase(unbound, 'Available', '', kit, signal)
        return
      }
      case 'phase': {
        const { phase, fault } = plan
        if (volume.status?.phase === phase) return
        const written = await putPhase(volume, phase, fault?.message ?? '', kit, signal)
        if (fault) {
          const subject = { row: persistentVolumes, object: written }
          kit.events.warning(subject, fault.reason, fault.message)
        }
        return
      }
      default:
        plan satisfies never
    }
  },
})

/** Never released for want of a fresh cache: a claim that seems to be gone is asked for. */
async function claimOf(
  volume: PersistentVolume,
  { list, client }: Kit,
  signal: AbortSignal,
): Promise<PersistentVolumeClaim | undefined> {
  const { claimRef } = volume.spec
  if (!claimRef?.uid) return undefined
  const isThe = (claim: PersistentVolumeClaim) => claim.metadata.uid === claimRef.uid
  const cached = list(persistentVolumeClaims).get(claimKeyOf(volume)!)
  if (cached !== undefined && isThe(cached)) return cached
  const isReleased = volume.status?.phase === 'Released' || volume.status?.phase === 'Failed'
  if (cached === undefined && isReleased) return undefined
  const { namespace = '', name = '' } = claimRef
  try {
    const claim = await client.get(persistentVolumeClaims, { namespace, name }, signal)
    return isThe(claim) ? claim : undefined
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

function putPhase(
  volume: PersistentVolume,
  phase: VolumePhase,
  message: string,
  { writer }: Kit,
  signal: AbortSignal,
): Promise<PersistentVolume> {
  // The server dates a change of phase whose time is as it was.
  const { message: _old, ...status } = volume.status ?? {}
  const next = { ...status, phase, ...(message !== '' && { message }) }
  return writer.putStatus(persistentVolumes, volume, next, signal)
}

function tellOfMismatch(
  volume: PersistentVolume,
  claim: PersistentVolumeClaim,
  { events }: Kit,
): void {
  const [volumeName, claimName] = [volume, claim].map((each) => JSON.stringify(each.metadata.name))
  const why = 'due to incompatible volumeMode.'
  const cannot = 'Cannot bind PersistentVolume'
  const ofVolume = `${cannot} to requested PersistentVolumeClaim ${claimName} ${why}`
  const ofClaim = `${cannot} ${volumeName} to requested PersistentVolumeClaim ${why}`
  events.warning({ row: persistentVolumes, object: volume }, 'VolumeMismatch', ofVolume)
  events.warning({ row: persistentVolumeClaims, object: claim }, 'VolumeMismatch', ofClaim)
}
