// Makes the volumes of claims whose class is kedge's own, once the scheduler has chosen a node.
//
// The object alone is made here: the node makes the folder when the first pod mounts it.

import { nodes } from '../../api/kinds/core/node/row.ts'
import { persistentVolumes } from '../../api/kinds/core/persistentvolume/row.ts'
import { persistentVolumeClaims } from '../../api/kinds/core/persistentvolumeclaim/row.ts'
import { storageClasses } from '../../api/kinds/storage/storageclass/row.ts'
import { keyOf } from '../../api/object.ts'
import type {
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from '../../api/schema/generated/types.ts'
import { PROVISIONER, SELECTED_NODE } from '../../api/volume/binding.ts'
import { className } from '../../api/volume/class.ts'
import {
  LOCAL_PROVISIONER,
  localVolumeFor,
  madeVolumeName,
  provisionFault,
} from '../../api/volume/local.ts'
import { type Controller, defineController, watching } from '../../kit/controller.ts'
import { own } from '../../lib/own.ts'
import { PENDING_BY_CLASS, pendingByClass } from './claims.ts'
import { Told } from './told.ts'

export type ProvisionPlan =
  | { do: 'nothing' }
  | { do: 'create'; volume: PersistentVolume }
  | { do: 'fail'; message: string }
  /** The node is not there, or keeps no volumes: the scheduler chooses again. */
  | { do: 'choose-again'; message: string }

export type ProvisionView = {
  readonly storageClass: StorageClass | undefined
  readonly node: (name: string) => Node | undefined
  readonly hasVolume: (name: string) => boolean
}

export function planProvision(
  claim: PersistentVolumeClaim,
  { storageClass, node, hasVolume }: ProvisionView,
): ProvisionPlan {
  const { metadata, spec } = claim
  const isOurs = own(metadata.annotations, PROVISIONER) === LOCAL_PROVISIONER
  if (!isOurs || spec.volumeName || metadata.deletionTimestamp !== undefined) {
    return { do: 'nothing' }
  }
  if (storageClass?.provisioner !== LOCAL_PROVISIONER) return { do: 'nothing' }
  if (hasVolume(madeVolumeName(claim))) return { do: 'nothing' }
  const failed = (why: string) =>
    `failed to provision volume with StorageClass ${JSON.stringify(storageClass.metadata.name)}: ${why}`
  const fault = provisionFault(claim, storageClass)
  if (fault !== undefined) return { do: 'fail', message: failed(fault) }
  const name = own(metadata.annotations, SELECTED_NODE) ?? ''
  const chosen = node(name)
  const volume = chosen && localVolumeFor({ claim, storageClass, node: chosen })
  if (volume !== undefined) return { do: 'create', volume }
  const why = chosen === undefined ? 'not found' : 'keeps no volumes'
  return { do: 'choose-again', message: failed(`node ${JSON.stringify(name)} ${why}`) }
}

export function localProvisioner(): Controller<PersistentVolumeClaim> {
  const told = new Told()

  return defineController<PersistentVolumeClaim>({
    name: LOCAL_PROVISIONER,
    account: 'local-provisioner',
    reconciles: persistentVolumeClaims,
    reads: [nodes, persistentVolumes],
    indexes: [pendingByClass],
    watches: [
      watching(storageClasses, ({ metadata }, list) =>
        list(persistentVolumeClaims)
          .by(PENDING_BY_CLASS, metadata.name ?? '')
          .map(keyOf),
      ),
    ],

    async reconcile(claim, { list, writer, events }, signal) {
      const plan = planProvision(claim, {
        storageClass: list(storageClasses).get(className(claim)),
        node: (name) => list(nodes).get(name),
        hasVolume: (name) => list(persistentVolumes).get(name) !== undefined,
      })
      const subject = { row: persistentVolumeClaims, object: claim }
      switch (plan.do) {
        case 'nothing':
          return
        case 'fail':
          if (!told.isNews(keyOf(claim), plan.message)) return
          return events.warning(subject, 'ProvisioningFailed', plan.message)
        case 'choose-again': {
          events.warning(subject, 'ProvisioningFailed', plan.message)
          const edit = ({ metadata }: PersistentVolumeClaim) => {
            const { [SELECTED_NODE]: _node, ...others } = metadata.annotations ?? {}
            metadata.annotations = others
          }
          await writer.change(persistentVolumeClaims, claim, edit, signal)
          return
        }
        case 'create': {
          const doing = `External provisioner is provisioning volume for claim "${keyOf(claim)}"`
          events.normal(subject, 'Provisioning', doing)
          const { metadata } = await writer.create(persistentVolumes, plan.volume, signal)
          const done = `Successfully provisioned volume ${metadata.name}`
          return events.normal(subject, 'ProvisioningSucceeded', done)
        }
        default:
          plan satisfies never
      }
    },

    async reconcileGone(key) {
      told.forget(key)
    },
  })
}
