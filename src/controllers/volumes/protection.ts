// Claims, volumes and classes of attributes stay as long as they are used: each has a finalizer,
// which goes when it is being deleted and nobody uses it any more.

import { persistentVolumes } from '../../api/kinds/core/persistentvolume/row.ts'
import { persistentVolumeClaims } from '../../api/kinds/core/persistentvolumeclaim/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import { volumeAttributesClasses } from '../../api/kinds/storage/volumeattributesclass/row.ts'
import { type KubeObject, keyOf } from '../../api/object.ts'
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  VolumeAttributesClass,
} from '../../api/schema/generated/types.ts'
import {
  type Controller,
  defineController,
  indexing,
  type Kit,
  watching,
} from '../../kit/controller.ts'
import { claimKeysOf, PODS_BY_CLAIM, podsByClaim } from './claims.ts'

export type FinalizerPlan = 'add' | 'ask-use' | 'nothing'

export function planFinalizer({ metadata }: KubeObject, finalizer: string): FinalizerPlan {
  const has = metadata.finalizers?.includes(finalizer) ?? false
  if (metadata.deletionTimestamp === undefined) return has ? 'nothing' : 'add'
  return has ? 'ask-use' : 'nothing'
}

type Protection<O extends KubeObject> = Pick<
  Controller<O>,
  'name' | 'reconciles' | 'watches' | 'indexes' | 'reads'
> & {
  finalizer: string
  isUsed: (object: O, kit: Kit, signal: AbortSignal) => boolean | Promise<boolean>
}

function protecting<O extends KubeObject>(protection: Protection<O>): Controller<O> {
  const { finalizer, isUsed, ...rest } = protection
  return defineController<O>({
    ...rest,
    async reconcile(object, kit, signal) {
      const plan = planFinalizer(object, finalizer)
      if (plan === 'nothing') return
      if (plan === 'ask-use' && (await isUsed(object, kit, signal))) return
      const edit = ({ metadata }: O) => {
        const others = (metadata.finalizers ?? []).filter((each) => each !== finalizer)
        metadata.finalizers = plan === 'add' ? [...others, finalizer] : others
        if (metadata.finalizers.length === 0) delete metadata.finalizers
      }
      await kit.writer.change(rest.reconciles, object, edit, signal)
    },
  })
}

/** A claim is used by every pod that has a node and mounts it. */
export const claimProtectionController = protecting<PersistentVolumeClaim>({
  name: 'pvc-protection-controller',
  finalizer: 'kubernetes.io/pvc-protection',
  reconciles: persistentVolumeClaims,
  indexes: [podsByClaim],
  watches: [watching(pods, claimKeysOf)],
  async isUsed(claim, { list, client }, signal) {
    const key = keyOf(claim)
    if (
      list(pods)
        .by(PODS_BY_CLAIM, key)
        .some((pod) => mounts(pod, key))
    )
      return true
    // A pod that came a moment ago may be missing in the cache.
    const { namespace = '' } = claim.metadata
    const { items } = await client.list(pods, { namespace }, signal)
    return items.some((pod) => mounts(pod, key))
  },
})

/** A volume is used while it is bound. */
export const volumeProtectionController = protecting<PersistentVolume>({
  name: 'pv-protection-controller',
  finalizer: 'kubernetes.io/pv-protection',
  reconciles: persistentVolumes,
  isUsed: ({ status }) => status?.phase === 'Bound',
})

const BY_ATTRIBUTES = 'attributes'

/** A class of attributes is used by claims that ask for it or have it, and by volumes. */
export const attributesProtectionController = protecting<VolumeAttributesClass>({
  name: 'volumeattributesclass-protection-controller',
  finalizer: 'kubernetes.io/vac-protection',
  reconciles: volumeAttributesClasses,
  indexes: [
    indexing(persistentVolumeClaims, BY_ATTRIBUTES, attributesOfClaim),
    indexing(persistentVolumes, BY_ATTRIBUTES, attributesOfVolume),
  ],
  watches: [
    watching(persistentVolumeClaims, attributesOfClaim),
    watching(persistentVolumes, attributesOfVolume),
  ],
  isUsed({ metadata }, { list }) {
    const rows = [persistentVolumeClaims, persistentVolumes]
    return rows.some(
      (row) => list<KubeObject>(row as never).by(BY_ATTRIBUTES, metadata.name!).length > 0,
    )
  },
})

/** Of a pod that is over, a claim that was made for it alone is not used any more. */
function mounts(pod: Pod, key: string): boolean {
  if (!pod.spec.nodeName) return false
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata
  const isShut = deletionTimestamp !== undefined && deletionGracePeriodSeconds === 0
  const volumes = isShut
    ? (pod.spec.volumes ?? []).filter(({ ephemeral }) => ephemeral === undefined)
    : pod.spec.volumes
  return claimKeysOf({ ...pod, spec: { ...pod.spec, volumes: volumes ?? [] } }).includes(key)
}

function attributesOfClaim({ spec, status }: PersistentVolumeClaim): string[] {
  const names = [
    spec.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ]
  return [...new Set(names.filter((name): name is string => !!name))]
}

function attributesOfVolume({ spec }: PersistentVolume): string[] {
  return spec.volumeAttributesClassName ? [spec.volumeAttributesClassName] : []
}
