import { describe, expect, test } from 'bun:test'
import { everyCase } from '../../../../test/support/every-case.ts'
import type {
  DaemonSet,
  Node,
  Pod,
  PodSpec,
  Toleration,
} from '../../../api/schema/generated/types.ts'
import { isAvailable, planDaemonSet, type World } from './plan.ts'
import { draftDaemon, fitOf, isUpdated, targetNode, tolerationsOf } from './pod.ts'
import { planForgetting } from './revisions.ts'
import { planDaemonStatus } from './status.ts'

const NOW_MS = Date.UTC(2026, 0, 1)
const VERSION = { hash: 'new', generation: '2' }

const PODS = ['old ready', 'old pending', 'new ready', 'new pending', 'old going'] as const
type Kind = (typeof PODS)[number]

let serial = 0
function aPod(node: string, kind: Kind): Pod {
  const [hash, state] = kind.split(' ') as [string, string]
  const name = `${node}-${String(serial++).padStart(6, '0')}`
  const labels = { 'controller-revision-hash': hash }
  const going = state === 'going' ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}
  const conditions = state === 'pending' ? [] : [{ type: 'Ready', status: 'True' }]
  return {
    metadata: { name, namespace: 'x', uid: name, labels, ...going },
    spec: { nodeName: node, containers: [] },
    status: { phase: state === 'pending' ? 'Pending' : 'Running', conditions },
  }
}

const aNode = (name: string, taints: NonNullable<Node['spec']>['taints'] = []): Node => ({
  metadata: { name },
  spec: { taints },
})

function aSet(rollingUpdate: { maxSurge?: number | string; maxUnavailable?: number | string }) {
  const set: DaemonSet = {
    metadata: { name: 'd', namespace: 'x', uid: 'uid-set', generation: 1 },
    spec: {
      selector: { matchLabels: { app: 'd' } },
      template: { spec: { containers: [] } },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate },
    },
  }
  return set
}

function aWorld(set: DaemonSet, nodes: readonly Node[], pods: readonly Pod[]): World {
  return { set, nodes, pods, version: VERSION, waitMs: () => 0, nowMs: NOW_MS }
}

const isUp = (world: World, node: string) =>
  world.pods.some(
    (pod) => targetNode(pod) === node && !pod.metadata.deletionTimestamp && isAvailable(world, pod),
  )

describe('from every world of two nodes', () => {
  const STARTS: readonly (readonly Kind[])[] = [
    [],
    ...PODS.map((kind) => [kind]),
    ['old ready', 'new pending'],
    ['old ready', 'new ready'],
    ['old pending', 'new pending'],
    ['old ready', 'old ready', 'new ready'],
  ]
  const STRATEGIES = [
    { maxUnavailable: 1, maxSurge: 0 },
    { maxUnavailable: 2, maxSurge: 0 },
    { maxUnavailable: 0, maxSurge: 1 },
    { maxUnavailable: 0, maxSurge: '100%' },
    { maxUnavailable: 0, maxSurge: 0 },
  ]

  test('a roll ends with a new pod on each, and takes no more down than it may', () => {
    const nodes = ['a', 'b']
    const cases = everyCase((choose) => {
      const rollingUpdate = choose(STRATEGIES)
      const set = aSet(rollingUpdate)
      let pods = nodes.flatMap((node) => choose(STARTS).map((kind) => aPod(node, kind)))
      const worldOf = () =>
        aWorld(
          set,
          nodes.map((name) => aNode(name)),
          pods,
        )
      const upAtFirst = nodes.filter((node) => isUp(worldOf(), node)).length
      const most = rollingUpdate.maxSurge === 0 ? Math.max(1, rollingUpdate.maxUnavailable) : 0
      for (let round = 0; round < 12; round++) {
        const { create, remove } = planDaemonSet(worldOf())
        if (create.length + remove.length === 0 && !pods.some(isMoving)) break
        expect(round).toBeLessThan(11)
        if (rollingUpdate.maxSurge === 1) {
          expect(create.filter((node) => isUp(worldOf(), node)).length).toBeLessThanOrEqual(1)
        }
        for (const pod of remove) expect(pod.metadata.deletionTimestamp).toBeUndefined()
        // First what was planned, and only then what the nodes do.
        pods = pods.map((pod) => (remove.includes(pod) ? going(pod) : pod))
        const up = nodes.filter((node) => isUp(worldOf(), node)).length
        expect(up).toBeGreaterThanOrEqual(Math.min(upAtFirst, nodes.length - most))
        pods = pods.filter((pod) => !pod.metadata.deletionTimestamp).map(started)
        pods.push(...create.map((node) => aPod(node, 'new pending')))
      }
      expect(pods.map(targetNode).toSorted()).toEqual(nodes)
      for (const pod of pods) expect(isUpdated(pod, VERSION)).toBe(true)
      expect(planDaemonStatus(worldOf(), undefined)).toMatchObject({
        desiredNumberScheduled: 2,
        numberAvailable: 2,
        updatedNumberScheduled: 2,
      })
    })
    expect(cases).toBe(STRATEGIES.length * STARTS.length ** 2)
  })

  const isMoving = ({ metadata, status }: Pod) =>
    metadata.deletionTimestamp !== undefined || status?.phase === 'Pending'
  const going = (pod: Pod): Pod => ({
    ...pod,
    metadata: { ...pod.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
  })
  const started = (pod: Pod): Pod => ({
    ...pod,
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  })
})

test('with surge, pods where none are wanted any more serve until enough others do', () => {
  const tainted = aNode('a', [{ key: 'k', effect: 'NoSchedule' }])
  const set = aSet({ maxSurge: 1, maxUnavailable: 0 })
  const removed = (kind: Kind) => {
    const pods = [aPod('a', 'old ready'), aPod('b', kind)]
    const { create, remove } = planDaemonSet(aWorld(set, [tainted, aNode('b')], pods))
    expect(create).toEqual([])
    return remove.map(targetNode)
  }
  expect(removed('new pending')).toEqual([])
  expect(removed('new ready')).toEqual(['a'])
})

test('a pod that ended is replaced when its time has come, with surge too', () => {
  for (const rollingUpdate of [{ maxUnavailable: 1 }, { maxSurge: 1, maxUnavailable: 0 }]) {
    const failed = { ...aPod('a', 'new pending'), status: { phase: 'Failed' } }
    const world = aWorld(aSet(rollingUpdate), [aNode('a')], [failed])
    expect(planDaemonSet(world)).toMatchObject({ create: [], remove: [failed], failed: ['a'] })
    const later = planDaemonSet({ ...world, waitMs: () => 4000 })
    expect(later).toMatchObject({ create: [], remove: [], recheckInMs: 4000, news: [] })
  }
})

test('a pass makes no more than 250 pods', () => {
  const nodes = Array.from({ length: 300 }, (_, index) => aNode(`n${index}`))
  expect(planDaemonSet(aWorld(aSet({}), nodes, [])).create).toHaveLength(250)
})

test('a toleration for the same taint that ends gives way, others stay', () => {
  const ending: Toleration = {
    key: 'node.kubernetes.io/not-ready',
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: 5,
  }
  const other: Toleration = { key: 'k', value: 'v', effect: 'NoSchedule' }
  const { tolerationSeconds: _seconds, ...forEver } = ending
  const ours = tolerationsOf({ containers: [], tolerations: [other, ending] })
  expect(ours.slice(0, 2)).toEqual([other, forEver])
  expect(ours).toHaveLength(7)
  expect(tolerationsOf({ containers: [], hostNetwork: true })).toHaveLength(7)
})

test('of the affinity of a template only what is required of nodes is replaced', () => {
  const podAffinity = { preferredDuringSchedulingIgnoredDuringExecution: [] }
  const wish = { weight: 1, preference: { matchExpressions: [{ key: 'a', operator: 'Exists' }] } }
  const required = { nodeSelectorTerms: [{ matchExpressions: [{ key: 'b', operator: 'Exists' }] }] }
  const nodeAffinity = {
    preferredDuringSchedulingIgnoredDuringExecution: [wish],
    requiredDuringSchedulingIgnoredDuringExecution: required,
  }
  const spec: PodSpec = { containers: [], affinity: { podAffinity, nodeAffinity } }
  const set = aSet({})
  set.spec.template = { spec }
  const { affinity } = draftDaemon(set, VERSION, 'a').spec
  expect(affinity).toMatchObject({
    podAffinity,
    nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [wish] },
  })
  expect(targetNode({ metadata: {}, spec: { containers: [], affinity: affinity! } })).toBe('a')
  expect(fitOf(set, aNode('a'))).toEqual({ runs: false, stays: false })
  expect(fitOf(set, { ...aNode('a'), metadata: { name: 'a', labels: { b: '' } } })).toEqual({
    runs: true,
    stays: true,
  })
})

test('old revisions go from the oldest on, but those that pods are of stay', () => {
  const revision = (number: number) => ({
    metadata: { name: `r${number}`, labels: { 'controller-revision-hash': `h${number}` } },
    revision: number,
  })
  const old = [3, 1, 2, 4].map(revision)
  const live = { metadata: { labels: { 'controller-revision-hash': 'h1' } } } as unknown as Pod
  const forgotten = (limit: number) =>
    planForgetting(old, [live], limit).map(({ metadata }) => metadata.name)
  expect(forgotten(2)).toEqual(['r2', 'r3'])
  expect(forgotten(0)).toEqual(['r2', 'r3', 'r4'])
  expect(forgotten(9)).toEqual([])
})
