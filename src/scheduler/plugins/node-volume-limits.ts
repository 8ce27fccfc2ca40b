// Keeps a node from being given more volumes than the drivers on it can attach.

import { persistentVolumes } from '../../api/kinds/core/persistentvolume/row.ts'
import { persistentVolumeClaims } from '../../api/kinds/core/persistentvolumeclaim/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import { csiNodes } from '../../api/kinds/storage/csinode/row.ts'
import { storageClasses } from '../../api/kinds/storage/storageclass/row.ts'
import { volumeAttachments } from '../../api/kinds/storage/volumeattachment/row.ts'
import type { CSINode, PersistentVolumeClaim, Pod } from '../../api/schema/generated/types.ts'
import { className } from '../../api/volume/class.ts'
import {
  type Filtering,
  final,
  type Handle,
  hintOf,
  isRefusal,
  type MakePlugin,
  open,
  type Refusal,
} from '../framework.ts'
import type { NodeState } from '../node-state.ts'
import { claimNamesOf, namedClaimsOf } from '../pod-claims.ts'

/** Drivers by a name of the volume that no other volume has. */
type Volumes = Map<string, string>

export const nodeVolumeLimits: MakePlugin = (handle) => {
  const counter = new VolumeCounter(handle)
  return {
    name: 'NodeVolumeLimits',
    preFilter({ pod }) {
      const answer = counter.filtering(pod)
      // Said of each node: whoever refuses the pod itself has the word.
      return answer && isRefusal(answer) ? { filter: () => answer } : answer
    },
    hints: [
      hintOf(csiNodes, (_, change) => {
        if (change.type !== 'updated') return change.type === 'added'
        const before = limitsOf(change.old)
        return [...limitsOf(change.object)].some(([name, limit]) => limit > (before.get(name) ?? 0))
      }),
      hintOf(pods, (_, { type, object }) => type === 'deleted' && claimNamesOf(object).length > 0),
      hintOf(persistentVolumeClaims, (pod, { type, object: { metadata } }) => {
        if (type !== 'added' || metadata.namespace !== pod.metadata.namespace) return false
        return claimNamesOf(pod).includes(metadata.name!)
      }),
      hintOf(volumeAttachments, (pod, { type }) => {
        return type === 'deleted' && namedClaimsOf(pod).length > 0
      }),
    ],
  }
}

class VolumeCounter {
  readonly #claims
  readonly #volumes
  readonly #classes
  readonly #nodes
  readonly #attachments

  constructor(handle: Handle) {
    this.#claims = handle.lister(persistentVolumeClaims)
    this.#volumes = handle.lister(persistentVolumes)
    this.#classes = handle.lister(storageClasses)
    this.#nodes = handle.lister(csiNodes)
    this.#attachments = handle.lister(volumeAttachments)
  }

  filtering(pod: Pod): Filtering | Refusal | undefined {
    const { namespace } = pod.metadata
    const names = claimNamesOf(pod)
    const missing = names.find((name) => this.#claims.get(`${namespace}/${name}`) === undefined)
    if (missing !== undefined) {
      const why = `persistentvolumeclaim ${JSON.stringify(missing)} not found`
      return final(`looking up PVC ${namespace}/${missing}: ${why}`)
    }
    const wanted = this.#volumesOf(pod)
    if (wanted.size === 0) return undefined
    const attachments = Map.groupBy(this.#attachments.all(), ({ spec }) => spec.nodeName)
    return {
      filter: (state) => {
        const csiNode = this.#nodes.get(state.node.metadata.name!)
        const limits = csiNode === undefined ? new Map<string, number>() : limitsOf(csiNode)
        if (limits.size === 0) return undefined
        const here = this.#volumesOn(state)
        for (const { spec } of attachments.get(state.node.metadata.name!) ?? []) {
          const handle = this.#handleOf(spec.source.persistentVolumeName)
          if (handle !== undefined) here.set(`${spec.attacher}/${handle}`, spec.attacher)
        }
        const counts = countDrivers(here)
        // A volume that is here already is not attached twice.
        const fresh = new Map([...wanted].filter(([volume]) => !here.has(volume)))
        const isTooMuch = [...countDrivers(fresh)].some(([driver, count]) => {
          const limit = limits.get(driver)
          return limit !== undefined && (counts.get(driver) ?? 0) + count > limit
        })
        return isTooMuch ? open('node(s) exceed max volume count') : undefined
      },
    }
  }

  #volumesOn({ pods }: NodeState): Volumes {
    return new Map([...pods.values()].flatMap(({ pod }) => [...this.#volumesOf(pod)]))
  }

  #volumesOf(pod: Pod): Volumes {
    const { namespace } = pod.metadata
    const found = claimNamesOf(pod).map((name) => this.#claims.get(`${namespace}/${name}`))
    return new Map(found.flatMap((claim) => (claim ? (this.#volumeOf(claim) ?? []) : [])))
  }

  /** Of a claim that is not bound yet, the volume that its class will have made. */
  #volumeOf(claim: PersistentVolumeClaim): [[volume: string, driver: string]] | undefined {
    const volume = this.#volumes.get(claim.spec.volumeName ?? '')
    if (volume !== undefined) {
      const { csi } = volume.spec
      return csi && [[`${csi.driver}/${csi.volumeHandle}`, csi.driver]]
    }
    const driver = this.#classes.get(className(claim))?.provisioner
    const { namespace, name } = claim.metadata
    // No handle looks like this: drivers name volumes, not claims.
    return driver ? [[`${driver}/claim ${namespace}/${name}`, driver]] : undefined
  }

  #handleOf(volumeName: string | undefined): string | undefined {
    return this.#volumes.get(volumeName ?? '')?.spec.csi?.volumeHandle
  }
}

function limitsOf({ spec }: CSINode): Map<string, number> {
  const limits = (spec.drivers ?? []).flatMap(({ name, allocatable }) =>
    allocatable?.count === undefined ? [] : [[name, allocatable.count] as const],
  )
  return new Map(limits)
}

function countDrivers(volumes: Volumes): Map<string, number> {
  const counts = new Map<string, number>()
  for (const driver of volumes.values()) counts.set(driver, (counts.get(driver) ?? 0) + 1)
  return counts
}
