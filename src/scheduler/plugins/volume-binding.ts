// A pod goes where its volumes are, or where they can be had: claims that are bound, claims that
// wait for their first pod, and volumes that a provisioner will make on the chosen node.
//
//   Filter   which nodes have, can bind or can be given every volume
//   Reserve  what the chosen node means for each claim; others see it as taken
//   PreBind  writes it down, and waits until every claim is bound

import { nodes } from '../../api/kinds/core/node/row.ts'
import { persistentVolumes } from '../../api/kinds/core/persistentvolume/row.ts'
import { persistentVolumeClaims } from '../../api/kinds/core/persistentvolumeclaim/row.ts'
import { storageClasses } from '../../api/kinds/storage/storageclass/row.ts'
import type { Node, PersistentVolumeClaim, Pod } from '../../api/schema/generated/types.ts'
import {
  BIND_COMPLETED,
  boundVolume,
  claimNameOf,
  hasAnnotation,
  SELECTED_NODE,
} from '../../api/volume/binding.ts'
import { own } from '../../lib/own.ts'
import { final, type Handle, hintOf, type MakePlugin } from '../framework.ts'
import { type NodeVolumes, type VolumeView, volumesOfPod, volumesOnNode } from '../pod-volumes.ts'

/** As upstream: a provisioner has this long. */
const BIND_MS_MAX = 600_000
const LOOK_MS = { first: 50, max: 1000 }

type Reserved = { nodeName: string; plan: NodeVolumes }

export const volumeBinding: MakePlugin = (handle) => {
  /** By the pod's UID, from Reserve until it is bound. */
  const reserved = new Map<string, Reserved>()
  const takenBy = (uid: string | undefined) =>
    new Set(
      [...reserved]
        .filter(([other]) => other !== uid)
        .flatMap(([, { plan }]) => plan.bind.map(({ volume }) => volume.metadata.name ?? '')),
    )
  const view: VolumeView = {
    claims: handle.lister(persistentVolumeClaims),
    volumes: handle.lister(persistentVolumes),
    classes: handle.lister(storageClasses),
  }
  const planFor = (pod: Pod, node: Node): NodeVolumes | undefined => {
    const asked = volumesOfPod(pod, view)
    if (asked === undefined || 'fault' in asked) return undefined
    const plan = volumesOnNode(asked, node, view, takenBy(pod.metadata.uid))
    return 'reasons' in plan ? undefined : plan
  }
  const listedNodes = handle.lister(nodes)

  return {
    name: 'VolumeBinding',
    preFilter({ pod }) {
      const asked = volumesOfPod(pod, view)
      if (asked === undefined) return undefined
      if ('fault' in asked) return final(asked.fault)
      const taken = takenBy(pod.metadata.uid)
      return {
        filter({ node }) {
          const plan = volumesOnNode(asked, node, view, taken)
          return 'reasons' in plan ? final(...plan.reasons) : undefined
        },
      }
    },
    reserve(pod, nodeName) {
      const node = listedNodes.get(nodeName)
      const plan = node && planFor(pod, node)
      if (plan && plan.bind.length + plan.provision.length > 0) {
        reserved.set(pod.metadata.uid!, { nodeName, plan })
      }
      return undefined
    },
    unreserve: ({ metadata }) => void reserved.delete(metadata.uid!),
    postBind: ({ metadata }) => void reserved.delete(metadata.uid!),
    async preBind(pod, nodeName, signal) {
      const mine = reserved.get(pod.metadata.uid!)
      if (mine === undefined) return
      await writeDown(handle, mine, signal)
      await untilBound(handle, view, { pod, nodeName, plan: mine.plan }, signal)
    },
    hints: [
      hintOf(persistentVolumeClaims, (pod, { object }) => {
        if (object.metadata.namespace !== pod.metadata.namespace) return false
        return (pod.spec.volumes ?? []).some(
          (volume) => claimNameOf(pod.metadata.name ?? '', volume) === object.metadata.name,
        )
      }),
      hintOf(persistentVolumes, (_, { type }) => type !== 'deleted'),
      hintOf(storageClasses, (_, { type }) => type !== 'deleted'),
      hintOf(nodes, (_, change) => {
        if (change.type !== 'updated') return change.type === 'added'
        return !Bun.deepEquals(change.object.metadata.labels, change.old.metadata.labels)
      }),
    ],
  }
}

async function writeDown(
  { client }: Handle,
  { nodeName, plan }: Reserved,
  signal: AbortSignal,
): Promise<void> {
  for (const { volume, claim } of plan.bind) {
    await client.update(persistentVolumes, boundVolume(volume, claim), signal)
  }
  for (const claim of plan.provision) {
    if (own(claim.metadata.annotations, SELECTED_NODE) === nodeName) continue
    const annotations = { ...claim.metadata.annotations, [SELECTED_NODE]: nodeName }
    const chosen = { ...claim, metadata: { ...claim.metadata, annotations } }
    await client.update(persistentVolumeClaims, chosen, signal)
  }
}

type Wanted = { pod: Pod; nodeName: string; plan: NodeVolumes }

async function untilBound(
  { clock }: Handle,
  { claims }: VolumeView,
  { nodeName, plan }: Wanted,
  signal: AbortSignal,
): Promise<void> {
  const chosen = plan.provision.map(keyOfClaim)
  const all = [...plan.bind.map(({ claim }) => keyOfClaim(claim)), ...chosen]
  const untilMs = clock.monotonicMs() + BIND_MS_MAX
  /** The cache may show a claim as it was before the node was written down. */
  const marked = new Set<string>()
  for (let waitMs = LOOK_MS.first; ; waitMs = Math.min(waitMs * 2, LOOK_MS.max)) {
    const open = all.filter((key) => {
      const claim = claims.get(key)
      if (claim === undefined) throw new Error(`binding volumes: pvc ${key} is gone`)
      return !isBound(claim)
    })
    if (open.length === 0) return
    for (const key of chosen) {
      const node = own(claims.get(key)!.metadata.annotations, SELECTED_NODE)
      if (node === nodeName) marked.add(key)
      else if (marked.has(key) && open.includes(key)) {
        const name = claims.get(key)!.metadata.name
        throw new Error(`binding volumes: provisioning failed for PVC ${JSON.stringify(name)}`)
      }
    }
    if (clock.monotonicMs() >= untilMs) {
      throw new Error('binding volumes: timed out waiting for the condition')
    }
    await clock.sleep(waitMs, signal)
  }
}

function isBound(claim: PersistentVolumeClaim): boolean {
  return !!claim.spec.volumeName && hasAnnotation(claim, BIND_COMPLETED)
}

function keyOfClaim({ metadata }: PersistentVolumeClaim): string {
  return `${metadata.namespace}/${metadata.name}`
}
