import { describe, expect, test } from 'bun:test'
import { TestCluster } from '../../../test/support/cluster.ts'
import { everyCase } from '../../../test/support/every-case.ts'
import { builtInRows } from '../../api/kinds/all.ts'
import { deployments } from '../../api/kinds/apps/deployment/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import { replicationControllers } from '../../api/kinds/core/replicationcontroller/row.ts'
import { events } from '../../api/kinds/events/event/row.ts'
import { podDisruptionBudgets } from '../../api/kinds/policy/poddisruptionbudget/row.ts'
import type { Pod, PodDisruptionBudget } from '../../api/schema/generated/types.ts'
import { formatTime } from '../../api/time.ts'
import { deploymentController } from '../workloads/deployment.ts'
import { replicaSetController } from '../workloads/replicaset.ts'
import { replicationControllerController } from '../workloads/replicationcontroller.ts'
import { DELETION_MS, planBudget, shownSelector } from './budget-plan.ts'
import { disruptionController } from './disruption.ts'
import { staleTargetController, targetStaleInMs } from './stale-target.ts'

const NOW_MS = Date.UTC(2026, 0, 1)
const here = { namespace: 'default' }
const labels = { app: 'web' }
const kinds = { rows: () => builtInRows, onChange: () => {} }

function aPod(name: string, facts: { isReady?: boolean; isGoing?: boolean } = {}): Pod {
  const { isReady = true, isGoing = false } = facts
  return {
    metadata: { name, labels, ...(isGoing ? { deletionTimestamp: formatTime(NOW_MS) } : {}) },
    spec: { containers: [] },
    status: { conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }] },
  }
}

function aBudget(spec: object, status?: object): PodDisruptionBudget {
  return {
    metadata: { name: 'b', ...here, generation: 1 },
    spec: { selector: { matchLabels: labels }, ...spec },
    ...(status && { status: status as NonNullable<PodDisruptionBudget['status']> }),
  }
}

describe('planBudget', () => {
  test('in every small world lets go what is healthy beyond what must stay, and no more', () => {
    everyCase((choose) => {
      const facts = [0, 1].map(() => ({
        isReady: choose([true, false]),
        isGoing: choose([true, false]),
        noted: choose(['no', 'lately', 'long ago']),
      }))
      const spec = choose([
        { minAvailable: 1 },
        { minAvailable: '50%' },
        { maxUnavailable: 1 },
        { maxUnavailable: '40%' },
        {},
      ])
      const scale = choose([0, 2, 3])
      const mine = facts.map((each, index) => aPod(`p${index}`, each))
      const noted = facts.flatMap(({ noted }, index) => {
        if (noted === 'no') return []
        const ageMs = noted === 'lately' ? 1000 : DELETION_MS + 1000
        return [[`p${index}`, formatTime(NOW_MS - ageMs)]]
      })
      const budget = aBudget(spec, { disruptedPods: Object.fromEntries(noted) })
      const { status, notDeleted, recheckInMs } = planBudget(budget, mine, scale, NOW_MS)

      const healthy = facts.filter(
        (each) => each.isReady && !each.isGoing && each.noted !== 'lately',
      )
      expect(status.currentHealthy).toBe(healthy.length)
      const isCounted = 'minAvailable' in spec && spec.minAvailable === 1
      const nothing = Object.keys(spec).length === 0
      expect(status.expectedPods).toBe(nothing ? 0 : isCounted ? 2 : scale)
      const room = status.currentHealthy! - status.desiredHealthy!
      expect(status.disruptionsAllowed).toBe(status.expectedPods === 0 || room < 0 ? 0 : room)
      const late = facts.filter(({ noted, isGoing }) => noted === 'long ago' && !isGoing)
      expect(notDeleted).toHaveLength(late.length)
      const kept = facts.filter(({ noted, isGoing }) => noted === 'lately' && !isGoing)
      expect(Object.keys(status.disruptedPods ?? {})).toHaveLength(kept.length)
      expect(recheckInMs).toBe(kept.length === 0 ? undefined : DELETION_MS - 1000 + 1)
      // What was planned is at rest.
      const settled = { ...budget, status }
      expect(planBudget(settled, mine, scale, NOW_MS).status).toEqual(status)
    })
  })

  test('rounds what must stay up, and what may be missing up too', () => {
    const of = (spec: object, scale: number) =>
      planBudget(aBudget(spec), [], scale, NOW_MS).status.desiredHealthy
    expect(of({ minAvailable: '30%' }, 10)).toBe(3)
    expect(of({ minAvailable: '31%' }, 10)).toBe(4)
    expect(of({ maxUnavailable: '30%' }, 10)).toBe(7)
    expect(of({ maxUnavailable: '31%' }, 10)).toBe(6)
    expect(of({ maxUnavailable: 20 }, 10)).toBe(0)
  })
})

test('a selector is shown as Go shows it', () => {
  expect(shownSelector({ matchLabels: { b: '2', a: '1' } })).toBe(
    '&LabelSelector{MatchLabels:map[string]string{a: 1,b: 2,},MatchExpressions:[]LabelSelectorRequirement{},}',
  )
  const matchExpressions = [{ key: 'k', operator: 'In', values: ['x', 'y'] }]
  expect(shownSelector({ matchExpressions })).toBe(
    '&LabelSelector{MatchLabels:map[string]string{},MatchExpressions:[]LabelSelectorRequirement{LabelSelectorRequirement{Key:k,Operator:In,Values:[x y],},},}',
  )
})

async function aCluster() {
  return TestCluster.start({
    controllers: [
      ...[disruptionController(kinds), staleTargetController],
      ...[replicationControllerController, replicaSetController, deploymentController],
    ],
  })
}

const template = {
  metadata: { labels },
  spec: { containers: [{ name: 'c', image: 'i' }] },
}

async function statusOf(cluster: TestCluster) {
  return (await cluster.get(podDisruptionBudgets, 'b'))!.status!
}

async function eventTexts(cluster: TestCluster): Promise<string[]> {
  const found = await cluster.list(events, 'default')
  return found
    .filter(({ source }) => source?.component === 'controllermanager')
    .map(({ type, reason, message }) => `${type} ${reason} ${message}`)
}

async function evict(cluster: TestCluster, name: string): Promise<number> {
  const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, ...here } }
  try {
    await cluster.client.post(
      pods,
      { ...here, name, subresource: 'eviction' },
      body,
      cluster.signal,
    )
    await cluster.settle()
    return 201
  } catch (error) {
    return (error as { code: number }).code
  }
}

describe('a budget', () => {
  test('of a Deployment lets go what may be missing, and no more until there is another', async () => {
    await using cluster = await aCluster()
    await cluster.create(deployments, {
      metadata: { name: 'web', ...here },
      spec: { replicas: 4, selector: { matchLabels: labels }, template },
    })
    await cluster.runPods()
    await cluster.create(podDisruptionBudgets, aBudget({ maxUnavailable: '25%' }))
    expect(await statusOf(cluster)).toMatchObject({
      ...{ currentHealthy: 4, desiredHealthy: 3, disruptionsAllowed: 1, expectedPods: 4 },
      observedGeneration: 1,
      conditions: [{ type: 'DisruptionAllowed', status: 'True', reason: 'SufficientPods' }],
    })
    const [first, second] = await cluster.list(pods, 'default')
    expect(await evict(cluster, first!.metadata.name!)).toBe(201)
    expect(await evict(cluster, second!.metadata.name!)).toBe(429)
    expect(await statusOf(cluster)).toMatchObject({ currentHealthy: 3, disruptionsAllowed: 0 })
    await cluster.runPods()
    expect(await statusOf(cluster)).toMatchObject({ currentHealthy: 4, disruptionsAllowed: 1 })
    expect(await statusOf(cluster)).not.toHaveProperty('disruptedPods')
    expect(await evict(cluster, second!.metadata.name!)).toBe(201)
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('of pods that nobody keeps counts those that are there, where it says a number', async () => {
    await using cluster = await aCluster()
    await cluster.create(podDisruptionBudgets, aBudget({ minAvailable: 1 }))
    expect(await eventTexts(cluster)).toEqual(['Normal NoPods No matching pods found'])
    for (const name of ['a', 'b']) {
      await cluster.create(pods, { metadata: { name, labels, ...here }, spec: template.spec })
    }
    await cluster.runPods()
    expect(await statusOf(cluster)).toMatchObject({ expectedPods: 2, disruptionsAllowed: 1 })
    await cluster.change(podDisruptionBudgets, 'b', (budget) => {
      budget.spec = { selector: { matchLabels: labels }, maxUnavailable: 1 }
    })
    expect(await statusOf(cluster)).toMatchObject({ expectedPods: 0, disruptionsAllowed: 0 })
    expect((await eventTexts(cluster)).at(-1)).toStartWith(
      'Warning UnmanagedPods Pods selected by this PodDisruptionBudget (selector: &LabelSelector{MatchLabels:map[string]string{app: web,},MatchExpressions:[]LabelSelectorRequirement{},}) were found to be unmanaged.',
    )
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('says what is odd about its pods once, also where that changes no number', async () => {
    await using cluster = await aCluster()
    await cluster.create(podDisruptionBudgets, aBudget({ maxUnavailable: 1 }))
    const other = aBudget({ minAvailable: 0 })
    await cluster.create(podDisruptionBudgets, { ...other, metadata: { name: 'c', ...here } })
    const before = await statusOf(cluster)
    await cluster.create(pods, { metadata: { name: 'a', labels, ...here }, spec: template.spec })
    expect(await statusOf(cluster)).toEqual(before)
    await cluster.change(pods, 'a', ({ metadata }) => {
      metadata.labels = { ...labels, more: 'x' }
    })
    const texts = await eventTexts(cluster)
    expect(texts.filter((text) => text.includes(' UnmanagedPods '))).toHaveLength(1)
    expect(texts.filter((text) => text.includes(' MultiplePodDisruptionBudgets '))).toEqual([
      'Warning MultiplePodDisruptionBudgets Pod "default"/"a" matches multiple PodDisruptionBudgets.  Chose "b" arbitrarily.',
    ])
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('lets nothing go where it is not known how many there should be', async () => {
    await using cluster = await aCluster()
    const owner = { controller: true, uid: 'u', name: 'x' }
    const cases: [object, string][] = [
      [{ apiVersion: 'v1', kind: 'ReplicationController' }, 'found no controllers for pod "p"'],
      [
        { apiVersion: 'apps/v1', kind: 'DaemonSet' },
        'daemonsets.apps does not implement the scale subresource',
      ],
      [
        { apiVersion: 'example.com/v1', kind: 'Thing' },
        'no matches for kind "Thing" in version "example.com/v1"',
      ],
    ]
    for (const [kind, problem] of cases) {
      const ownerReferences = [{ ...owner, ...kind }] as never
      const metadata = { name: 'p', labels, ...here, ownerReferences }
      await cluster.create(pods, { metadata, spec: template.spec })
      await cluster.runPods()
      await cluster.create(podDisruptionBudgets, aBudget({ maxUnavailable: 1 }))
      expect(await statusOf(cluster)).toMatchObject({
        disruptionsAllowed: 0,
        conditions: [{ status: 'False', reason: 'SyncFailed', message: problem }],
      })
      expect((await eventTexts(cluster)).at(-1)).toBe(
        `Warning CalculateExpectedPodCountFailed Failed to calculate the number of expected pods: ${problem}`,
      )
      expect(await cluster.writesOfOneMorePass()).toEqual([])
      await cluster.remove(podDisruptionBudgets, 'b')
      await cluster.remove(pods, 'p', { gracePeriodSeconds: 0 })
    }
  })

  test('adds up all owners of its pods', async () => {
    await using cluster = await aCluster()
    await cluster.create(deployments, {
      metadata: { name: 'web', ...here },
      spec: { replicas: 2, selector: { matchLabels: labels }, template },
    })
    await cluster.create(replicationControllers, {
      metadata: { name: 'rc', ...here },
      spec: {
        replicas: 3,
        selector: { ...labels, rc: 'yes' },
        template: {
          ...template,
          metadata: { labels: { ...labels, rc: 'yes' } },
        },
      },
    })
    await cluster.runPods()
    await cluster.create(podDisruptionBudgets, aBudget({ minAvailable: '50%' }))
    expect(await statusOf(cluster)).toMatchObject({
      ...{ currentHealthy: 5, desiredHealthy: 3, disruptionsAllowed: 2, expectedPods: 5 },
    })
  })

  test('takes a pod back that was evicted and did not go', async () => {
    await using cluster = await aCluster()
    await cluster.create(pods, { metadata: { name: 'a', labels, ...here }, spec: template.spec })
    await cluster.runPods()
    await cluster.create(podDisruptionBudgets, aBudget({ minAvailable: 0 }))
    const budget = (await cluster.get(podDisruptionBudgets, 'b'))!
    const disruptedPods = { a: formatTime(cluster.clock.nowMs()) }
    const status = { ...budget.status!, disruptedPods, disruptionsAllowed: 0 }
    await cluster.client.updateStatus(podDisruptionBudgets, { ...budget, status }, cluster.signal)
    await cluster.advance(1000)
    expect(await statusOf(cluster)).toMatchObject({ currentHealthy: 0, disruptedPods })
    await cluster.advance(DELETION_MS + 2000)
    expect(await statusOf(cluster)).toMatchObject({ currentHealthy: 1, disruptionsAllowed: 1 })
    expect(await eventTexts(cluster)).toContain(
      "Warning NotDeleted Pod was expected by PDB default/default to be deleted but it wasn't",
    )
  })
})

describe('a pod marked for disruption', () => {
  test('loses the mark when nothing came of it', async () => {
    await using cluster = await aCluster()
    await cluster.create(pods, { metadata: { name: 'a', ...here }, spec: template.spec })
    await cluster.runPods()
    const pod = (await cluster.get(pods, 'a'))!
    const lastTransitionTime = formatTime(cluster.clock.nowMs())
    const mark = { type: 'DisruptionTarget', status: 'True', reason: 'R', lastTransitionTime }
    const conditions = [...pod.status!.conditions!, mark]
    const status = { ...pod.status, conditions }
    await cluster.client.updateStatus(pods, { ...pod, status }, cluster.signal)
    await cluster.advance(119_000)
    const target = async () =>
      (await cluster.get(pods, 'a'))!.status!.conditions!.find(({ type }) => type === mark.type)
    expect(await target()).toMatchObject({ status: 'True' })
    await cluster.advance(2000)
    expect(await target()).toMatchObject({ status: 'False', observedGeneration: 1 })
    expect(await target()).not.toHaveProperty('reason')
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('keeps it when the node set it, when it is going, and when it has ended', () => {
    everyCase((choose) => {
      const status = choose(['True', 'False'])
      const reason = choose(['EvictionByEvictionAPI', 'TerminationByKubelet'])
      const isGoing = choose([true, false])
      const phase = choose(['Running', 'Failed'])
      const pod = aPod('p', { isGoing })
      const lastTransitionTime = formatTime(NOW_MS)
      const mark = { type: 'DisruptionTarget', status, reason, lastTransitionTime }
      pod.status = { phase, conditions: [mark] }
      const isStale =
        status === 'True' && reason !== 'TerminationByKubelet' && !isGoing && phase === 'Running'
      expect(targetStaleInMs(pod, NOW_MS)).toBe(isStale ? 120_000 : undefined)
    })
  })
})
