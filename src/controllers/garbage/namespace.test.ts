import { describe, expect, test } from 'bun:test'
import { TestCluster } from '../../../test/support/cluster.ts'
import { builtInRows } from '../../api/kinds/all.ts'
import { configMaps } from '../../api/kinds/core/configmap/row.ts'
import { namespaces } from '../../api/kinds/core/namespace/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import { serviceAccounts } from '../../api/kinds/core/serviceaccount/row.ts'
import type { Namespace } from '../../api/schema/generated/types.ts'
import { conditionOf } from '../conditions.ts'
import { rootCaController } from '../identity/root-ca.ts'
import { serviceAccountController } from '../identity/serviceaccount.ts'
import { namespaceController, planConditions, planKinds, planRemaining } from './namespace.ts'

async function aCluster(): Promise<TestCluster> {
  const cluster = await TestCluster.start({
    controllers: [
      namespaceController(() => builtInRows),
      serviceAccountController,
      rootCaController(() => 'PEM'),
    ],
  })
  await cluster.create(namespaces, { metadata: { name: 'x' }, spec: {} })
  return cluster
}

const podIn = (namespace: string, nodeName?: string) => ({
  metadata: { name: 'p', namespace },
  spec: { containers: [{ name: 'c', image: 'pause' }], ...(nodeName ? { nodeName } : {}) },
})

describe('a new namespace', () => {
  test('gets an account and the root certificate, and gets them back', async () => {
    await using cluster = await aCluster()
    expect(await cluster.get(serviceAccounts, 'default', 'x')).toBeDefined()
    const map = await cluster.get(configMaps, 'kube-root-ca.crt', 'x')
    expect(map!.data).toEqual({ 'ca.crt': 'PEM' })
    expect(map!.metadata.annotations!['kubernetes.io/description']).toStartWith('Contains a CA')
    await cluster.remove(serviceAccounts, 'default', {}, 'x')
    await cluster.change(configMaps, 'kube-root-ca.crt', (draft) => (draft.data = {}), 'x')
    expect(await cluster.get(serviceAccounts, 'default', 'x')).toBeDefined()
    expect((await cluster.get(configMaps, 'kube-root-ca.crt', 'x'))!.data).toEqual({
      'ca.crt': 'PEM',
    })
    expect(cluster.warnings).toEqual([])
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })
})

describe('a namespace that is deleted', () => {
  test('is gone with all that was in it', async () => {
    await using cluster = await aCluster()
    await cluster.create(configMaps, { metadata: { name: 'm', namespace: 'x' } })
    await cluster.create(pods, podIn('x'))
    await cluster.remove(namespaces, 'x')
    expect(await cluster.get(namespaces, 'x')).toBeUndefined()
    expect(await cluster.list(configMaps, 'x')).toEqual([])
    expect(cluster.warnings).toEqual([])
  })

  test('waits for its pods before anything else goes', async () => {
    await using cluster = await aCluster()
    await cluster.create(configMaps, { metadata: { name: 'm', namespace: 'x' } })
    await cluster.create(pods, podIn('x', 'node-a'))
    await cluster.remove(namespaces, 'x')
    expect((await cluster.get(namespaces, 'x'))!.status!.phase).toBe('Terminating')
    expect(await cluster.get(configMaps, 'm', 'x')).toBeDefined()
    await cluster.remove(pods, 'p', { gracePeriodSeconds: 0 }, 'x')
    expect(await cluster.get(namespaces, 'x')).toBeUndefined()
  })

  test('says what holds it, and goes when that lets go', async () => {
    await using cluster = await aCluster()
    const metadata = { name: 'm', namespace: 'x', finalizers: ['example.com/hold'] }
    await cluster.create(configMaps, { metadata })
    await cluster.remove(namespaces, 'x')
    const { conditions } = (await cluster.get(namespaces, 'x'))!.status!
    expect(conditionOf(conditions, 'NamespaceContentRemaining')).toMatchObject({
      status: 'True',
      reason: 'SomeResourcesRemain',
      message: 'Some resources are remaining: configmaps. has 1 resource instances',
    })
    expect(conditionOf(conditions, 'NamespaceFinalizersRemaining')).toMatchObject({
      reason: 'SomeFinalizersRemain',
      message:
        'Some content in the namespace has finalizers remaining: ' +
        'example.com/hold in 1 resource instances',
    })
    expect(conditionOf(conditions, 'NamespaceDeletionContentFailure')).toMatchObject({
      status: 'False',
      reason: 'ContentDeleted',
    })
    await cluster.change(configMaps, 'm', ({ metadata }) => (metadata.finalizers = []), 'x')
    await cluster.advance(10_000)
    expect(await cluster.get(namespaces, 'x')).toBeUndefined()
  })
})

describe('the plans for a namespace', () => {
  const namespace: Namespace = {
    metadata: { name: 'x', deletionTimestamp: '2026-01-01T00:00:00Z' },
    spec: {},
  }
  const atMs = Date.UTC(2026, 0, 1)

  test('take every kind once, and pods apart', () => {
    const kinds = planKinds(builtInRows)
    const prefixes = kinds.map(({ storagePrefix }) => storagePrefix)
    expect(new Set(prefixes).size).toBe(prefixes.length)
    expect(prefixes).not.toContain('pods')
    expect(kinds.every(({ scope }) => scope === 'Namespaced')).toBe(true)
  })

  test('wait as long as the longest grace that is left', () => {
    const pod = (seconds: number) => ({ metadata: { deletionGracePeriodSeconds: seconds } })
    const left = [pod(10), pod(30)]
    expect(planRemaining(pods, left, namespace, atMs).waitSeconds).toBe(30)
    expect(planRemaining(pods, left, namespace, atMs + 20_000).waitSeconds).toBe(10)
    expect(planRemaining(pods, left, namespace, atMs + 60_000).waitSeconds).toBe(15)
    expect(planRemaining(configMaps, [{ metadata: {} }], namespace, atMs).waitSeconds).toBe(0)
  })

  test('say that all is well when it is', () => {
    const fine = { remaining: [], failures: [], waitsForPods: false }
    const conditions = planConditions(namespace, fine, atMs)
    expect(conditions.map(({ status }) => status)).toEqual(Array(5).fill('False'))
    expect(planConditions({ ...namespace, status: { conditions } }, fine, atMs + 1000)).toEqual(
      conditions,
    )
  })
})
