// Takes away the volumes that kedge made, once their claims are gone: first the folder on the node,
// then the object.

import { nodes } from '../../api/kinds/core/node/row.ts'
import { persistentVolumes } from '../../api/kinds/core/persistentvolume/row.ts'
import type { PersistentVolume } from '../../api/schema/generated/types.ts'
import {
  isLocalVolume,
  LOCAL_FINALIZER,
  REMOVE_VOLUME,
  VOLUME_NODE,
} from '../../api/volume/local.ts'
import type { Client } from '../../kit/client.ts'
import { type Controller, defineController, watching } from '../../kit/controller.ts'
import { own } from '../../lib/own.ts'

export type RemovalPlan =
  | { do: 'nothing' }
  /** Deletes the object; its finalizer keeps it until the folder is gone. */
  | { do: 'delete' }
  /** `node` undefined: nobody has the folder any more, or it is to stay. */
  | { do: 'release'; node: string | undefined }

export function planRemoval(
  volume: PersistentVolume,
  hasNode: (name: string) => boolean,
): RemovalPlan {
  const { metadata, spec, status } = volume
  if (!isLocalVolume(volume) || status?.phase === 'Bound') return { do: 'nothing' }
  const isDeleted = spec.persistentVolumeReclaimPolicy === 'Delete'
  const isReleased = status?.phase === 'Released' || status?.phase === 'Failed'
  if (metadata.deletionTimestamp === undefined) {
    return isDeleted && isReleased ? { do: 'delete' } : { do: 'nothing' }
  }
  if (!metadata.finalizers?.includes(LOCAL_FINALIZER)) return { do: 'nothing' }
  const node = own(metadata.annotations, VOLUME_NODE) ?? ''
  return { do: 'release', node: isDeleted && hasNode(node) ? node : undefined }
}

/** Has a node remove the folder of a volume; throws when it did not. */
export type RemoveFolder = (
  client: Client,
  where: { node: string; volume: string },
  signal: AbortSignal,
) => Promise<void>

export const removeThroughNode: RemoveFolder = async (client, { node, volume }, signal) => {
  const subresource = `proxy/${REMOVE_VOLUME}/${encodeURIComponent(volume)}`
  await client.post(nodes, { name: node, subresource }, {}, signal)
}

export function localRemover(
  removeFolder: RemoveFolder = removeThroughNode,
): Controller<PersistentVolume> {
  return defineController<PersistentVolume>({
    name: 'kedge.dev/local-remover',
    account: 'local-provisioner',
    reconciles: persistentVolumes,
    watches: [
      watching(
        nodes,
        ({ metadata }, list) =>
          list(persistentVolumes)
            .all()
            .filter((volume) => own(volume.metadata.annotations, VOLUME_NODE) === metadata.name)
            .map((volume) => volume.metadata.name ?? ''),
        ({ type }) => type !== 'updated',
      ),
    ],

    async reconcile(volume, { list, writer, client, events }, signal) {
      const plan = planRemoval(volume, (name) => list(nodes).get(name) !== undefined)
      switch (plan.do) {
        case 'nothing':
          return
        case 'delete':
          return writer.remove(persistentVolumes, volume, {}, signal)
        case 'release': {
          const name = volume.metadata.name!
          try {
            if (plan.node !== undefined) {
              await removeFolder(client, { node: plan.node, volume: name }, signal)
            }
          } catch (error) {
            signal.throwIfAborted()
            const message = error instanceof Error ? error.message : String(error)
            const subject = { row: persistentVolumes, object: volume }
            events.warning(subject, 'VolumeFailedDelete', message)
            throw error
          }
          const edit = ({ metadata }: PersistentVolume) => {
            const left = (metadata.finalizers ?? []).filter((each) => each !== LOCAL_FINALIZER)
            metadata.finalizers = left
          }
          await writer.change(persistentVolumes, volume, edit, signal)
          return
        }
        default:
          plan satisfies never
      }
    },
  })
}
