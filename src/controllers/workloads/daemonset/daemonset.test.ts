import { describe, expect, test } from 'bun:test'
import { TestCluster } from '../../../../test/support/cluster.ts'
import { controllerRevisions } from '../../../api/kinds/apps/controllerrevision/row.ts'
import { daemonSets } from '../../../api/kinds/apps/daemonset/row.ts'
import { nodes } from '../../../api/kinds/core/node/row.ts'
import { pods } from '../../../api/kinds/core/pod/row.ts'
import { events } from '../../../api/kinds/events/event/row.ts'
import type { DaemonSet, Pod, PodTemplateSpec, Taint } from '../../../api/schema/generated/types.ts'
import { daemonSetController } from './daemonset.ts'
import { targetNode } from './pod.ts'

async function aCluster(...names: string[]): Promise<TestCluster> {
  const cluster = await TestCluster.start({ controllers: [daemonSetController()] })
  for (const name of names) await join(cluster, name)
  return cluster
}

/** A node is tainted as not ready until it is. */
async function join(cluster: TestCluster, name: string, labels: Record<string, string> = {}) {
  await cluster.create(nodes, { metadata: { name, labels }, spec: {} })
  await taint(cluster, name)
}

const taint = (cluster: TestCluster, name: string, ...taints: Taint[]) =>
  cluster.change(nodes, name, (node) => {
    node.spec = { ...node.spec, taints }
  })

const template = (image = 'a', more: Partial<PodTemplateSpec['spec']> = {}): PodTemplateSpec => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'c', image }], ...more },
})

function aSet(spec: Partial<DaemonSet['spec']> = {}): DaemonSet {
  const selector = { matchLabels: { app: 'web' } }
  return {
    metadata: { name: 'web', namespace: 'default' },
    spec: { selector, template: template(), ...spec },
  }
}

/** `a:x b:y*`: nodes and images; a star for those on their way out, ? for those not running. */
async function shown(cluster: TestCluster): Promise<string> {
  const texts = (await cluster.list(pods)).map((pod) => {
    const isUp = pod.status?.phase === 'Running'
    const sign = pod.metadata.deletionTimestamp ? '*' : isUp ? '' : '?'
    return `${targetNode(pod)}:${pod.spec.containers[0]!.image}${sign}`
  })
  return texts.toSorted().join(' ')
}

const podsOn = async (cluster: TestCluster, node: string) =>
  (await cluster.list(pods)).filter((pod) => targetNode(pod) === node)

async function run(cluster: TestCluster, pod: Pod): Promise<void> {
  await cluster.runPod(pod, targetNode(pod))
  await cluster.settle()
}

/** What nodes do: bind and start all that is theirs, and end what was asked to go. */
async function runAll(cluster: TestCluster): Promise<void> {
  for (let round = 0; round < 50; round++) {
    await cluster.settle()
    const all = await cluster.list(pods)
    const going = all.filter(({ metadata }) => metadata.deletionTimestamp)
    const fresh = all.filter(
      ({ metadata, status }) => !metadata.deletionTimestamp && status?.phase === 'Pending',
    )
    if (going.length + fresh.length === 0) return
    for (const { metadata } of going) {
      await cluster.remove(pods, metadata.name!, { gracePeriodSeconds: 0 })
    }
    for (const pod of fresh) await run(cluster, pod)
  }
  throw new Error('the pods never come to rest')
}

const statusOf = async (cluster: TestCluster) => (await cluster.get(daemonSets, 'web'))!.status!

const change = (cluster: TestCluster, edit: (set: DaemonSet) => void) =>
  cluster.change(daemonSets, 'web', edit)

const roll = (cluster: TestCluster, image: string) =>
  change(cluster, ({ spec }) => {
    spec.template = template(image)
  })

async function messages(cluster: TestCluster): Promise<string[]> {
  const all = await cluster.list(events)
  return all.map(({ type, reason, message }) => `${type} ${reason}: ${message}`)
}

describe('pods of a DaemonSet', () => {
  test('are on every node, each made for its own', async () => {
    await using cluster = await aCluster('n1', 'n2')
    await cluster.create(daemonSets, aSet())
    expect(await shown(cluster)).toBe('n1:a? n2:a?')
    const [pod] = await podsOn(cluster, 'n1')
    const [revision] = await cluster.list(controllerRevisions)
    const hash = revision!.metadata.labels!['controller-revision-hash']!
    expect(revision!.metadata.name).toBe(`web-${hash}`)
    expect(revision!.metadata.labels).toEqual({ app: 'web', 'controller-revision-hash': hash })
    expect(pod!.metadata).toMatchObject({
      generateName: 'web-',
      labels: { app: 'web', 'controller-revision-hash': hash, 'pod-template-generation': '1' },
    })
    expect(pod!.spec.nodeName).toBeUndefined()
    expect(pod!.spec.affinity).toEqual({
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [
            { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n1'] }] },
          ],
        },
      },
    })
    await runAll(cluster)
    expect(await statusOf(cluster)).toEqual({
      observedGeneration: 1,
      currentNumberScheduled: 2,
      desiredNumberScheduled: 2,
      numberMisscheduled: 0,
      numberReady: 2,
      numberAvailable: 2,
      updatedNumberScheduled: 2,
    })
    const told = (await podsOn(cluster, 'n1')).map(({ metadata }) => metadata.name)
    expect(await messages(cluster)).toContain(`Normal SuccessfulCreate: Created pod: ${told[0]}`)
    expect(cluster.warnings).toEqual([])
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('come and go with nodes and their labels', async () => {
    await using cluster = await aCluster('n1')
    const nodeSelector = { disk: 'ssd' }
    await cluster.create(daemonSets, aSet({ template: template('a', { nodeSelector }) }))
    expect(await shown(cluster)).toBe('')
    expect(await statusOf(cluster)).toMatchObject({ desiredNumberScheduled: 0 })
    await join(cluster, 'n2', nodeSelector)
    expect(await shown(cluster)).toBe('n2:a?')
    await cluster.change(nodes, 'n1', ({ metadata }) => {
      metadata.labels = { ...metadata.labels, ...nodeSelector }
    })
    await runAll(cluster)
    expect(await shown(cluster)).toBe('n1:a n2:a')
    await cluster.change(nodes, 'n2', ({ metadata }) => {
      metadata.labels = { disk: 'rust' }
    })
    await runAll(cluster)
    expect(await shown(cluster)).toBe('n1:a')
    await cluster.remove(nodes, 'n1')
    expect(await statusOf(cluster)).toMatchObject({ desiredNumberScheduled: 0 })
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('that no scheduler can bind any more go with their node', async () => {
    await using cluster = await aCluster('n1')
    await cluster.create(daemonSets, aSet())
    expect(await shown(cluster)).toBe('n1:a?')
    await cluster.remove(nodes, 'n1')
    expect(await shown(cluster)).toBe('')
  })

  test('stay where only new ones are not let in, and leave where none are', async () => {
    await using cluster = await aCluster('n1', 'n2')
    await cluster.create(daemonSets, aSet())
    await runAll(cluster)
    await taint(cluster, 'n1', { key: 'k', effect: 'NoSchedule' })
    await taint(cluster, 'n2', { key: 'k', effect: 'NoExecute' })
    await runAll(cluster)
    expect(await shown(cluster)).toBe('n1:a')
    expect(await statusOf(cluster)).toMatchObject({
      desiredNumberScheduled: 0,
      numberMisscheduled: 1,
    })
    await taint(cluster, 'n1')
    expect(await statusOf(cluster)).toMatchObject({
      desiredNumberScheduled: 1,
      numberMisscheduled: 0,
    })
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('stay through all troubles of a node', async () => {
    await using cluster = await aCluster('n1')
    await cluster.create(daemonSets, aSet())
    await runAll(cluster)
    const at = 'node.kubernetes.io'
    for (const name of ['not-ready', 'unreachable']) {
      await taint(cluster, 'n1', { key: `${at}/${name}`, effect: 'NoExecute' })
      expect(await shown(cluster)).toBe('n1:a')
    }
    for (const name of ['disk-pressure', 'memory-pressure', 'pid-pressure', 'unschedulable']) {
      await taint(cluster, 'n1', { key: `${at}/${name}`, effect: 'NoSchedule' })
      expect(await statusOf(cluster)).toMatchObject({ desiredNumberScheduled: 1 })
    }
    await taint(cluster, 'n1', { key: `${at}/network-unavailable`, effect: 'NoSchedule' })
    expect(await statusOf(cluster)).toMatchObject({ desiredNumberScheduled: 0 })
  })

  test('that failed are replaced at once, and then later each time, with a word', async () => {
    await using cluster = await aCluster('n1')
    await cluster.create(daemonSets, aSet())
    const only = async () => (await podsOn(cluster, 'n1'))[0]!
    const end = async (phase: string) => {
      const pod = await only()
      await cluster.client.updateStatus(pods, { ...pod, status: { phase } }, cluster.signal)
      await cluster.settle()
      return pod.metadata.name!
    }
    const first = await end('Failed')
    const second = await end('Failed')
    expect(second).not.toBe(first)
    expect((await only()).metadata.name).toBe(second)
    await cluster.advance(1000)
    expect((await only()).metadata.name).not.toBe(second)
    const third = await end('Succeeded')
    expect((await only()).metadata.name).not.toBe(third)
    const told = await messages(cluster)
    expect(told).toContain(
      `Warning FailedDaemonPod: Found failed daemon pod default/${first} on node n1, ` +
        'will try to kill it',
    )
    expect(told).toContain(
      `Normal SucceededDaemonPod: Found succeeded daemon pod default/${third} on node n1, ` +
        'will try to delete it',
    )
  })

  test('are taken over when they fit, and only the oldest on a node stays', async () => {
    await using cluster = await aCluster('n1')
    for (const name of ['older', 'younger']) {
      const metadata = { name, namespace: 'default', labels: { app: 'web' } }
      await cluster.create(pods, { metadata, spec: { ...template().spec!, nodeName: 'n1' } })
      await cluster.advance(1000)
    }
    await cluster.create(daemonSets, aSet({ updateStrategy: { type: 'OnDelete' } }))
    await runAll(cluster)
    const all = await cluster.list(pods)
    expect(all.map(({ metadata }) => metadata.name)).toEqual(['older'])
    expect(all[0]!.metadata.ownerReferences).toHaveLength(1)
  })

  test('of a template that names its node are there alone', async () => {
    await using cluster = await aCluster('n1', 'n2')
    await cluster.create(daemonSets, aSet({ template: template('a', { nodeName: 'n2' }) }))
    expect(await shown(cluster)).toBe('n2:a?')
    expect(await statusOf(cluster)).toMatchObject({ desiredNumberScheduled: 1 })
  })
})

test('the data of a revision has its keys in order, since clients compare it as text', async () => {
  await using cluster = await aCluster('n1')
  const labels = { app: 'web', a: 'b' }
  const spec = { hostPID: true, containers: [{ name: 'c', image: 'a', args: ['z', 'a'] }] }
  await cluster.create(daemonSets, aSet({ template: { spec, metadata: { labels } } }))
  const [revision] = await cluster.list(controllerRevisions)
  const isInOrder = (value: unknown): boolean => {
    if (value === null || typeof value !== 'object') return true
    const keys = Array.isArray(value) ? [] : Object.keys(value)
    return Bun.deepEquals(keys, keys.toSorted()) && Object.values(value).every(isInOrder)
  }
  expect(isInOrder(revision!.data)).toBe(true)
  expect(revision!.data).toMatchObject({ spec: { template: { spec: { hostPID: true } } } })
})

describe('a roll', () => {
  test('takes one pod after the other away, and is remembered', async () => {
    await using cluster = await aCluster('n1', 'n2', 'n3')
    await cluster.create(daemonSets, aSet())
    await runAll(cluster)
    await roll(cluster, 'b')
    expect(await shown(cluster)).toBe('n1:a* n2:a n3:a')
    await cluster.remove(pods, (await podsOn(cluster, 'n1'))[0]!.metadata.name!, {
      gracePeriodSeconds: 0,
    })
    expect(await shown(cluster)).toBe('n1:b? n2:a n3:a')
    expect(await statusOf(cluster)).toMatchObject({
      numberUnavailable: 1,
      updatedNumberScheduled: 1,
    })
    await runAll(cluster)
    expect(await shown(cluster)).toBe('n1:b n2:b n3:b')
    const revisions = await cluster.list(controllerRevisions)
    expect(revisions.map(({ revision }) => revision).toSorted()).toEqual([1, 2])
    expect(await cluster.writesOfOneMorePass()).toEqual([])

    await roll(cluster, 'a')
    await runAll(cluster)
    expect(await shown(cluster)).toBe('n1:a n2:a n3:a')
    const back = await cluster.list(controllerRevisions)
    expect(back.map(({ revision }) => revision).toSorted()).toEqual([2, 3])
    expect(cluster.warnings).toEqual([])
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('with surge brings the new pod before the old one goes', async () => {
    await using cluster = await aCluster('n1', 'n2')
    const rollingUpdate = { maxSurge: 1, maxUnavailable: 0 }
    const updateStrategy = { type: 'RollingUpdate', rollingUpdate }
    await cluster.create(daemonSets, aSet({ updateStrategy }))
    await runAll(cluster)
    await roll(cluster, 'b')
    expect(await shown(cluster)).toBe('n1:a n1:b? n2:a')
    const fresh = (await podsOn(cluster, 'n1')).find(({ status }) => status?.phase === 'Pending')
    await run(cluster, fresh!)
    expect(await shown(cluster)).toBe('n1:a* n1:b n2:a n2:b?')
    await runAll(cluster)
    expect(await shown(cluster)).toBe('n1:b n2:b')
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('of pods that go only when asked touches none', async () => {
    await using cluster = await aCluster('n1', 'n2')
    await cluster.create(daemonSets, aSet({ updateStrategy: { type: 'OnDelete' } }))
    await runAll(cluster)
    await roll(cluster, 'b')
    await runAll(cluster)
    expect(await shown(cluster)).toBe('n1:a n2:a')
    const [pod] = await podsOn(cluster, 'n2')
    await cluster.remove(pods, pod!.metadata.name!, { gracePeriodSeconds: 0 })
    await runAll(cluster)
    expect(await shown(cluster)).toBe('n1:a n2:b')
    expect(await statusOf(cluster)).toMatchObject({ updatedNumberScheduled: 1 })
  })

  test('waits for minReadySeconds between two pods', async () => {
    await using cluster = await aCluster('n1', 'n2')
    await cluster.create(daemonSets, aSet({ minReadySeconds: 30 }))
    await runAll(cluster)
    await cluster.advance(31_000)
    expect(await statusOf(cluster)).toMatchObject({ numberAvailable: 2 })
    await change(cluster, ({ spec }) => {
      spec.template = template('b')
    })
    await runAll(cluster)
    expect(await shown(cluster)).toBe('n1:b n2:a')
    await cluster.advance(31_000)
    await runAll(cluster)
    expect(await shown(cluster)).toBe('n1:b n2:b')
  })

  test('keeps as much history as it may', async () => {
    await using cluster = await aCluster('n1')
    await cluster.create(daemonSets, aSet({ revisionHistoryLimit: 1 }))
    for (const image of ['b', 'c', 'd']) {
      await roll(cluster, image)
      await runAll(cluster)
    }
    const revisions = await cluster.list(controllerRevisions)
    expect(revisions.map(({ revision }) => revision).toSorted()).toEqual([3, 4])
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('makes one of two revisions that say the same', async () => {
    await using cluster = await aCluster('n1')
    await cluster.create(daemonSets, aSet())
    await runAll(cluster)
    const [revision] = await cluster.list(controllerRevisions)
    const labels = { app: 'web' }
    await cluster.create(controllerRevisions, {
      metadata: { name: 'double', namespace: 'default', labels },
      data: revision!.data,
      revision: 7,
    })
    await runAll(cluster)
    const left = await cluster.list(controllerRevisions)
    expect(left.map(({ metadata }) => metadata.name)).toEqual(['double'])
    expect(left[0]!.metadata.labels).toMatchObject({ 'controller-revision-hash': 'double' })
    const [pod] = await podsOn(cluster, 'n1')
    expect(pod!.metadata.labels).toMatchObject({ 'controller-revision-hash': 'double' })
    expect(await shown(cluster)).toBe('n1:a')
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })
})
