import { describe, expect, test } from 'bun:test'
import { TestCluster } from '../../../test/support/cluster.ts'
import { nodes } from '../../api/kinds/core/node/row.ts'
import { persistentVolumes } from '../../api/kinds/core/persistentvolume/row.ts'
import { persistentVolumeClaims } from '../../api/kinds/core/persistentvolumeclaim/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import { events } from '../../api/kinds/events/event/row.ts'
import { storageClasses } from '../../api/kinds/storage/storageclass/row.ts'
import { volumeAttributesClasses } from '../../api/kinds/storage/volumeattributesclass/row.ts'
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
} from '../../api/schema/generated/types.ts'
import { LOCAL_CLASS, VOLUMES_FOLDER } from '../../api/volume/local.ts'
import { claimBindingController } from './claim-binder.ts'
import { ephemeralVolumeController } from './ephemeral.ts'
import { localProvisioner } from './local-provisioner.ts'
import { localRemover } from './local-remover.ts'
import {
  attributesProtectionController,
  claimProtectionController,
  volumeProtectionController,
} from './protection.ts'
import { volumeBindingController } from './volume-binder.ts'

class World {
  readonly removed: string[] = []
  nodeAnswers = true

  async start(): Promise<TestCluster> {
    return TestCluster.start({
      controllers: [
        ...[claimBindingController(), volumeBindingController, ephemeralVolumeController],
        ...[claimProtectionController, volumeProtectionController],
        ...[attributesProtectionController, localProvisioner()],
        localRemover(async (_client, { node, volume }) => {
          if (!this.nodeAnswers) throw new Error(`node ${node} does not answer`)
          this.removed.push(`${node} ${volume}`)
        }),
      ],
    })
  }
}

const aVolume = (name: string, spec: Partial<PersistentVolume['spec']> = {}): PersistentVolume => ({
  metadata: { name },
  spec: {
    accessModes: ['ReadWriteOnce'],
    capacity: { storage: '1Gi' },
    hostPath: { path: '/x' },
    storageClassName: 'manual',
    ...spec,
  },
})

const aClaim = (
  name: string,
  spec: Partial<PersistentVolumeClaim['spec']> = {},
): PersistentVolumeClaim => ({
  metadata: { name, namespace: 'default' },
  spec: {
    accessModes: ['ReadWriteOnce'],
    storageClassName: 'manual',
    resources: { requests: { storage: '1Gi' } },
    ...spec,
  },
})

const aPod = (name: string, volumes: NonNullable<Pod['spec']['volumes']>): Pod => ({
  metadata: { name, namespace: 'default' },
  spec: { containers: [{ name: 'c', image: 'i' }], volumes },
})

const claimOf = async (cluster: TestCluster, name: string) =>
  (await cluster.get(persistentVolumeClaims, name, 'default'))!
const volumeOf = async (cluster: TestCluster, name: string) =>
  (await cluster.get(persistentVolumes, name))!
const reasonsOf = async (cluster: TestCluster) =>
  (await cluster.list(events)).map(({ reason, message }) => `${reason}: ${message}`)

describe('binding', () => {
  test('a claim gets the smallest volume that will do, and both say so', async () => {
    await using cluster = await new World().start()
    await cluster.create(persistentVolumes, aVolume('large', { capacity: { storage: '5Gi' } }))
    await cluster.create(persistentVolumes, aVolume('small', { capacity: { storage: '500Mi' } }))
    await cluster.create(persistentVolumes, aVolume('fits', { capacity: { storage: '2Gi' } }))
    await cluster.create(
      persistentVolumes,
      aVolume('more', { accessModes: ['ReadWriteOnce', 'ReadOnlyMany'] }),
    )
    await cluster.settle()
    expect((await volumeOf(cluster, 'fits')).status?.phase).toBe('Available')
    await cluster.create(persistentVolumeClaims, aClaim('a'))
    await cluster.settle()
    const claim = await claimOf(cluster, 'a')
    expect(claim.spec.volumeName).toBe('fits')
    expect(claim.metadata.annotations).toEqual({
      'pv.kubernetes.io/bind-completed': 'yes',
      'pv.kubernetes.io/bound-by-controller': 'yes',
    })
    expect(claim.status).toEqual({
      phase: 'Bound',
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '2Gi' },
    })
    const volume = await volumeOf(cluster, 'fits')
    expect(volume.status?.phase).toBe('Bound')
    expect(volume.spec.claimRef).toMatchObject({ name: 'a', uid: claim.metadata.uid! })
    expect(await cluster.writesOfOneMorePass()).toEqual([])
    expect(cluster.warnings).toEqual([])
  })

  test('claims wait for a volume, whichever of the two comes first', async () => {
    await using cluster = await new World().start()
    const names = ['a', 'b', 'c', 'd']
    for (const name of names) await cluster.create(persistentVolumeClaims, aClaim(name))
    await cluster.settle()
    expect((await claimOf(cluster, 'a')).status?.phase).toBe('Pending')
    for (const name of names) await cluster.create(persistentVolumes, aVolume(`v-${name}`))
    await cluster.advance(10_000)
    const claims = await cluster.list(persistentVolumeClaims, 'default')
    expect(claims.map(({ status }) => status?.phase)).toEqual(names.map(() => 'Bound'))
    expect(new Set(claims.map(({ spec }) => spec.volumeName)).size).toBe(names.length)
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('selectors, modes and the wish of a volume are heeded', async () => {
    await using cluster = await new World().start()
    await cluster.create(persistentVolumes, aVolume('plain'))
    const labelled = aVolume('labelled', { capacity: { storage: '9Gi' } })
    labelled.metadata.labels = { tier: 'x' }
    await cluster.create(persistentVolumes, labelled)
    const reserved = { claimRef: { namespace: 'default', name: 'reserved' } }
    await cluster.create(persistentVolumes, aVolume('kept', { ...reserved, storageClassName: 'q' }))
    await cluster.settle()
    const selector = { matchLabels: { tier: 'x' } }
    await cluster.create(persistentVolumeClaims, aClaim('selects', { selector }))
    await cluster.create(persistentVolumeClaims, aClaim('block', { volumeMode: 'Block' }))
    await cluster.create(persistentVolumeClaims, aClaim('reserved'))
    await cluster.settle()
    expect((await claimOf(cluster, 'selects')).spec.volumeName).toBe('labelled')
    expect((await claimOf(cluster, 'block')).status?.phase).toBe('Pending')
    expect((await claimOf(cluster, 'reserved')).spec.volumeName).toBe('kept')
    expect((await volumeOf(cluster, 'kept')).metadata.annotations).toBeUndefined()
  })

  test('a volume that was asked for by name must fit', async () => {
    await using cluster = await new World().start()
    await cluster.create(persistentVolumes, aVolume('v', { capacity: { storage: '1Mi' } }))
    await cluster.create(persistentVolumeClaims, aClaim('a', { volumeName: 'v' }))
    await cluster.settle()
    expect(await reasonsOf(cluster)).toContain(
      'VolumeMismatch: Cannot bind to requested volume "v": requested PV is too small',
    )
    expect((await claimOf(cluster, 'a')).status?.phase).toBe('Pending')
  })

  test('a claim without a class gets the default that comes later', async () => {
    await using cluster = await new World().start()
    const { storageClassName: _class, ...spec } = aClaim('a').spec
    await cluster.create(persistentVolumeClaims, { metadata: aClaim('a').metadata, spec })
    await cluster.settle()
    expect(await reasonsOf(cluster)).toContain(
      'FailedBinding: no persistent volumes available for this claim and no storage class is set',
    )
    await cluster.create(storageClasses, LOCAL_CLASS)
    await cluster.settle()
    expect((await claimOf(cluster, 'a')).spec.storageClassName).toBe('local')
    expect(await reasonsOf(cluster)).toContain(
      'WaitForFirstConsumer: waiting for first consumer to be created before binding',
    )
  })

  test('a bound claim whose volume is gone is lost', async () => {
    await using cluster = await new World().start()
    await cluster.create(persistentVolumes, aVolume('v'))
    await cluster.create(persistentVolumeClaims, aClaim('a'))
    await cluster.settle()
    await cluster.remove(persistentVolumes, 'v')
    await cluster.change(persistentVolumes, 'v', ({ metadata }) => delete metadata.finalizers)
    await cluster.settle()
    expect((await claimOf(cluster, 'a')).status).toEqual({ phase: 'Lost' })
    expect(await reasonsOf(cluster)).toContain(
      'ClaimLost: Bound claim has lost its PersistentVolume. Data on the volume is lost!',
    )
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })
})

describe('the end', () => {
  test('a volume is released with its claim, and kept', async () => {
    await using cluster = await new World().start()
    await cluster.create(persistentVolumes, aVolume('v'))
    await cluster.create(persistentVolumeClaims, aClaim('a'))
    await cluster.settle()
    await cluster.remove(persistentVolumeClaims, 'a')
    await cluster.settle()
    expect(await cluster.get(persistentVolumeClaims, 'a', 'default')).toBeUndefined()
    expect((await volumeOf(cluster, 'v')).status?.phase).toBe('Released')
    await cluster.create(persistentVolumeClaims, aClaim('a'))
    await cluster.settle()
    expect((await claimOf(cluster, 'a')).status?.phase).toBe('Pending')
    await cluster.change(persistentVolumes, 'v', ({ spec }) => delete spec.claimRef)
    await cluster.settle()
    expect((await claimOf(cluster, 'a')).status?.phase).toBe('Bound')
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('what nobody can delete or recycle fails, and says why', async () => {
    await using cluster = await new World().start()
    for (const persistentVolumeReclaimPolicy of ['Delete', 'Recycle']) {
      const name = persistentVolumeReclaimPolicy.toLowerCase()
      const claimRef = { namespace: 'default', name, uid: 'gone' }
      await cluster.create(
        persistentVolumes,
        aVolume(name, { persistentVolumeReclaimPolicy, claimRef }),
      )
    }
    await cluster.settle()
    expect((await volumeOf(cluster, 'recycle')).status).toMatchObject({
      phase: 'Failed',
      message: 'No recycler plugin found for the volume!',
    })
    expect((await volumeOf(cluster, 'delete')).status).toMatchObject({
      phase: 'Failed',
      message:
        'error getting deleter volume plugin for volume "delete": no deletable volume plugin matched',
    })
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('a claim stays while a pod with a node mounts it, a volume while it is bound', async () => {
    await using cluster = await new World().start()
    await cluster.create(persistentVolumes, aVolume('v'))
    await cluster.create(persistentVolumeClaims, aClaim('a'))
    const pod = aPod('p', [{ name: 'd', persistentVolumeClaim: { claimName: 'a' } }])
    await cluster.create(pods, { ...pod, spec: { ...pod.spec, nodeName: 'n' } })
    await cluster.settle()
    await cluster.remove(persistentVolumeClaims, 'a')
    await cluster.remove(persistentVolumes, 'v')
    await cluster.settle()
    expect((await claimOf(cluster, 'a')).metadata.finalizers).toEqual([
      'kubernetes.io/pvc-protection',
    ])
    expect((await volumeOf(cluster, 'v')).metadata.finalizers).toEqual([
      'kubernetes.io/pv-protection',
    ])
    await cluster.client.delete(
      pods,
      { namespace: 'default', name: 'p' },
      { gracePeriodSeconds: 0 },
      cluster.signal,
    )
    await cluster.settle()
    expect(await cluster.get(persistentVolumeClaims, 'a', 'default')).toBeUndefined()
    expect(await cluster.get(persistentVolumes, 'v')).toBeUndefined()
  })

  test('a class of attributes stays while a claim asks for it', async () => {
    await using cluster = await new World().start()
    const metadata = { name: 'gold' }
    const gold = { metadata, driverName: 'd.example.com', parameters: { a: 'b' } }
    await cluster.create(volumeAttributesClasses, gold)
    await cluster.create(persistentVolumeClaims, aClaim('a', { volumeAttributesClassName: 'gold' }))
    await cluster.settle()
    await cluster.remove(volumeAttributesClasses, 'gold')
    await cluster.settle()
    expect(await cluster.get(volumeAttributesClasses, 'gold')).toBeDefined()
    await cluster.remove(persistentVolumeClaims, 'a')
    await cluster.settle()
    expect(await cluster.get(volumeAttributesClasses, 'gold')).toBeUndefined()
  })
})

describe('ephemeral volumes', () => {
  const template = {
    metadata: { labels: { l: 'm' } },
    spec: aClaim('x').spec,
  }

  test('a pod brings its claim, which belongs to it', async () => {
    await using cluster = await new World().start()
    const pod = await cluster.create(
      pods,
      aPod('p', [{ name: 'd', ephemeral: { volumeClaimTemplate: template } }]),
    )
    await cluster.settle()
    const claim = await claimOf(cluster, 'p-d')
    expect(claim.metadata.labels).toEqual({ l: 'm' })
    expect(claim.metadata.ownerReferences).toEqual([
      {
        apiVersion: 'v1',
        kind: 'Pod',
        name: 'p',
        uid: pod.metadata.uid!,
        controller: true,
        blockOwnerDeletion: true,
      },
    ])
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test("somebody else's claim of that name is left alone", async () => {
    await using cluster = await new World().start()
    await cluster.create(persistentVolumeClaims, aClaim('p-d'))
    const volume = { name: 'd', ephemeral: { volumeClaimTemplate: template } }
    await cluster.create(pods, aPod('p', [volume]))
    await cluster.settle()
    expect(await reasonsOf(cluster)).toContain(
      'FailedBinding: ephemeral volume d: PVC default/p-d was not created for pod default/p' +
        ' (pod is not owner)',
    )
  })
})

describe('local volumes', () => {
  async function aClaimOnNode(world: World): Promise<TestCluster> {
    const cluster = await world.start()
    await cluster.create(storageClasses, LOCAL_CLASS)
    const annotations = { [VOLUMES_FOLDER]: '/data/volumes' }
    await cluster.create(nodes, { metadata: { name: 'n', annotations }, spec: {} })
    const claim = aClaim('a', { storageClassName: 'local' })
    claim.metadata.annotations = { 'volume.kubernetes.io/selected-node': 'n' }
    await cluster.create(persistentVolumeClaims, claim)
    await cluster.settle()
    return cluster
  }

  test('a volume is made on the chosen node, and goes with its claim', async () => {
    const world = new World()
    await using cluster = await aClaimOnNode(world)
    const claim = await claimOf(cluster, 'a')
    const name = `pvc-${claim.metadata.uid}`
    expect(claim).toMatchObject({ spec: { volumeName: name }, status: { phase: 'Bound' } })
    const volume = await volumeOf(cluster, name)
    expect(volume.spec).toMatchObject({
      local: { path: `/data/volumes/${name}` },
      persistentVolumeReclaimPolicy: 'Delete',
      storageClassName: 'local',
      capacity: { storage: '1Gi' },
    })
    expect(await cluster.writesOfOneMorePass()).toEqual([])
    world.nodeAnswers = false
    await cluster.remove(persistentVolumeClaims, 'a')
    await cluster.settle()
    expect((await volumeOf(cluster, name)).metadata.deletionTimestamp).toBeDefined()
    expect(world.removed).toEqual([])
    world.nodeAnswers = true
    await cluster.advance(60_000)
    expect(world.removed).toEqual([`n ${name}`])
    expect(await cluster.get(persistentVolumes, name)).toBeUndefined()
  })

  test('the folder of a volume that is retained stays', async () => {
    const world = new World()
    await using cluster = await aClaimOnNode(world)
    const name = (await claimOf(cluster, 'a')).spec.volumeName!
    await cluster.change(persistentVolumes, name, ({ spec }) => {
      spec.persistentVolumeReclaimPolicy = 'Retain'
    })
    await cluster.remove(persistentVolumeClaims, 'a')
    await cluster.settle()
    expect((await volumeOf(cluster, name)).status?.phase).toBe('Released')
    await cluster.remove(persistentVolumes, name)
    await cluster.settle()
    expect(await cluster.get(persistentVolumes, name)).toBeUndefined()
    expect(world.removed).toEqual([])
  })

  test('with its node the volume goes too', async () => {
    const world = new World()
    await using cluster = await aClaimOnNode(world)
    const name = (await claimOf(cluster, 'a')).spec.volumeName!
    world.nodeAnswers = false
    await cluster.remove(persistentVolumeClaims, 'a')
    await cluster.settle()
    await cluster.remove(nodes, 'n')
    await cluster.settle()
    expect(await cluster.get(persistentVolumes, name)).toBeUndefined()
    expect(world.removed).toEqual([])
  })

  test('a node that keeps no volumes is not chosen for good', async () => {
    await using cluster = await new World().start()
    await cluster.create(storageClasses, LOCAL_CLASS)
    const claim = aClaim('a', { storageClassName: 'local' })
    claim.metadata.annotations = { 'volume.kubernetes.io/selected-node': 'away' }
    await cluster.create(persistentVolumeClaims, claim)
    await cluster.settle()
    const { annotations } = (await claimOf(cluster, 'a')).metadata
    expect(annotations?.['volume.kubernetes.io/selected-node']).toBeUndefined()
    expect((await reasonsOf(cluster)).join()).toContain('node "away" not found')
  })
})
