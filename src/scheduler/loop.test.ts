// The scheduler on a real API server in this process.

import { describe, expect, test } from 'bun:test'
import { TestCluster } from '../../test/support/cluster.ts'
import { aNode, asking } from '../../test/support/scheduling.ts'
import { nodes } from '../api/kinds/core/node/row.ts'
import { pods } from '../api/kinds/core/pod/row.ts'
import { groupEvents } from '../api/kinds/events/event/row.ts'
import { priorityClasses } from '../api/kinds/scheduling/priorityclass/row.ts'
import type { Node, Pod, PodSpec } from '../api/schema/generated/types.ts'
import { Metrics } from '../lib/metrics.ts'
import { type MakePlugin, open } from './framework.ts'
import { createScheduler } from './loop.ts'
import { PLUGINS } from './plugins/all.ts'

async function aCluster(more: readonly MakePlugin[] = []): Promise<TestCluster> {
  const cluster = await TestCluster.start({
    components: ({ informers, clientAs, clock, random, log }) => [
      createScheduler({
        ...{ informers, clock, random, log },
        client: clientAs('scheduler'),
        metrics: new Metrics(),
        hostName: 'here',
        plugins: [...more, ...PLUGINS],
      }),
    ],
    asAdmin: true,
  })
  for (const [name, value] of [
    ['low', 1],
    ['high', 1000],
  ] as const) {
    await cluster.create(priorityClasses, { metadata: { name }, value })
  }
  return cluster
}

/** A node without the taint that each begins with. */
async function addNode(cluster: TestCluster, node: Node) {
  await cluster.create(nodes, node)
  const made = await cluster.client.get(nodes, { name: node.metadata.name! }, cluster.signal)
  const { taints: _, ...spec } = made.spec
  await cluster.client.update(nodes, { ...made, spec }, cluster.signal)
  await cluster.settle()
}

async function create(cluster: TestCluster, name: string, spec: Partial<PodSpec> = {}) {
  const containers = [{ name: 'c', image: 'i' }]
  await cluster.create(pods, {
    metadata: { name, namespace: 'default', labels: { name } },
    spec: { containers, ...spec },
  })
  await cluster.settle()
}

/** As a kubelet would: the pod has ended, and is no more. */
async function end(cluster: TestCluster, name: string) {
  const where = { namespace: 'default', name }
  await cluster.client.delete(pods, where, { gracePeriodSeconds: 0 }, cluster.signal)
  await cluster.settle()
}

async function podNamed(cluster: TestCluster, name: string): Promise<Pod> {
  return cluster.client.get(pods, { namespace: 'default', name }, cluster.signal)
}

async function nodeOf(cluster: TestCluster, name: string) {
  return (await podNamed(cluster, name)).spec?.nodeName
}

async function scheduledOf(cluster: TestCluster, name: string) {
  const { status } = await podNamed(cluster, name)
  return status?.conditions?.find(({ type }) => type === 'PodScheduled')
}

async function notesOf(cluster: TestCluster, name: string) {
  const { items } = await cluster.client.list(groupEvents, {}, cluster.signal)
  const about = items.filter(({ regarding }) => regarding?.name === name)
  return about.map(({ reason, action, note }) => ({ reason, action, note }))
}

const SMALL = { allocatable: { cpu: '1', memory: '1Gi', pods: '10' } }

describe('the scheduler', () => {
  test('binds a pod, and says so', async () => {
    await using cluster = await aCluster()
    await addNode(cluster, aNode('a'))
    await create(cluster, 'p')
    expect(await nodeOf(cluster, 'p')).toBe('a')
    expect(await notesOf(cluster, 'p')).toEqual([
      {
        reason: 'Scheduled',
        action: 'Binding',
        note: 'Successfully assigned default/p to a',
      },
    ])
  })

  test('says once why a pod has no node, and writes nothing more while that is so', async () => {
    await using cluster = await aCluster()
    await create(cluster, 'p')
    const scheduled = await scheduledOf(cluster, 'p')
    expect(scheduled).toMatchObject({
      status: 'False',
      reason: 'Unschedulable',
      message: 'no nodes available to schedule pods',
    })
    const written = cluster.writes.length
    await cluster.clock.advance(10 * 60_000)
    await cluster.settle()
    expect(cluster.writes.slice(written)).toEqual([])
    await addNode(cluster, aNode('a'))
    await cluster.clock.advance(10_000)
    await cluster.settle()
    expect(await nodeOf(cluster, 'p')).toBe('a')
  })

  test('holds a pod back while it has a gate', async () => {
    await using cluster = await aCluster()
    await addNode(cluster, aNode('a'))
    await create(cluster, 'p', { schedulingGates: [{ name: 'x' }, { name: 'y' }] })
    expect(await scheduledOf(cluster, 'p')).toMatchObject({ reason: 'SchedulingGated' })
    const pod = await podNamed(cluster, 'p')
    const { schedulingGates: _, ...spec } = pod.spec
    await cluster.client.update(pods, { ...pod, spec }, cluster.signal)
    await cluster.settle()
    expect(await nodeOf(cluster, 'p')).toBe('a')
  })

  test('tries again when room comes free', async () => {
    await using cluster = await aCluster()
    await addNode(cluster, aNode('a', { status: SMALL }))
    await create(cluster, 'first', asking('800m'))
    await create(cluster, 'second', asking('800m'))
    expect(await nodeOf(cluster, 'second')).toBeUndefined()
    await end(cluster, 'first')
    expect(await nodeOf(cluster, 'second')).toBe('a')
  })
})

describe('preemption', () => {
  async function aFullNode(): Promise<TestCluster> {
    const cluster = await aCluster()
    await addNode(cluster, aNode('a', { status: SMALL }))
    await create(cluster, 'low', { ...asking('800m'), priorityClassName: 'low' })
    expect(await nodeOf(cluster, 'low')).toBe('a')
    return cluster
  }

  test('removes the less important, and binds when they are gone', async () => {
    await using cluster = await aFullNode()
    await create(cluster, 'high', { ...asking('800m'), priorityClassName: 'high' })
    const victim = await podNamed(cluster, 'low')
    expect(victim.metadata.deletionTimestamp).toBeDefined()
    const target = victim.status?.conditions?.find(({ type }) => type === 'DisruptionTarget')
    expect(target).toMatchObject({
      status: 'True',
      reason: 'PreemptionByScheduler',
      message: 'default-scheduler: preempting to accommodate a higher priority pod',
    })
    const high = await podNamed(cluster, 'high')
    expect(high.status?.nominatedNodeName).toBe('a')
    expect((await scheduledOf(cluster, 'high'))?.message).toBe(
      '0/1 nodes are available: 1 Insufficient cpu.',
    )
    expect(await notesOf(cluster, 'low')).toContainEqual({
      reason: 'Preempted',
      action: 'Preempting',
      note: `Preempted by pod ${high.metadata.uid} on node a`,
    })
    await end(cluster, 'low')
    const bound = await podNamed(cluster, 'high')
    expect(bound.spec.nodeName).toBe('a')
    expect(bound.status?.nominatedNodeName).toBeUndefined()
    expect(cluster.warnings).toEqual([])
  })

  test('keeps the room for whom it was made, but not from the more important', async () => {
    await using cluster = await aFullNode()
    await cluster.create(priorityClasses, { metadata: { name: 'higher' }, value: 2000 })
    await create(cluster, 'high', { ...asking('800m'), priorityClassName: 'high' })
    await create(cluster, 'sly', { ...asking('300m'), priorityClassName: 'low' })
    await create(cluster, 'higher', { ...asking('800m'), priorityClassName: 'higher' })
    await end(cluster, 'low')
    expect(await nodeOf(cluster, 'higher')).toBe('a')
    expect(await nodeOf(cluster, 'high')).toBeUndefined()
    expect(await nodeOf(cluster, 'sly')).toBeUndefined()
  })

  test('does not remove more while the first victims are going', async () => {
    await using cluster = await aFullNode()
    await create(cluster, 'other', { ...asking('100m'), priorityClassName: 'low' })
    await create(cluster, 'passing', asking('50m'))
    await create(cluster, 'high', { ...asking('800m'), priorityClassName: 'high' })
    await end(cluster, 'passing')
    await cluster.clock.advance(20_000)
    await cluster.settle()
    expect((await podNamed(cluster, 'other')).metadata.deletionTimestamp).toBeUndefined()
    expect((await scheduledOf(cluster, 'high'))?.message).toBe(
      '0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, ' +
        'preemption: not eligible due to a terminating pod on the nominated node.',
    )
  })

  test('is not for pods that must not preempt', async () => {
    await using cluster = await aFullNode()
    const preemptionPolicy = 'Never'
    await cluster.create(priorityClasses, {
      ...{ metadata: { name: 'patient' }, value: 1000, preemptionPolicy },
    })
    await create(cluster, 'p', { ...asking('800m'), priorityClassName: 'patient' })
    expect((await podNamed(cluster, 'low')).metadata.deletionTimestamp).toBeUndefined()
    expect((await scheduledOf(cluster, 'p'))?.message).toBe(
      '0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, ' +
        'preemption: not eligible due to preemptionPolicy=Never.',
    )
  })

  test('gives up a nomination for a node that can no longer be', async () => {
    await using cluster = await aFullNode()
    await create(cluster, 'high', { ...asking('800m'), priorityClassName: 'high' })
    const node = await cluster.client.get(nodes, { name: 'a' }, cluster.signal)
    await cluster.client.update(
      nodes,
      { ...node, spec: { ...node.spec, unschedulable: true } },
      cluster.signal,
    )
    await end(cluster, 'low')
    await cluster.clock.advance(20_000)
    await cluster.settle()
    const high = await podNamed(cluster, 'high')
    expect(high.spec.nodeName).toBeUndefined()
    expect(high.status?.nominatedNodeName).toBeUndefined()
  })
})

describe('plug-ins that carry out', () => {
  test('a pod waits in Permit with its node kept, while others go on', async () => {
    const decision = Promise.withResolvers<undefined>()
    const calls: string[] = []
    const permitting: MakePlugin = () => ({
      name: 'Permitting',
      reserve: ({ metadata }) => void calls.push(`reserve ${metadata.name}`),
      permit: ({ metadata }) =>
        metadata.name === 'p' ? { waitMs: 60_000, decided: decision.promise } : undefined,
      preBind: async ({ metadata }) => void calls.push(`preBind ${metadata.name}`),
      postBind: ({ metadata }) => void calls.push(`postBind ${metadata.name}`),
      unreserve: ({ metadata }) => void calls.push(`unreserve ${metadata.name}`),
    })
    await using cluster = await aCluster([permitting])
    await addNode(cluster, aNode('a', { status: SMALL }))
    await create(cluster, 'p', asking('800m'))
    await create(cluster, 'big', asking('800m'))
    await create(cluster, 'small', asking('100m'))
    expect(await nodeOf(cluster, 'p')).toBeUndefined()
    expect((await podNamed(cluster, 'p')).status?.nominatedNodeName).toBe('a')
    expect(await nodeOf(cluster, 'big')).toBeUndefined()
    expect(await nodeOf(cluster, 'small')).toBe('a')
    decision.resolve(undefined)
    await cluster.settle()
    expect(await nodeOf(cluster, 'p')).toBe('a')
    expect((await podNamed(cluster, 'p')).status?.nominatedNodeName).toBeUndefined()
    expect(calls.filter((call) => call.endsWith(' p'))).toEqual([
      'reserve p',
      'preBind p',
      'postBind p',
    ])
  })

  test('whoever waits in Permit for too long gives its node back', async () => {
    const permitting: MakePlugin = () => ({
      name: 'Permitting',
      permit: ({ metadata }) =>
        metadata.name === 'p' ? { waitMs: 10_000, decided: new Promise(() => {}) } : undefined,
    })
    await using cluster = await aCluster([permitting])
    await addNode(cluster, aNode('a', { status: SMALL }))
    await create(cluster, 'p', asking('800m'))
    await create(cluster, 'big', asking('800m'))
    await cluster.clock.advance(10_000)
    await cluster.settle()
    expect((await scheduledOf(cluster, 'p'))?.message).toBe(
      '0/1 nodes are available: 1 rejected due to timeout after waiting 10s at plugin Permitting.',
    )
    expect((await podNamed(cluster, 'p')).status?.nominatedNodeName).toBeUndefined()
    expect(await nodeOf(cluster, 'big')).toBe('a')
  })

  test('whoever is deleted, or preempted, while it waits in Permit gives its node back', async () => {
    const permitting: MakePlugin = () => ({
      name: 'Permitting',
      permit: ({ metadata }) =>
        metadata.name === 'p' ? { waitMs: 60_000, decided: new Promise(() => {}) } : undefined,
    })
    for (const how of ['deleted', 'preempted'] as const) {
      await using cluster = await aCluster([permitting])
      await addNode(cluster, aNode('a', { status: SMALL }))
      await create(cluster, 'p', { ...asking('800m'), priorityClassName: 'low' })
      const priorityClassName = how === 'deleted' ? 'low' : 'high'
      await create(cluster, 'next', { ...asking('800m'), priorityClassName })
      if (how === 'deleted') await end(cluster, 'p')
      await cluster.clock.advance(10_000)
      await cluster.settle()
      expect([how, await nodeOf(cluster, 'next')]).toEqual([how, 'a'])
      if (how === 'preempted') {
        expect((await podNamed(cluster, 'p')).metadata.deletionTimestamp).toBeUndefined()
      }
    }
  })

  test('what fails takes back what was reserved, and is tried again', async () => {
    for (const point of ['reserve', 'permit', 'preBind', 'bind'] as const) {
      let failures = 0
      const calls: string[] = []
      const fail = () => {
        if (failures++ > 0) return undefined
        if (point === 'reserve' || point === 'permit') return open('not now')
        throw new Error('not now')
      }
      const failing: MakePlugin = () => ({
        name: 'Failing',
        unreserve: () => void calls.push('unreserve'),
        reserve: () => (point === 'reserve' ? (fail() as undefined) : undefined),
        permit: () => (point === 'permit' ? (fail() as undefined) : undefined),
        preBind: async () => void (point === 'preBind' && fail()),
        bind: async () => point === 'bind' && Boolean(fail()),
      })
      await using cluster = await aCluster([failing])
      await addNode(cluster, aNode('a', { status: SMALL }))
      await create(cluster, 'p', asking('800m'))
      await cluster.clock.advance(5 * 60_000)
      await cluster.settle()
      expect([point, await nodeOf(cluster, 'p'), calls]).toEqual([point, 'a', ['unreserve']])
    }
  })
})
