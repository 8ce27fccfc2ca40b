// Keeps a pod in the zones and regions that the labels of its volumes name.

import { nodes } from '../../api/kinds/core/node/row.ts'
import { persistentVolumes } from '../../api/kinds/core/persistentvolume/row.ts'
import { persistentVolumeClaims } from '../../api/kinds/core/persistentvolumeclaim/row.ts'
import { storageClasses } from '../../api/kinds/storage/storageclass/row.ts'
import type {
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
} from '../../api/schema/generated/types.ts'
import { className } from '../../api/volume/class.ts'
import { own } from '../../lib/own.ts'
import { final, type Handle, hintOf, type MakePlugin, type Refusal } from '../framework.ts'
import { namedClaimsOf } from '../pod-claims.ts'

/** Today's name of each label that a volume, or a node, may carry. */
const LABELS: ReadonlyMap<string, string> = new Map([
  ['failure-domain.beta.kubernetes.io/zone', 'topology.kubernetes.io/zone'],
  ['failure-domain.beta.kubernetes.io/region', 'topology.kubernetes.io/region'],
  ['topology.kubernetes.io/zone', 'topology.kubernetes.io/zone'],
  ['topology.kubernetes.io/region', 'topology.kubernetes.io/region'],
])

type Topology = { readonly key: string; readonly values: ReadonlySet<string> }

export const volumeZone: MakePlugin = (handle) => {
  const topologiesOf = reader(handle)
  return {
    name: 'VolumeZone',
    preFilter({ pod }) {
      const topologies = topologiesOf(pod)
      if ('reasons' in topologies) return topologies
      if (topologies.length === 0) return undefined
      return {
        filter: ({ node }) =>
          isReached(node, topologies) ? undefined : final('node(s) had no available volume zone'),
      }
    },
    hints: [
      hintOf(nodes, (_, change) => {
        if (change.type !== 'updated') return change.type === 'added'
        return !Bun.deepEquals(change.old.metadata.labels, change.object.metadata.labels)
      }),
      hintOf(storageClasses, (_, { type, object }) => {
        return type === 'added' && object.volumeBindingMode === 'WaitForFirstConsumer'
      }),
      hintOf(persistentVolumeClaims, (pod, { type, object: { metadata } }) => {
        if (type === 'deleted' || metadata.namespace !== pod.metadata.namespace) return false
        return namedClaimsOf(pod).includes(metadata.name!)
      }),
      hintOf(persistentVolumes, (_, change) => {
        if (change.type !== 'updated') return change.type === 'added'
        return !Bun.deepEquals(topologiesOfVolume(change.old), topologiesOfVolume(change.object))
      }),
    ],
  }
}

/** A node that names no zone at all is in a cluster that has none. */
function isReached({ metadata: { labels } }: Node, topologies: readonly Topology[]): boolean {
  if (![...LABELS.keys()].some((key) => own(labels, key) !== undefined)) return true
  return topologies.every(({ key, values }) => {
    const value = own(labels, key) ?? own(labels, LABELS.get(key)!)
    return value !== undefined && values.has(value)
  })
}

/** Returns what the bound volumes of a pod ask for, or why that cannot be said yet. */
function reader(handle: Handle): (pod: Pod) => Topology[] | Refusal {
  const claims = handle.lister(persistentVolumeClaims)
  const volumes = handle.lister(persistentVolumes)
  const classes = handle.lister(storageClasses)
  const missing = (what: string, name: string) => final(`${what} ${JSON.stringify(name)} not found`)
  /** Undefined: the claim waits for the node of its pod. */
  const unbound = (claim: PersistentVolumeClaim): Refusal | undefined => {
    const name = className(claim)
    if (name === '') return final('PersistentVolumeClaim had no pv name and storageClass name')
    const found = classes.get(name)
    if (found === undefined) return missing('storageclass.storage.k8s.io', name)
    if (found.volumeBindingMode === 'WaitForFirstConsumer') return undefined
    return final('PersistentVolume had no name')
  }
  return (pod) => {
    const topologies: Topology[] = []
    for (const name of namedClaimsOf(pod)) {
      const claim = claims.get(`${pod.metadata.namespace}/${name}`)
      if (claim === undefined) return missing('persistentvolumeclaim', name)
      const { volumeName } = claim.spec
      if (!volumeName) {
        const refusal = unbound(claim)
        if (refusal !== undefined) return refusal
        continue
      }
      const volume = volumes.get(volumeName)
      if (volume === undefined) return missing('persistentvolume', volumeName)
      topologies.push(...topologiesOfVolume(volume))
    }
    return topologies
  }
}

/** A volume in several zones names them as `a__b`; what cannot be read asks for nothing. */
function topologiesOfVolume({ metadata: { labels } }: PersistentVolume): Topology[] {
  return [...LABELS.keys()].flatMap((key) => {
    const value = own(labels, key)
    if (value === undefined) return []
    const values = value.split('__').map((one) => one.trim())
    return values.includes('') ? [] : [{ key, values: new Set(values) }]
  })
}
