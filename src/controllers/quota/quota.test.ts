import { describe, expect, test } from 'bun:test'
import { TestCluster } from '../../../test/support/cluster.ts'
import { everyCase } from '../../../test/support/every-case.ts'
import { builtInRows } from '../../api/kinds/all.ts'
import { configMaps } from '../../api/kinds/core/configmap/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import { replicationControllers } from '../../api/kinds/core/replicationcontroller/row.ts'
import { resourceQuotas } from '../../api/kinds/core/resourcequota/row.ts'
import { secrets } from '../../api/kinds/core/secret/row.ts'
import { services } from '../../api/kinds/core/service/row.ts'
import { parseAmounts } from '../../api/quota/amounts.ts'
import type { Pod, ResourceQuotaSpec } from '../../api/schema/generated/types.ts'
import { replicationControllerController } from '../workloads/replicationcontroller.ts'
import { chargesUnderway, planQuota, UNDERWAY_MS } from './quota-plan.ts'
import { resourceQuotaController } from './resource-quota.ts'

const kinds = { rows: () => builtInRows, onChange: () => {} }
const here = { namespace: 'default' }

async function aCluster(spec: ResourceQuotaSpec) {
  const cluster = await TestCluster.start({
    controllers: [resourceQuotaController(kinds), replicationControllerController],
  })
  await cluster.create(resourceQuotas, { metadata: { name: 'q', ...here }, spec })
  return cluster
}

async function statusOf(cluster: TestCluster) {
  return (await cluster.get(resourceQuotas, 'q'))!.status
}

const aPod = (name: string, spec: object = {}): Pod => ({
  metadata: { name, ...here },
  spec: {
    containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '100m' } } }],
    ...spec,
  },
})

describe('a quota', () => {
  test('shows what is used of what it allows, as soon as it is there', async () => {
    await using cluster = await aCluster({ hard: { pods: '2', 'count/nothing.example.com': '1' } })
    expect(await statusOf(cluster)).toEqual({
      hard: { 'count/nothing.example.com': '1', pods: '2' },
      used: { pods: '0' },
    })
  })

  test('counts what was there before it', async () => {
    await using cluster = await TestCluster.start({ controllers: [resourceQuotaController(kinds)] })
    await cluster.create(configMaps, { metadata: { name: 'm', ...here } })
    await cluster.create(pods, aPod('p'))
    const ports = [{ port: 80 }, { port: 81, name: 'b' }]
    const named = ports.map((port, index) => ({ ...port, name: `n${index}` }))
    await cluster.create(services, {
      metadata: { name: 's', ...here },
      spec: { type: 'NodePort', ports: named },
    })
    const hard = {
      configmaps: '9',
      'count/configmaps': '9',
      'requests.cpu': '1',
      services: '9',
      'services.nodeports': '9',
      resourcequotas: '1',
      'count/persistentvolumeclaims': '1',
    }
    await cluster.create(resourceQuotas, { metadata: { name: 'q', ...here }, spec: { hard } })
    expect((await statusOf(cluster))!.used).toEqual({
      configmaps: '1',
      'count/configmaps': '1',
      'requests.cpu': '100m',
      services: '2',
      'services.nodeports': '2',
      resourcequotas: '1',
      'count/persistentvolumeclaims': '0',
    })
    await cluster.advance(2 * UNDERWAY_MS)
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('gives back what is gone, once nothing can be underway any more', async () => {
    await using cluster = await aCluster({ hard: { secrets: '3' } })
    for (const name of ['a', 'b']) await cluster.create(secrets, { metadata: { name, ...here } })
    expect((await statusOf(cluster))!.used).toEqual({ secrets: '2' })
    await cluster.advance(2 * UNDERWAY_MS)
    await cluster.remove(secrets, 'a')
    await cluster.advance(2 * UNDERWAY_MS)
    expect((await statusOf(cluster))!.used).toEqual({ secrets: '1' })
    await cluster.advance(2 * UNDERWAY_MS)
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('gives back what was charged for an object that never came', async () => {
    await using cluster = await aCluster({ hard: { configmaps: '9' } })
    await cluster.create(configMaps, { metadata: { name: 'a', ...here } })
    const again = cluster.create(configMaps, { metadata: { name: 'a', ...here } })
    await expect(again).rejects.toThrow('already exists')
    expect((await statusOf(cluster))!.used).toEqual({ configmaps: '2' })
    await cluster.advance(3 * UNDERWAY_MS)
    expect((await statusOf(cluster))!.used).toEqual({ configmaps: '1' })
  })

  test('charges a pod until it has ended, and one that will not go until it should have', async () => {
    await using cluster = await aCluster({ hard: { pods: '5', 'count/pods': '5' } })
    for (const name of ['a', 'b']) {
      await cluster.create(pods, aPod(name, { nodeName: 'n', terminationGracePeriodSeconds: 30 }))
    }
    const pod = (await cluster.get(pods, 'a'))!
    await cluster.client.updateStatus(pods, { ...pod, status: { phase: 'Failed' } }, cluster.signal)
    await cluster.remove(pods, 'b')
    await cluster.advance(5000)
    expect((await statusOf(cluster))!.used).toEqual({ 'count/pods': '2', pods: '1' })
    await cluster.advance(65_000)
    expect((await statusOf(cluster))!.used).toEqual({ 'count/pods': '2', pods: '0' })
  })

  test('with scopes counts what falls under all of them', async () => {
    const scopes = ['NotBestEffort', 'Terminating']
    await using cluster = await aCluster({ hard: { pods: '5', cpu: '5' }, scopes })
    await cluster.create(pods, aPod('forever'))
    await cluster.create(pods, aPod('short', { activeDeadlineSeconds: 5 }))
    const bare = [{ name: 'c', image: 'i' }]
    await cluster.create(pods, aPod('best', { activeDeadlineSeconds: 5, containers: bare }))
    await cluster.advance(3000)
    expect((await statusOf(cluster))!.used).toEqual({ cpu: '100m', pods: '1' })
  })

  test('follows a change of what it allows', async () => {
    await using cluster = await aCluster({ hard: { pods: '5' } })
    await cluster.change(resourceQuotas, 'q', (quota) => {
      quota.spec = { hard: { configmaps: '7' } }
    })
    const used = (await cluster.list(configMaps, 'default')).length
    expect(await statusOf(cluster)).toEqual({
      hard: { configmaps: '7' },
      used: { configmaps: `${used}` },
    })
    await cluster.change(resourceQuotas, 'q', (quota) => {
      quota.spec = {}
    })
    expect(await statusOf(cluster)).toEqual({})
    await cluster.advance(2 * UNDERWAY_MS)
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('keeps a controller from making more pods, which says so, until there is room', async () => {
    await using cluster = await aCluster({ hard: { pods: '2' } })
    await cluster.create(replicationControllers, {
      metadata: { name: 'rc', ...here },
      spec: {
        replicas: 3,
        selector: { a: 'b' },
        template: { metadata: { labels: { a: 'b' } }, spec: aPod('x').spec },
      },
    })
    const conditions = async () =>
      (await cluster.get(replicationControllers, 'rc'))!.status?.conditions ?? []
    expect(await cluster.list(pods, 'default')).toHaveLength(2)
    expect(await conditions()).toMatchObject([
      { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate' },
    ])
    await cluster.change(replicationControllers, 'rc', ({ spec }) => {
      spec.replicas = 2
    })
    await cluster.advance(30_000)
    expect(await conditions()).toEqual([])
  })
})

describe('planQuota', () => {
  const quota = (used: string | undefined) => ({
    metadata: {},
    spec: { hard: { pods: '9' } },
    status: used === undefined ? {} : { hard: { pods: '9' }, used: { pods: used } },
  })

  test('never says less than what was charged lately would make it, and never more than both', () => {
    everyCase((choose) => {
      const numbers = [0, 1, 2, 3]
      const [counted, charged, lately] = [choose(numbers), choose(numbers), choose(numbers)]
      const underway = [{ atMs: 0, amounts: parseAmounts({ pods: `${lately}` }) }]
      const counts = parseAmounts({ pods: `${counted}` })
      const { status, isHeld } = planQuota(quota(`${charged}`), counts, underway)
      const said = Number(status.used!.pods)
      expect(said).toBe(counted >= charged ? counted : Math.min(charged, counted + lately))
      expect(isHeld).toBe(said !== counted)
    })
  })

  test('says what was counted where nothing was said, and keeps what could not be counted', () => {
    const none = new Map()
    expect(planQuota(quota(undefined), parseAmounts({ pods: '3' }), []).status.used).toEqual({
      pods: '3',
    })
    expect(planQuota(quota('4'), none, []).status.used).toEqual({ pods: '4' })
    expect(planQuota(quota(undefined), none, []).status).toEqual({ hard: { pods: '9' } })
  })
})

test('charges are underway for a while, and grow out of what is used', () => {
  const amounts = (pods: number) => parseAmounts({ pods: `${pods}` })
  let charges = chargesUnderway([], new Map(), amounts(2), 0)
  charges = chargesUnderway(charges, amounts(2), amounts(5), 500)
  charges = chargesUnderway(charges, amounts(5), amounts(4), 600)
  const texts = () =>
    charges.map(({ atMs, amounts }) => [atMs, Number(amounts.get('pods')!.unscaled)])
  expect(texts()).toEqual([
    [0, 2],
    [500, 3],
  ])
  charges = chargesUnderway(charges, amounts(4), amounts(4), UNDERWAY_MS)
  expect(texts()).toEqual([[500, 3]])
})
