import { describe, expect, test } from 'bun:test'
import { TestCluster } from '../../../test/support/cluster.ts'
import { leases } from '../../api/kinds/coordination/lease/row.ts'
import { nodes } from '../../api/kinds/core/node/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import { events } from '../../api/kinds/events/event/row.ts'
import type { Node, Pod, Toleration } from '../../api/schema/generated/types.ts'
import { formatMicroTime, formatTime } from '../../api/time.ts'
import { formatCidr, parseCidr } from '../../lib/ip.ts'
import { conditionOf } from '../conditions.ts'
import { nodeIpamController } from './node-ipam.ts'
import { nodeLifecycleController } from './node-lifecycle.ts'
import { RangeBitmap } from './range-bitmap.ts'
import { taintEvictionController } from './taint-eviction.ts'
import { toleratedSeconds, withTaints } from './taints.ts'
import { planZones, taintsPerSecond } from './zones.ts'

const clusterCidrs = [parseCidr('10.42.0.0/16')!]
const serviceCidrs = [parseCidr('10.43.0.0/16')!]

async function aCluster(): Promise<TestCluster> {
  const cluster = await TestCluster.start({
    controllers: [
      nodeLifecycleController(),
      taintEvictionController(),
      nodeIpamController({ clusterCidrs, serviceCidrs }),
    ],
  })
  return cluster
}

async function addNode(cluster: TestCluster, name: string): Promise<void> {
  await cluster.create(nodes, { metadata: { name }, spec: {} })
  await cluster.create(leases, { metadata: { name, namespace: 'kube-node-lease' }, spec: {} })
  await beat(cluster, name)
}

/** What a living kubelet does: renew the lease, and say Ready when that is not what is known. */
async function beat(cluster: TestCluster, name: string): Promise<void> {
  const node = (await cluster.get(nodes, name))!
  if (conditionOf(node.status?.conditions, 'Ready')?.status !== 'True') {
    const lastHeartbeatTime = formatTime(cluster.clock.nowMs())
    const ready = { type: 'Ready', status: 'True', lastHeartbeatTime }
    const conditions = [{ ...ready, lastTransitionTime: lastHeartbeatTime }]
    await cluster.client.updateStatus(nodes, { ...node, status: { conditions } }, cluster.signal)
  }
  const lease = (await cluster.get(leases, name, 'kube-node-lease'))!
  const renewTime = formatMicroTime(cluster.clock.nowMs())
  await cluster.client.update(leases, { ...lease, spec: { renewTime } }, cluster.signal)
  await cluster.settle()
}

/** Lets `seconds` pass while only `alive` renew their leases. */
async function pass(cluster: TestCluster, seconds: number, alive: readonly string[]) {
  for (let left = seconds; left > 0; left -= 10) {
    await cluster.advance(Math.min(left, 10) * 1000)
    for (const name of alive) await beat(cluster, name)
  }
}

const taintsOf = async (cluster: TestCluster, name: string) =>
  ((await cluster.get(nodes, name))!.spec?.taints ?? []).map(({ key, effect }) => {
    return `${key.replace('node.kubernetes.io/', '')}:${effect}`
  })

async function addPod(cluster: TestCluster, name: string, node: string, seconds?: number) {
  const toleration = { operator: 'Exists', effect: 'NoExecute' }
  const tolerations: Toleration[] =
    seconds === undefined ? [] : [{ ...toleration, tolerationSeconds: seconds }]
  const spec = { containers: [{ name: 'c', image: 'pause' }], nodeName: node, tolerations }
  const pod = await cluster.create(pods, { metadata: { name, namespace: 'default' }, spec })
  await cluster.runPod(pod, node)
  await cluster.settle()
}

describe('a node that falls silent', () => {
  test('is Unknown after 50 s, loses its pods in time, and is welcome again', async () => {
    await using cluster = await aCluster()
    for (const name of ['a', 'b']) await addNode(cluster, name)
    await addPod(cluster, 'patient', 'a', 30)
    await addPod(cluster, 'stays', 'b', 30)
    expect(await taintsOf(cluster, 'a')).toEqual([])

    await pass(cluster, 40, ['b'])
    expect(await taintsOf(cluster, 'a')).toEqual([])
    await pass(cluster, 20, ['b'])
    expect(conditionOf((await cluster.get(nodes, 'a'))!.status?.conditions, 'Ready')).toMatchObject(
      {
        status: 'Unknown',
        reason: 'NodeStatusUnknown',
        message: 'Kubelet stopped posting node status.',
      },
    )
    expect(await taintsOf(cluster, 'a')).toEqual([
      'unreachable:NoSchedule',
      'unreachable:NoExecute',
    ])
    const patient = await cluster.get(pods, 'patient')
    expect(conditionOf(patient!.status?.conditions, 'Ready')?.status).toBe('False')
    expect(patient!.metadata.deletionTimestamp).toBeUndefined()

    await pass(cluster, 30, ['b'])
    const evicted = await cluster.get(pods, 'patient')
    expect(evicted?.metadata.deletionTimestamp).toBeDefined()
    expect(conditionOf(evicted!.status?.conditions, 'DisruptionTarget')).toMatchObject({
      reason: 'DeletionByTaintManager',
      message: 'Taint manager: deleting due to NoExecute taint',
    })
    expect((await cluster.get(pods, 'stays'))!.metadata.deletionTimestamp).toBeUndefined()

    await beat(cluster, 'a')
    expect(await taintsOf(cluster, 'a')).toEqual([])
    const reasons = (await cluster.list(events)).map(
      ({ reason, message }) => `${reason}: ${message}`,
    )
    expect(reasons).toContain('NodeNotReady: Node a status is now: NodeNotReady')
    expect(reasons).toContain('RegisteredNode: Node a event: Registered Node a in Controller')
    expect(reasons).toContain('TaintManagerEviction: Marking for deletion Pod default/patient')
    expect(cluster.warnings).toEqual([])
  })

  test('keeps its pods when it comes back in time', async () => {
    await using cluster = await aCluster()
    for (const name of ['a', 'b']) await addNode(cluster, name)
    await addPod(cluster, 'patient', 'a', 60)
    await pass(cluster, 70, ['b'])
    expect(await taintsOf(cluster, 'a')).toContain('unreachable:NoExecute')
    await pass(cluster, 120, ['a', 'b'])
    expect((await cluster.get(pods, 'patient'))!.metadata.deletionTimestamp).toBeUndefined()
    const messages = (await cluster.list(events)).map(({ message }) => message)
    expect(messages).toContain('Cancelling deletion of Pod default/patient')
  })
})

describe('a cluster whose every node falls silent', () => {
  test('sends nobody away', async () => {
    await using cluster = await aCluster()
    for (const name of ['a', 'b']) await addNode(cluster, name)
    await addPod(cluster, 'impatient', 'a')
    await pass(cluster, 600, [])
    expect(await taintsOf(cluster, 'a')).toEqual(['unreachable:NoSchedule'])
    expect((await cluster.get(pods, 'impatient'))!.metadata.deletionTimestamp).toBeUndefined()
  })
})

describe('a node', () => {
  test('gets the first range that is free, and a deleted one gives its range back', async () => {
    await using cluster = await aCluster()
    for (const name of ['a', 'b', 'c']) await addNode(cluster, name)
    const rangeOf = async (name: string) => (await cluster.get(nodes, name))!.spec?.podCIDR
    expect(await Promise.all(['a', 'b', 'c'].map(rangeOf))).toEqual([
      '10.42.0.0/24',
      '10.42.1.0/24',
      '10.42.2.0/24',
    ])
    await cluster.remove(nodes, 'b')
    await addNode(cluster, 'd')
    expect(await rangeOf('d')).toBe('10.42.1.0/24')
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })
})

describe('nodes for whom no range is left', () => {
  test('wait for minutes, say so once each time, and get what another gives back', async () => {
    const controllers = [
      nodeIpamController({ clusterCidrs: [parseCidr('10.42.0.0/23')!], serviceCidrs: [] }),
    ]
    await using cluster = await TestCluster.start({ controllers })
    const names = ['a', 'b', 'c', 'd']
    for (const name of names) await cluster.create(nodes, { metadata: { name }, spec: {} })
    await cluster.settle()
    const rangesOf = async () => {
      const all = await Promise.all(names.map((name) => cluster.get(nodes, name)))
      return all.map((node) => node?.spec?.podCIDR)
    }
    expect(await rangesOf()).toEqual(['10.42.0.0/24', '10.42.1.0/24', undefined, undefined])
    const before = cluster.requestCount
    // Heartbeats are no reason to try again.
    for (let i = 0; i < 30; i++) {
      await cluster.change(nodes, 'c', ({ metadata }) => {
        metadata.annotations = { beat: String(i) }
      })
      await cluster.advance(60_000)
    }
    expect(cluster.warnings.length).toBeLessThan(25)
    expect(cluster.requestCount - before).toBeLessThan(150)
    const told = (await cluster.list(events)).filter(({ reason }) => reason === 'CIDRNotAvailable')
    expect(told.map(({ involvedObject }) => involvedObject.name).toSorted()).toEqual(['c', 'd'])
    for (const { count = 0 } of told) expect(count).toBeWithin(5, 12)
    await cluster.remove(nodes, 'a')
    expect((await rangesOf()).slice(1)).toEqual(['10.42.1.0/24', '10.42.0.0/24', undefined])
  })
})

describe('the ranges of a cluster', () => {
  const bitmap = (cluster: string, ...reserved: string[]) =>
    new RangeBitmap(
      parseCidr(cluster)!,
      reserved.map((text) => parseCidr(text)!),
    )
  const first = (ranges: RangeBitmap) => {
    const range = ranges.takeFirst()
    return range && formatCidr(range)
  }

  test('leave out what services use, and say when nothing is left', () => {
    const ranges = bitmap('10.0.0.0/23', '10.0.0.128/25')
    expect([first(ranges), first(ranges)]).toEqual(['10.0.1.0/24', undefined])
    expect(first(bitmap('10.0.0.0/23', '10.0.0.0/8'))).toBeUndefined()
    expect(first(bitmap('10.0.0.0/23', '9.0.0.0/8', '11.0.0.0/8', 'fd00::/8'))).toBe('10.0.0.0/24')
  })

  test('take no notice of what lies outside, and free what two had only when both have gone', () => {
    const ranges = bitmap('10.42.0.0/16')
    for (const foreign of ['0.0.0.0/0', '10.0.0.0/8', '192.0.2.7/32', 'fd00::/64']) {
      expect(ranges.take(parseCidr(foreign)!)).toBe(false)
    }
    const wide = parseCidr('10.42.0.0/22')!
    const narrow = parseCidr('10.42.1.128/25')!
    expect([ranges.take(wide), ranges.take(narrow)]).toEqual([true, true])
    expect(first(ranges)).toBe('10.42.4.0/24')
    ranges.giveBack(wide)
    expect([first(ranges), first(ranges)]).toEqual(['10.42.0.0/24', '10.42.2.0/24'])
    ranges.giveBack(narrow)
    expect(first(ranges)).toBe('10.42.1.0/24')
  })

  test('cost as much for the last of many nodes as for the first', () => {
    const ranges = bitmap('10.0.0.0/8')
    const given = new Set(Array.from({ length: 1 << 16 }, () => first(ranges)))
    expect(given.size).toBe(1 << 16)
    expect(first(ranges)).toBeUndefined()
    expect(first(bitmap('fd00::/8'))).toBe('fd00::/64')
  })
})

describe('taints', () => {
  test('are put up with for the shortest time of all', () => {
    const taint = (key: string) => ({ key, effect: 'NoExecute' })
    const aPod = (tolerations: Toleration[]) => ({ spec: { tolerations } }) as Pod
    const forTime = (key: string, tolerationSeconds?: number) => ({
      key,
      operator: 'Exists',
      effect: 'NoExecute',
      ...(tolerationSeconds === undefined ? {} : { tolerationSeconds }),
    })
    expect(toleratedSeconds(aPod([]), [taint('a')])).toBe(0)
    expect(
      toleratedSeconds(aPod([forTime('a', 30), forTime('b', 5)]), [taint('a'), taint('b')]),
    ).toBe(5)
    expect(toleratedSeconds(aPod([forTime('a', 30)]), [taint('a'), taint('b')])).toBe(0)
    expect(toleratedSeconds(aPod([forTime('a')]), [taint('a')])).toBeUndefined()
    expect(toleratedSeconds(aPod([forTime('a', -1)]), [taint('a')])).toBe(0)
  })

  test('of others stay, and ours that stay keep their time', () => {
    const others = { key: 'dedicated', effect: 'NoSchedule' }
    const ours = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule', timeAdded: 'then' }
    const node = { metadata: {}, spec: { taints: [others, ours] } } as Node
    const same = { noSchedule: [ours.key], noExecute: undefined }
    expect(withTaints(node, same, 0)).toEqual([others, ours])
    expect(withTaints(node, { noSchedule: [], noExecute: undefined }, 0)).toEqual([others])
  })
})

describe('zones', () => {
  const aNode = (zone: string, isReady: boolean) =>
    ({
      metadata: { labels: { 'topology.kubernetes.io/zone': zone } },
      status: { conditions: [{ type: 'Ready', status: isReady ? 'True' : 'Unknown' }] },
    }) as unknown as Node
  const some = (zone: string, ready: number, unready: number) => [
    ...Array.from({ length: ready }, () => aNode(zone, true)),
    ...Array.from({ length: unready }, () => aNode(zone, false)),
  ]

  test('in trouble are treated with care, and a cluster in trouble not at all', () => {
    const rate = (nodes: Node[], zone = 'x') => taintsPerSecond(planZones(nodes), `:${zone}`)
    expect(rate(some('x', 3, 1))).toBe(0.1)
    expect(rate(some('x', 2, 2))).toBe(0.1)
    expect(rate(some('x', 2, 3))).toBe(0)
    expect(rate(some('x', 40, 60))).toBe(0.01)
    expect(rate(some('x', 0, 3))).toBe(0)
    expect(rate([...some('x', 0, 3), ...some('y', 1, 0)])).toBe(0.1)
    expect(planZones([...some('x', 0, 3), ...some('y', 0, 1)]).isAllDown).toBe(true)
    expect(planZones([]).isAllDown).toBe(false)
  })
})
