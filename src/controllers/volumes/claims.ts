// What the controllers of volumes look things up by.

import { persistentVolumes } from '../../api/kinds/core/persistentvolume/row.ts'
import { persistentVolumeClaims } from '../../api/kinds/core/persistentvolumeclaim/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import type { PersistentVolume, Pod } from '../../api/schema/generated/types.ts'
import { claimNameOf } from '../../api/volume/binding.ts'
import { className } from '../../api/volume/class.ts'
import { indexing } from '../../kit/controller.ts'

/** Pods by `namespace/claim` of what they mount. */
export const PODS_BY_CLAIM = 'claim'
export const podsByClaim = indexing(pods, PODS_BY_CLAIM, claimKeysOf)

/** Volumes by class, and by the claim that they are for. */
export const VOLUMES_BY_CLASS = 'class'
export const VOLUMES_BY_CLAIM = 'claim'
export const volumesByClass = indexing(persistentVolumes, VOLUMES_BY_CLASS, (volume) => [
  className(volume),
])
export const volumesByClaim = indexing(persistentVolumes, VOLUMES_BY_CLAIM, (volume) => {
  const key = claimKeyOf(volume)
  return key === undefined ? [] : [key]
})

/** Claims that have no volume yet, by class. */
export const PENDING_BY_CLASS = 'pending-of-class'
export const pendingByClass = indexing(persistentVolumeClaims, PENDING_BY_CLASS, (claim) =>
  claim.status?.phase === 'Pending' ? [className(claim)] : [],
)

/** Each claim that a pod mounts, once. */
export function claimKeysOf({ metadata, spec }: Pod): string[] {
  const names = (spec.volumes ?? []).flatMap((volume) => {
    const name = claimNameOf(metadata.name ?? '', volume)
    return name === undefined ? [] : [`${metadata.namespace}/${name}`]
  })
  return [...new Set(names)]
}

/** `namespace/name` of the claim that a volume is for. */
export function claimKeyOf({ spec: { claimRef } }: PersistentVolume): string | undefined {
  return claimRef && `${claimRef.namespace ?? ''}/${claimRef.name ?? ''}`
}
