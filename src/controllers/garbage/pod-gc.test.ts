import { describe, expect, test } from 'bun:test'
import { TestCluster } from '../../../test/support/cluster.ts'
import { nodes } from '../../api/kinds/core/node/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import type { Node, Pod } from '../../api/schema/generated/types.ts'
import { conditionOf } from '../conditions.ts'
import { isStuck, orphanedPodController, planFinished, podGcController } from './pod-gc.ts'

const aPod = (name: string, nodeName: string): Pod => ({
  metadata: { name, namespace: 'default' },
  spec: { nodeName, containers: [{ name: 'c', image: 'pause' }] },
})

async function aCluster(): Promise<TestCluster> {
  return TestCluster.start({ controllers: [podGcController, orphanedPodController()] })
}

describe('a pod of a node that is gone', () => {
  test('is removed after the node was missed for 40 s, and not before', async () => {
    await using cluster = await aCluster()
    await cluster.create(nodes, { metadata: { name: 'a' }, spec: {} })
    await cluster.runPod(await cluster.create(pods, aPod('p', 'a')), 'a')
    await cluster.remove(nodes, 'a')
    await cluster.advance(39_000)
    expect((await cluster.get(pods, 'p'))!.status!.phase).toBe('Running')
    await cluster.advance(2_000)
    expect(await cluster.get(pods, 'p')).toBeUndefined()
    expect(cluster.warnings).toEqual([])
  })

  test('tells how it ended to whoever holds it', async () => {
    await using cluster = await aCluster()
    const pod = aPod('p', 'never-there')
    pod.metadata.finalizers = ['example.com/hold']
    await cluster.create(pods, pod)
    await cluster.advance(45_000)
    const { status } = (await cluster.get(pods, 'p'))!
    expect(status!.phase).toBe('Failed')
    expect(conditionOf(status!.conditions, 'DisruptionTarget')).toMatchObject({
      reason: 'DeletionByPodGC',
      message: 'PodGC: node no longer exists',
    })
    await cluster.advance(120_000)
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('stays when the node comes back in time', async () => {
    await using cluster = await aCluster()
    await cluster.create(nodes, { metadata: { name: 'a' }, spec: {} })
    await cluster.create(pods, aPod('p', 'a'))
    await cluster.remove(nodes, 'a')
    await cluster.advance(30_000)
    await cluster.create(nodes, { metadata: { name: 'a' }, spec: {} })
    await cluster.advance(60_000)
    expect(await cluster.get(pods, 'p')).toBeDefined()
  })
})

describe('a terminating pod', () => {
  test('is removed when its node is declared out of service', async () => {
    await using cluster = await aCluster()
    await cluster.create(nodes, { metadata: { name: 'a' }, spec: {} })
    await cluster.runPod(await cluster.create(pods, aPod('p', 'a')), 'a')
    await cluster.remove(pods, 'p')
    expect(await cluster.get(pods, 'p')).toBeDefined()
    await cluster.change(nodes, 'a', ({ spec }) => {
      const taint = { key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' }
      spec.taints = [...(spec.taints ?? []), taint]
    })
    expect(await cluster.get(pods, 'p')).toBeUndefined()
  })

  test('is left to its node while that may still end it', () => {
    const going = aPod('p', 'a')
    going.metadata.deletionTimestamp = '2026-01-01T00:00:00Z'
    const node = { metadata: {}, spec: {} } as Node
    expect(isStuck(going, node)).toBe(false)
    expect(isStuck(going, undefined)).toBe(false)
    expect(isStuck({ ...going, spec: { containers: [] } }, undefined)).toBe(true)
    expect(isStuck(aPod('p', ''), undefined)).toBe(false)
  })
})

describe('planFinished', () => {
  const finished = (name: string, second: number, isEvicted = false): Pod => ({
    metadata: { name, creationTimestamp: `2026-01-01T00:00:0${second}Z` },
    spec: { containers: [] },
    status: { phase: 'Failed', ...(isEvicted ? { reason: 'Evicted' } : {}) },
  })

  test('removes evicted pods first, then the oldest, down to the limit', () => {
    const all = [finished('old', 1), finished('new', 3), finished('evicted', 2, true)]
    const names = (max: number) => planFinished(all, max).map(({ metadata }) => metadata.name)
    expect(names(3)).toEqual([])
    expect(names(2)).toEqual(['evicted'])
    expect(names(1)).toEqual(['evicted', 'old'])
  })
})
