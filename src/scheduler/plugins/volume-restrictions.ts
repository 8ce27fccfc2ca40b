// Keeps pods apart that would write to one disk from one node.

import { nodes } from '../../api/kinds/core/node/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import type { Pod, Volume } from '../../api/schema/generated/types.ts'
import { hintOf, type MakePlugin, open } from '../framework.ts'

export const volumeRestrictions: MakePlugin = () => ({
  name: 'VolumeRestrictions',
  preFilter({ pod }) {
    const disks = (pod.spec.volumes ?? []).filter(isDisk)
    if (disks.length === 0) return undefined
    return {
      filter: (state) =>
        [...state.pods.values()].some((other) => usesOneOf(disks, other.pod))
          ? open('node(s) had no available disk')
          : undefined,
    }
  },
  hints: [
    hintOf(pods, (pod, { type, object }) => {
      if (type !== 'deleted' || object.metadata.namespace !== pod.metadata.namespace) return false
      return usesOneOf((pod.spec.volumes ?? []).filter(isDisk), object)
    }),
    hintOf(nodes, (_, { type }) => type === 'added'),
  ],
})

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
