// What volumes say to where a pod can be, for the plug-ins that choose no volume.

import { describe, expect, test } from 'bun:test'
import { aNode, aPod, testPlugins } from '../../../test/support/scheduling.ts'
import { persistentVolumes } from '../../api/kinds/core/persistentvolume/row.ts'
import { persistentVolumeClaims } from '../../api/kinds/core/persistentvolumeclaim/row.ts'
import { csiNodes } from '../../api/kinds/storage/csinode/row.ts'
import { storageClasses } from '../../api/kinds/storage/storageclass/row.ts'
import { volumeAttachments } from '../../api/kinds/storage/volumeattachment/row.ts'
import type { AnyRow } from '../../api/resource.ts'
import type { Node, Pod, PodSpec } from '../../api/schema/generated/types.ts'
import { Cluster } from '../cluster.ts'
import { placePod } from '../place.ts'

type Known = Parameters<typeof testPlugins>
/** Binding is not the matter here. */
const ASKED = ['VolumeRestrictions', 'NodeVolumeLimits', 'VolumeZone']

function why(pod: Pod, nodes: Node[], running: [Pod, string][], ...known: Known): string {
  const cluster = new Cluster()
  for (const node of nodes) cluster.setNode(node)
  for (const [other, nodeName] of running) cluster.setPod(other, nodeName)
  const plugins = testPlugins(...known).filter(({ name }) => ASKED.includes(name))
  const placement = placePod(pod, cluster, { plugins, dice: () => 0 })
  return placement.ok ? placement.nodeName : placement.message
}

function mounting(...names: string[]): Partial<PodSpec> {
  const volumes = names.map((claimName) => ({
    name: claimName,
    persistentVolumeClaim: { claimName },
  }))
  return { volumes }
}

function claim(name: string, spec: object) {
  return { metadata: { name, namespace: 'default' }, spec }
}

const all = (row: unknown, ...objects: object[]) => [row as AnyRow, objects] as Known[number]

describe('VolumeRestrictions', () => {
  const claims = all(
    persistentVolumeClaims,
    claim('alone', { accessModes: ['ReadWriteOncePod'], volumeName: 'v' }),
    claim('shared', { accessModes: ['ReadWriteOnce'], volumeName: 'v' }),
  )
  const inUse =
    '0/2 nodes are available: 2 node(s) unavailable due to PersistentVolumeClaim with ' +
    'ReadWriteOncePod access mode already in-use by another pod.'

  test('lets one pod alone use what is for one pod', () => {
    const nodes = [aNode('a'), aNode('b')]
    const running: [Pod, string][] = [[aPod(mounting('alone', 'shared')), 'b']]
    const volumes = all(persistentVolumes, { metadata: { name: 'v' }, spec: {} })
    expect(why(aPod(mounting('alone')), nodes, running, claims, volumes)).toContain(inUse)
    const elsewhere = aPod(mounting('alone'), {}, { namespace: 'other' })
    const others: [Pod, string][] = [[elsewhere, 'b']]
    expect(why(aPod(mounting('alone')), nodes, others, claims, volumes)).toBe('a')
    expect(why(aPod(mounting('shared')), nodes, running, claims, volumes)).toBe('a')
  })

  test('waits for a claim that is not there', () => {
    expect(why(aPod(mounting('none')), [aNode('a')], [])).toBe(
      '0/1 nodes are available: persistentvolumeclaim "none" not found.',
    )
  })
})

describe('VolumeZone', () => {
  const zone = 'topology.kubernetes.io/zone'
  const claims = all(persistentVolumeClaims, claim('c', { volumeName: 'v' }))
  const volume = (labels: object) =>
    all(persistentVolumes, { metadata: { name: 'v', labels }, spec: {} })
  const zoned = (name: string, value: string) => aNode(name, { labels: { [zone]: value } })
  const refused = '0/1 nodes are available: 1 node(s) had no available volume zone.'

  test('keeps to the zones of the volume, by old and new labels', () => {
    const pod = aPod(mounting('c'))
    for (const key of [zone, 'failure-domain.beta.kubernetes.io/zone']) {
      const several = volume({ [key]: 'east__west' })
      expect(why(pod, [zoned('a', 'east')], [], claims, several)).toBe('a')
      expect(why(pod, [zoned('a', 'west')], [], claims, several)).toBe('a')
      expect(why(pod, [zoned('a', 'north')], [], claims, several)).toBe(refused)
    }
    expect(why(pod, [aNode('a')], [], claims, volume({ [zone]: 'east' }))).toBe('a')
    expect(why(pod, [zoned('a', 'east')], [], claims, volume({}))).toBe('a')
  })

  test('says what it waits for', () => {
    const pod = aPod(mounting('c'))
    const nodes = [aNode('a')]
    const says = (...known: Known) => why(pod, nodes, [], ...known).split('available: ')[1]
    expect(says(claims)).toBe('persistentvolume "v" not found.')
    const unbound = all(persistentVolumeClaims, claim('c', { storageClassName: 's' }))
    expect(says(unbound)).toBe('storageclass.storage.k8s.io "s" not found.')
    const mode = (volumeBindingMode: string) =>
      all(storageClasses, { metadata: { name: 's' }, provisioner: 'p', volumeBindingMode })
    expect(says(unbound, mode('Immediate'))).toBe('PersistentVolume had no name.')
    expect(why(pod, nodes, [], unbound, mode('WaitForFirstConsumer'))).toBe('a')
  })
})

describe('NodeVolumeLimits', () => {
  const csi = (name: string) => ({
    metadata: { name },
    spec: { csi: { driver: 'd', volumeHandle: name } },
  })
  const volumes = all(persistentVolumes, csi('1'), csi('2'), csi('3'))
  const claims = all(
    persistentVolumeClaims,
    ...['1', '2', '3'].map((name) => claim(name, { volumeName: name })),
    claim('coming', { storageClassName: 's' }),
  )
  const classes = all(storageClasses, {
    metadata: { name: 's' },
    provisioner: 'd',
    volumeBindingMode: 'WaitForFirstConsumer',
  })
  const limit = (count: number) =>
    all(csiNodes, {
      metadata: { name: 'a' },
      spec: { drivers: [{ name: 'd', nodeID: 'a', allocatable: { count } }] },
    })
  const refused = '0/1 nodes are available: 1 node(s) exceed max volume count.'
  const place = (pod: Pod, running: Pod[], ...known: Known) => {
    const placed = running.map((one): [Pod, string] => [one, 'a'])
    return why(pod, [aNode('a')], placed, volumes, claims, classes, ...known)
  }

  test('counts each volume once, whoever mounts it', () => {
    const running = [aPod(mounting('1')), aPod(mounting('1', '2'))]
    expect(place(aPod(mounting('3')), running, limit(3))).toBe('a')
    expect(place(aPod(mounting('3')), running, limit(2))).toBe(refused)
    expect(place(aPod(mounting('2')), running, limit(2))).toBe('a')
    expect(place(aPod(mounting('3')), running)).toBe('a')
  })

  test('counts what is attached without a pod, and what is still to be made', () => {
    const attached = all(volumeAttachments, {
      metadata: { name: 'x' },
      spec: { attacher: 'd', nodeName: 'a', source: { persistentVolumeName: '2' } },
    })
    expect(place(aPod(mounting('1')), [], limit(1), attached)).toBe(refused)
    expect(place(aPod(mounting('1')), [], limit(2), attached)).toBe('a')
    expect(place(aPod(mounting('coming')), [aPod(mounting('1'))], limit(1))).toBe(refused)
    expect(place(aPod(mounting('coming')), [aPod(mounting('1'))], limit(2))).toBe('a')
  })
})
