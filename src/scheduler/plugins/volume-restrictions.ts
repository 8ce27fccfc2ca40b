// Keeps pods apart that would write to one disk from one node, and the second pod off a volume that
// is for one pod only.

import { nodes } from '../../api/kinds/core/node/row.ts'
import { persistentVolumeClaims } from '../../api/kinds/core/persistentvolumeclaim/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import type { PersistentVolumeClaim, Pod, Volume } from '../../api/schema/generated/types.ts'
import type { Lister } from '../../kit/lister.ts'
import {
  type Filtering,
  final,
  hintOf,
  type MakePlugin,
  open,
  type Refusal,
  type View,
} from '../framework.ts'
import { namedClaimsOf } from '../pod-claims.ts'

export const volumeRestrictions: MakePlugin = (handle) => {
  const claims = handle.lister(persistentVolumeClaims)
  return {
    name: 'VolumeRestrictions',
    preFilter: ({ pod }, view) => restrict(pod, view, claims),
    hints: [
      hintOf(pods, (pod, { type, object }) => {
        if (type !== 'deleted' || object.metadata.namespace !== pod.metadata.namespace) return false
        const mine = new Set(namedClaimsOf(pod))
        return (
          usesOneOf(disksOf(pod), object) || namedClaimsOf(object).some((name) => mine.has(name))
        )
      }),
      hintOf(nodes, (_, { type }) => type === 'added'),
      hintOf(persistentVolumeClaims, (pod, { type, object: { metadata } }) => {
        if (type !== 'added' || metadata.namespace !== pod.metadata.namespace) return false
        return namedClaimsOf(pod).includes(metadata.name!)
      }),
    ],
  }
}

function restrict(
  pod: Pod,
  view: View,
  claims: Lister<PersistentVolumeClaim>,
): Filtering | Refusal | undefined {
  const { namespace } = pod.metadata
  const alone = new Set<string>()
  for (const name of namedClaimsOf(pod)) {
    const claim = claims.get(`${namespace}/${name}`)
    if (claim === undefined) return final(`persistentvolumeclaim ${JSON.stringify(name)} not found`)
    if (claim.spec.accessModes?.includes('ReadWriteOncePod')) alone.add(name)
  }
  const usesOf = (other: Pod) =>
    other.metadata.namespace === namespace
      ? namedClaimsOf(other).filter((name) => alone.has(name)).length
      : 0
  let useCount = 0
  if (alone.size > 0) {
    for (const state of view.nodes) {
      for (const other of state.pods.values()) useCount += usesOf(other.pod)
    }
  }
  const disks = disksOf(pod)
  if (disks.length === 0 && useCount === 0) return undefined
  return {
    filter(state) {
      if (
        disks.length > 0 &&
        [...state.pods.values()].some(({ pod: other }) => usesOneOf(disks, other))
      ) {
        return open('node(s) had no available disk')
      }
      if (useCount === 0) return undefined
      return open(
        'node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode ' +
          'already in-use by another pod',
      )
    },
    suppose(other, _, by) {
      useCount += by * usesOf(other)
    },
  }
}

function disksOf({ spec }: Pod): Volume[] {
  return (spec.volumes ?? []).filter(isDisk)
}

function isDisk(volume: Volume): boolean {
  const { gcePersistentDisk, awsElasticBlockStore, rbd, iscsi } = volume
  return [gcePersistentDisk, awsElasticBlockStore, rbd, iscsi].some((disk) => disk !== undefined)
}

function usesOneOf(disks: readonly Volume[], { spec }: Pod): boolean {
  return (spec.volumes ?? []).some((volume) => disks.some((disk) => areConflicting(disk, volume)))
}

/** The same disk, and not both only read it; an EBS volume is never shared. */
function areConflicting(a: Volume, b: Volume): boolean {
  const writes = (one?: { readOnly?: boolean }, other?: { readOnly?: boolean }) =>
    !(one?.readOnly && other?.readOnly)
  const [gce, ebs] = [a.gcePersistentDisk, a.awsElasticBlockStore]
  if (gce && gce.pdName === b.gcePersistentDisk?.pdName) return writes(gce, b.gcePersistentDisk)
  if (ebs && ebs.volumeID === b.awsElasticBlockStore?.volumeID) return true
  if (a.iscsi && a.iscsi.iqn === b.iscsi?.iqn) return writes(a.iscsi, b.iscsi)
  if (!a.rbd || !b.rbd) return false
  const isSame =
    a.rbd.pool === b.rbd.pool &&
    a.rbd.image === b.rbd.image &&
    a.rbd.monitors.some((monitor) => b.rbd!.monitors.includes(monitor))
  return isSame && writes(a.rbd, b.rbd)
}
