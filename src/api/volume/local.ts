// Volumes that kedge makes itself: a folder each, on the node of the first pod.

import { own } from '../../lib/own.ts'
import type {
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from '../schema/generated/types.ts'
import { PROVISIONED_BY, referenceTo, SELECTED_NODE } from './binding.ts'

export const LOCAL_PROVISIONER = 'kedge.dev/local'
/** On a Node: the folder below which it keeps such volumes. */
export const VOLUMES_FOLDER = 'kedge.dev/volumes-folder'
/** On a volume: the node that has it. */
export const VOLUME_NODE = 'kedge.dev/node'
/** Keeps a volume until its folder is gone. */
export const LOCAL_FINALIZER = 'kedge.dev/local-volume'
/** The last part of a path on the node's own API, before the name of the volume. */
export const REMOVE_VOLUME = 'removeVolume'

/** What claims get that name no class, from a cluster's first start. */
export const LOCAL_CLASS: StorageClass = {
  metadata: {
    name: 'local',
    annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' },
  },
  provisioner: LOCAL_PROVISIONER,
  reclaimPolicy: 'Delete',
  volumeBindingMode: 'WaitForFirstConsumer',
}

export function isLocalVolume({ metadata, spec }: PersistentVolume): boolean {
  return own(metadata.annotations, PROVISIONED_BY) === LOCAL_PROVISIONER && spec.local !== undefined
}

/** Upstream's name for what is made for a claim. */
export function madeVolumeName({ metadata }: PersistentVolumeClaim): string {
  return `pvc-${metadata.uid}`
}

export type Provision = { claim: PersistentVolumeClaim; storageClass: StorageClass; node: Node }

/** Why the class cannot have a volume made for this claim; undefined when it can. */
export function provisionFault(
  { spec, metadata }: PersistentVolumeClaim,
  storageClass: StorageClass,
): string | undefined {
  if (spec.volumeMode === 'Block') return 'volumeMode Block is not supported'
  if (spec.dataSource || spec.dataSourceRef) return 'volumes cannot be filled from a data source'
  const shared = (spec.accessModes ?? []).find((mode) => !mode.startsWith('ReadWriteOnce'))
  if (shared !== undefined) return `accessMode ${shared} is not supported, only ReadWriteOnce is`
  if ((storageClass.mountOptions ?? []).length > 0) return 'mount options are not supported'
  if (own(metadata.annotations, SELECTED_NODE) !== undefined) return undefined
  return 'volumeBindingMode of the class must be WaitForFirstConsumer'
}

/** The volume for a claim; undefined when the node does not say where it keeps such volumes. */
export function localVolumeFor({
  claim,
  storageClass,
  node,
}: Provision): PersistentVolume | undefined {
  const folder = own(node.metadata.annotations, VOLUMES_FOLDER)
  if (!folder) return undefined
  const name = madeVolumeName(claim)
  const nodeName = node.metadata.name ?? ''
  const hostname = own(node.metadata.labels, 'kubernetes.io/hostname') ?? nodeName
  const requirement = { key: 'kubernetes.io/hostname', operator: 'In', values: [hostname] }
  return {
    metadata: {
      name,
      annotations: { [PROVISIONED_BY]: LOCAL_PROVISIONER, [VOLUME_NODE]: nodeName },
      finalizers: [LOCAL_FINALIZER],
    },
    spec: {
      accessModes: claim.spec.accessModes ?? [],
      capacity: { storage: own(claim.spec.resources?.requests, 'storage') ?? '0' },
      claimRef: referenceTo(claim),
      local: { path: `${folder}/${name}` },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [requirement] }] } },
      persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? 'Delete',
      storageClassName: storageClass.metadata.name ?? '',
      volumeMode: 'Filesystem',
    },
  }
}
