// Claims and the scheduler, on a real API server in this process; what binds and makes volumes
// is played by the test.

import { expect, test } from 'bun:test'
import { TestCluster } from '../../../test/support/cluster.ts'
import { aNode } from '../../../test/support/scheduling.ts'
import { nodes } from '../../api/kinds/core/node/row.ts'
import { persistentVolumes } from '../../api/kinds/core/persistentvolume/row.ts'
import { persistentVolumeClaims } from '../../api/kinds/core/persistentvolumeclaim/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import { storageClasses } from '../../api/kinds/storage/storageclass/row.ts'
import type { PersistentVolumeClaim } from '../../api/schema/generated/types.ts'
import { BIND_COMPLETED, SELECTED_NODE } from '../../api/volume/binding.ts'
import { Metrics } from '../../lib/metrics.ts'
import { createScheduler } from '../loop.ts'
import { PLUGINS } from './all.ts'

async function aCluster(): Promise<TestCluster> {
  const cluster = await TestCluster.start({
    components: ({ informers, clientAs, clock, random, log }) => [
      createScheduler({
        informers,
        clock,
        random,
        log,
        client: clientAs('scheduler'),
        metrics: new Metrics(),
        hostName: 'here',
        plugins: PLUGINS,
      }),
    ],
    asAdmin: true,
  })
  for (const name of ['a', 'b']) {
    const node = aNode(name)
    const labels = { ...node.metadata.labels, 'kubernetes.io/hostname': name }
    await cluster.create(nodes, { ...node, metadata: { ...node.metadata, labels } })
    await cluster.change(nodes, name, ({ spec }) => delete spec.taints)
  }
  const waits = { volumeBindingMode: 'WaitForFirstConsumer' }
  const metadata = { name: 'waits' }
  await cluster.create(storageClasses, { metadata, provisioner: 'example.com/x', ...waits })
  const fixed = { name: 'fixed' }
  const provisioner = 'kubernetes.io/no-provisioner'
  await cluster.create(storageClasses, { metadata: fixed, provisioner, ...waits })
  return cluster
}

async function claim(cluster: TestCluster, name: string, storageClassName: string) {
  const resources = { requests: { storage: '1Gi' } }
  const spec = { accessModes: ['ReadWriteOnce'], storageClassName, resources }
  await cluster.create(persistentVolumeClaims, { metadata: { name, namespace: 'default' }, spec })
}

async function volumeOn(cluster: TestCluster, name: string, node: string) {
  const requirement = { key: 'kubernetes.io/hostname', operator: 'In', values: [node] }
  await cluster.create(persistentVolumes, {
    metadata: { name },
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '2Gi' },
      local: { path: '/x' },
      storageClassName: 'fixed',
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [requirement] }] } },
    },
  })
  const made = (await cluster.get(persistentVolumes, name))!
  const status = { ...made.status, phase: 'Available' }
  await cluster.client.updateStatus(persistentVolumes, { ...made, status }, cluster.signal)
}

/** As the controller of claims does when all is said. */
async function bind(cluster: TestCluster, name: string, volumeName: string) {
  await cluster.change(persistentVolumeClaims, name, ({ metadata, spec }) => {
    spec.volumeName = volumeName
    metadata.annotations = { ...metadata.annotations, [BIND_COMPLETED]: 'yes' }
  })
  await cluster.advance(5000)
}

async function mount(cluster: TestCluster, name: string, claimName: string) {
  await cluster.create(pods, {
    metadata: { name, namespace: 'default' },
    spec: {
      containers: [{ name: 'c', image: 'i' }],
      volumes: [{ name: 'v', persistentVolumeClaim: { claimName } }],
    },
  })
  await cluster.settle()
}

const nodeOf = async (cluster: TestCluster, name: string) =>
  (await cluster.get(pods, name, 'default'))?.spec.nodeName
const messageOf = async (cluster: TestCluster, name: string) =>
  (await cluster.get(pods, name, 'default'))?.status?.conditions?.[0]?.message ?? ''
const claimOf = async (cluster: TestCluster, name: string): Promise<PersistentVolumeClaim> =>
  (await cluster.get(persistentVolumeClaims, name, 'default'))!

test('a claim that waits learns its node, and the pod is bound when the claim is', async () => {
  await using cluster = await aCluster()
  await claim(cluster, 'data', 'waits')
  await mount(cluster, 'p', 'data')
  const chosen = (await claimOf(cluster, 'data')).metadata.annotations?.[SELECTED_NODE]
  expect(['a', 'b']).toContain(chosen!)
  expect(await nodeOf(cluster, 'p')).toBeUndefined()
  await volumeOn(cluster, 'made', chosen!)
  await bind(cluster, 'data', 'made')
  expect(await nodeOf(cluster, 'p')).toBe(chosen)
})

test('volumes that are there draw the pod to their node, and go to one claim each', async () => {
  await using cluster = await aCluster()
  await volumeOn(cluster, 'only', 'b')
  await claim(cluster, 'one', 'fixed')
  await claim(cluster, 'two', 'fixed')
  await mount(cluster, 'p', 'one')
  await mount(cluster, 'q', 'two')
  const volume = await cluster.get(persistentVolumes, 'only')
  expect(volume?.spec.claimRef?.name).toBe('one')
  await bind(cluster, 'one', 'only')
  expect(await nodeOf(cluster, 'p')).toBe('b')
  expect(await messageOf(cluster, 'q')).toContain(
    "2 node(s) didn't find available persistent volumes to bind",
  )
  await volumeOn(cluster, 'another', 'a')
  await cluster.advance(15_000)
  await bind(cluster, 'two', 'another')
  expect(await nodeOf(cluster, 'q')).toBe('a')
})

test('a bound volume that no node reaches, or none at all, keeps a pod away', async () => {
  await using cluster = await aCluster()
  await volumeOn(cluster, 'far', 'elsewhere')
  await claim(cluster, 'bound', 'fixed')
  await bind(cluster, 'bound', 'far')
  await mount(cluster, 'p', 'bound')
  expect(await messageOf(cluster, 'p')).toContain(
    "2 node(s) didn't match PersistentVolume's node affinity",
  )
  await mount(cluster, 'q', 'missing')
  expect(await messageOf(cluster, 'q')).toContain('persistentvolumeclaim "missing" not found')
  await claim(cluster, 'now', 'immediate')
  await mount(cluster, 'r', 'now')
  expect(await messageOf(cluster, 'r')).toContain(
    'pod has unbound immediate PersistentVolumeClaims',
  )
})

test('a pod waits for the claim that it brings along, in words that say so', async () => {
  await using cluster = await aCluster()
  const spec = {
    accessModes: ['ReadWriteOnce'],
    storageClassName: 'fixed',
    resources: { requests: { storage: '1Gi' } },
  }
  await cluster.create(pods, {
    metadata: { name: 'p', namespace: 'default' },
    spec: {
      containers: [{ name: 'c', image: 'i' }],
      volumes: [{ name: 'v', ephemeral: { volumeClaimTemplate: { spec } } }],
    },
  })
  await cluster.settle()
  expect(await messageOf(cluster, 'p')).toStartWith(
    '0/2 nodes are available: waiting for ephemeral volume controller to create the' +
      ' persistentvolumeclaim "p-v".',
  )
})

test('when a node turns out not to do, the pod is tried again', async () => {
  await using cluster = await aCluster()
  await claim(cluster, 'data', 'waits')
  await mount(cluster, 'p', 'data')
  await cluster.change(persistentVolumeClaims, 'data', ({ metadata }) => {
    delete metadata.annotations?.[SELECTED_NODE]
  })
  await cluster.advance(20_000)
  const chosen = (await claimOf(cluster, 'data')).metadata.annotations?.[SELECTED_NODE]
  expect(['a', 'b']).toContain(chosen!)
  await volumeOn(cluster, 'made', chosen!)
  await bind(cluster, 'data', 'made')
  expect(await nodeOf(cluster, 'p')).toBe(chosen)
})
