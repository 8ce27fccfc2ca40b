// Makes the claims of pods that bring their own (generic ephemeral volumes). The garbage collector
// takes them away with their pods.

import { persistentVolumeClaims } from '../../api/kinds/core/persistentvolumeclaim/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import type { PersistentVolumeClaim, Pod, Volume } from '../../api/schema/generated/types.ts'
import { claimNameOf, isEphemeralFor, notEphemeralFor } from '../../api/volume/binding.ts'
import { defineController, watching } from '../../kit/controller.ts'
import { PODS_BY_CLAIM, podsByClaim } from './claims.ts'

export type EphemeralPlan = {
  create: PersistentVolumeClaim[]
  /** `volume` cannot be had: a claim of that name is somebody else's. */
  fault: { volume: string; why: string } | undefined
}

/** In the order of the volumes, up to the first that cannot be had. */
export function planEphemeral(
  pod: Pod,
  claimOf: (name: string) => PersistentVolumeClaim | undefined,
): EphemeralPlan {
  const create: PersistentVolumeClaim[] = []
  const volumes = pod.metadata.deletionTimestamp === undefined ? (pod.spec.volumes ?? []) : []
  for (const volume of volumes) {
    if (volume.ephemeral === undefined) continue
    const name = claimNameOf(pod.metadata.name ?? '', volume)!
    const claim = claimOf(name)
    if (claim === undefined) create.push(claimFor(pod, volume, name))
    else if (!isEphemeralFor(claim, pod)) {
      return { create, fault: { volume: volume.name, why: notEphemeralFor(claim, pod) } }
    }
  }
  return { create, fault: undefined }
}

function claimFor(pod: Pod, { ephemeral }: Volume, name: string): PersistentVolumeClaim {
  const { metadata, spec } = ephemeral!.volumeClaimTemplate!
  const owner = {
    apiVersion: 'v1',
    kind: 'Pod',
    name: pod.metadata.name!,
    uid: pod.metadata.uid!,
    controller: true,
    blockOwnerDeletion: true,
  }
  return {
    metadata: {
      name,
      namespace: pod.metadata.namespace!,
      ...(metadata?.labels && { labels: metadata.labels }),
      ...(metadata?.annotations && { annotations: metadata.annotations }),
      ownerReferences: [owner],
    },
    spec,
  }
}

export const ephemeralVolumeController = defineController<Pod>({
  name: 'ephemeral-volume-controller',
  reconciles: pods,
  indexes: [podsByClaim],
  watches: [
    watching(
      persistentVolumeClaims,
      ({ metadata }, list) =>
        list(pods)
          .by(PODS_BY_CLAIM, `${metadata.namespace}/${metadata.name}`)
          .map((pod) => `${pod.metadata.namespace}/${pod.metadata.name}`),
      ({ type }) => type === 'deleted',
    ),
  ],

  async reconcile(pod, { list, writer, events }, signal) {
    const { namespace } = pod.metadata
    const claims = list(persistentVolumeClaims)
    const { create, fault } = planEphemeral(pod, (name) => claims.get(`${namespace}/${name}`))
    for (const claim of create) await writer.create(persistentVolumeClaims, claim, signal)
    if (fault === undefined) return
    const message = `ephemeral volume ${fault.volume}: ${fault.why}`
    events.warning({ row: pods, object: pod }, 'FailedBinding', message)
    throw new Error(`make claims of pod ${namespace}/${pod.metadata.name}: ${message}`)
  },
})
