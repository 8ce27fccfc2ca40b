import { describe, expect, test } from 'bun:test'
import { TestCluster } from '../../../../test/support/cluster.ts'
import { controllerRevisions } from '../../../api/kinds/apps/controllerrevision/row.ts'
import { statefulSets } from '../../../api/kinds/apps/statefulset/row.ts'
import { persistentVolumeClaims as claims } from '../../../api/kinds/core/persistentvolumeclaim/row.ts'
import { pods } from '../../../api/kinds/core/pod/row.ts'
import { events } from '../../../api/kinds/events/event/row.ts'
import type {
  PersistentVolumeClaim,
  Pod,
  PodTemplateSpec,
  StatefulSet,
} from '../../../api/schema/generated/types.ts'
import { statefulSetController } from './statefulset.ts'

const aCluster = () => TestCluster.start({ controllers: [statefulSetController()] })

const template = (image = 'a', more: Partial<PodTemplateSpec['spec']> = {}): PodTemplateSpec => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'c', image }], ...more },
})

function aSet(spec: Partial<StatefulSet['spec']> = {}): StatefulSet {
  const selector = { matchLabels: { app: 'web' } }
  return {
    metadata: { name: 'web', namespace: 'default' },
    spec: { replicas: 3, serviceName: 'svc', selector, template: template(), ...spec },
  }
}

const data: PersistentVolumeClaim = {
  metadata: { name: 'data', labels: { kept: 'yes' } },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
}

/** `web-0:a web-1:b*`: names, images, and a star for those that are on their way out. */
async function shown(cluster: TestCluster): Promise<string> {
  const all = await cluster.list(pods)
  return all.map((pod) => shownPod(pod)).join(' ')
}

function shownPod({ metadata, spec, status }: Pod): string {
  const sign = metadata.deletionTimestamp ? '*' : status?.phase === 'Running' ? '' : '?'
  return `${metadata.name}:${spec.containers[0]!.image}${sign}`
}

const statusOf = async (cluster: TestCluster) => (await cluster.get(statefulSets, 'web'))!.status!

async function messages(cluster: TestCluster): Promise<string[]> {
  const all = await cluster.list(events)
  return all.map(({ type, reason, message }) => `${type} ${reason}: ${message}`)
}

const run = async (cluster: TestCluster, name: string) =>
  cluster.runPod((await cluster.get(pods, name))!).then(() => cluster.settle())

const end = (cluster: TestCluster, name: string) =>
  cluster.remove(pods, name, { gracePeriodSeconds: 0 })

const fail = async (cluster: TestCluster, name: string, phase = 'Failed') => {
  const pod = (await cluster.get(pods, name))!
  const failed = { ...pod, status: { ...pod.status, phase } }
  await cluster.client.updateStatus(pods, failed, cluster.signal)
  await cluster.settle()
}

const change = (cluster: TestCluster, edit: (set: StatefulSet) => void) =>
  cluster.change(statefulSets, 'web', edit)

describe('pods of a StatefulSet', () => {
  test('are started one after the other, as who they are', async () => {
    await using cluster = await aCluster()
    await cluster.create(statefulSets, aSet({ volumeClaimTemplates: [data] }))
    expect(await shown(cluster)).toBe('web-0:a?')
    await run(cluster, 'web-0')
    expect(await shown(cluster)).toBe('web-0:a web-1:a?')
    await run(cluster, 'web-1')
    const [revision] = await cluster.list(controllerRevisions)
    const { name: hash } = revision!.metadata
    const pod = (await cluster.get(pods, 'web-2'))!
    expect(pod.metadata.generateName).toBe('web-')
    expect(pod.metadata.labels).toEqual({
      app: 'web',
      'apps.kubernetes.io/pod-index': '2',
      'controller-revision-hash': hash!,
      'statefulset.kubernetes.io/pod-name': 'web-2',
    })
    expect(pod.spec).toMatchObject({ hostname: 'web-2', subdomain: 'svc' })
    expect(pod.spec.volumes![0]).toEqual({
      name: 'data',
      persistentVolumeClaim: { claimName: 'data-web-2' },
    })
    const claim = (await cluster.get(claims, 'data-web-2'))!
    expect(claim.metadata.labels).toEqual({ app: 'web', kept: 'yes' })
    expect(await statusOf(cluster)).toEqual({
      observedGeneration: 1,
      replicas: 3,
      readyReplicas: 2,
      availableReplicas: 2,
      currentReplicas: 3,
      updatedReplicas: 3,
      currentRevision: hash!,
      updateRevision: hash!,
      collisionCount: 0,
    })
    await run(cluster, 'web-2')
    const made = (n: number) => [
      `Normal SuccessfulCreate: Create Claim data-web-${n} Pod web-${n} in StatefulSet web success`,
      `Normal SuccessfulCreate: Create Pod web-${n} in StatefulSet web successful`,
    ]
    expect((await messages(cluster)).toSorted()).toEqual([0, 1, 2].flatMap(made).toSorted())
    expect(cluster.warnings).toEqual([])
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('go one after the other, the highest first, and not while one below is unwell', async () => {
    await using cluster = await aCluster()
    await cluster.create(statefulSets, aSet())
    await cluster.runPods()
    await change(cluster, ({ spec }) => {
      spec.replicas = 1
    })
    expect(await shown(cluster)).toBe('web-0:a web-1:a web-2:a*')
    await end(cluster, 'web-2')
    expect(await shown(cluster)).toBe('web-0:a web-1:a*')
    await end(cluster, 'web-1')
    expect(await shown(cluster)).toBe('web-0:a')
    expect(await statusOf(cluster)).toMatchObject({ replicas: 1, currentReplicas: 1 })
    expect(await cluster.writesOfOneMorePass()).toEqual([])

    await change(cluster, ({ spec }) => {
      spec.replicas = 3
    })
    await cluster.runPods()
    const sick = (await cluster.get(pods, 'web-0'))!
    const status = { ...sick.status, conditions: [] }
    await cluster.client.updateStatus(pods, { ...sick, status }, cluster.signal)
    await cluster.settle()
    await change(cluster, ({ spec }) => {
      spec.replicas = 1
    })
    expect(await shown(cluster)).toBe('web-0:a web-1:a web-2:a')
  })

  test('start and go all at once when they may', async () => {
    await using cluster = await aCluster()
    await cluster.create(statefulSets, aSet({ podManagementPolicy: 'Parallel', replicas: 4 }))
    expect(await shown(cluster)).toBe('web-0:a? web-1:a? web-2:a? web-3:a?')
    await change(cluster, ({ spec }) => {
      spec.replicas = 1
    })
    await cluster.settle()
    expect((await cluster.list(pods)).map(({ metadata }) => metadata.name)).toEqual(['web-0'])
    await cluster.runPods()
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('are numbered from where the set begins', async () => {
    await using cluster = await aCluster()
    await cluster.create(statefulSets, aSet({ replicas: 2, ordinals: { start: 5 } }))
    await cluster.runPods()
    expect(await shown(cluster)).toBe('web-5:a web-6:a')
    await change(cluster, ({ spec }) => {
      spec.ordinals = { start: 6 }
    })
    await cluster.runPods()
    expect(await shown(cluster)).toBe('web-6:a web-7:a')
    expect(await statusOf(cluster)).toMatchObject({ replicas: 2, readyReplicas: 2 })
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('that ended are made again: at once, and then later each time', async () => {
    await using cluster = await aCluster()
    await cluster.create(statefulSets, aSet({ replicas: 1 }))
    const uid = async () => (await cluster.get(pods, 'web-0'))?.metadata.uid
    const first = await uid()
    await fail(cluster, 'web-0')
    const second = await uid()
    expect(second).not.toBe(first)
    await fail(cluster, 'web-0', 'Succeeded')
    expect(await uid()).toBe(second)
    await cluster.advance(1000)
    const third = await uid()
    expect(third).not.toBe(second)
    await fail(cluster, 'web-0')
    await cluster.advance(1000)
    expect(await uid()).toBe(third)
    await cluster.advance(1000)
    expect(await uid()).not.toBe(third)
    const told = (await messages(cluster)).filter((message) => message.includes('Delete'))
    expect(new Set(told)).toEqual(
      new Set(['Normal SuccessfulDelete: Delete Pod web-0 in StatefulSet web successful']),
    )
  })

  test('count as available only after minReadySeconds, and the next one waits for that', async () => {
    await using cluster = await aCluster()
    await cluster.create(statefulSets, aSet({ replicas: 2, minReadySeconds: 30 }))
    await run(cluster, 'web-0')
    await cluster.advance(29_000)
    expect(await shown(cluster)).toBe('web-0:a')
    expect(await statusOf(cluster)).toMatchObject({ readyReplicas: 1, availableReplicas: 0 })
    await cluster.advance(2000)
    expect(await shown(cluster)).toBe('web-0:a web-1:a?')
    expect(await statusOf(cluster)).toMatchObject({ availableReplicas: 1 })
  })

  test('are taken over when they fit by name and labels, and let go when they do not', async () => {
    await using cluster = await aCluster()
    const labels = { app: 'web' }
    for (const name of ['web-0', 'web-x', 'web-01', 'other-1']) {
      await cluster.create(pods, {
        metadata: { name, namespace: 'default', labels },
        spec: template().spec!,
      })
    }
    await cluster.create(statefulSets, aSet({ replicas: 1 }))
    await cluster.runPods()
    const owned = (await cluster.list(pods)).filter(({ metadata }) => metadata.ownerReferences)
    expect(owned.map(({ metadata }) => metadata.name)).toEqual(['web-0'])
    // It is of no revision: so it is replaced by one that is.
    expect(owned[0]!.metadata.labels).toHaveProperty('controller-revision-hash')
    await cluster.change(pods, 'web-0', ({ metadata }) => {
      metadata.labels = { ...metadata.labels, app: 'debug' }
    })
    expect((await cluster.get(pods, 'web-0'))!.metadata.ownerReferences).toBeUndefined()
  })

  test('get back the name that they say they have', async () => {
    await using cluster = await aCluster()
    await cluster.create(statefulSets, aSet({ replicas: 1 }))
    await cluster.runPods()
    await cluster.change(pods, 'web-0', ({ metadata }) => {
      metadata.labels!['statefulset.kubernetes.io/pod-name'] = 'somebody'
    })
    const { labels } = (await cluster.get(pods, 'web-0'))!.metadata
    expect(labels!['statefulset.kubernetes.io/pod-name']).toBe('web-0')
    expect(await messages(cluster)).toContain(
      'Normal SuccessfulUpdate: Update Pod web-0 in StatefulSet web successful',
    )
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })
})

describe('a roll', () => {
  const roll = (cluster: TestCluster, image: string) =>
    change(cluster, ({ spec }) => {
      spec.template = template(image)
    })

  test('goes from the last to the first, one at a time, and is remembered', async () => {
    await using cluster = await aCluster()
    await cluster.create(statefulSets, aSet())
    await cluster.runPods()
    const before = await statusOf(cluster)
    await roll(cluster, 'b')
    expect(await shown(cluster)).toBe('web-0:a web-1:a web-2:a*')
    expect(await statusOf(cluster)).toMatchObject({
      currentReplicas: 2,
      currentRevision: before.currentRevision!,
    })
    await end(cluster, 'web-2')
    expect(await shown(cluster)).toBe('web-0:a web-1:a web-2:b?')
    await run(cluster, 'web-2')
    expect(await shown(cluster)).toBe('web-0:a web-1:a* web-2:b')
    const during = await statusOf(cluster)
    expect(during).toMatchObject({ currentReplicas: 1, updatedReplicas: 1 })
    expect(during.updateRevision).not.toBe(during.currentRevision)
    await cluster.runPods()
    expect(await shown(cluster)).toBe('web-0:b web-1:b web-2:b')
    const after = await statusOf(cluster)
    expect(after).toMatchObject({ currentReplicas: 3, updatedReplicas: 3 })
    expect(after.currentRevision).toBe(after.updateRevision)
    const revisions = await cluster.list(controllerRevisions)
    expect(revisions.map(({ revision }) => revision).toSorted()).toEqual([1, 2])
    expect(await cluster.writesOfOneMorePass()).toEqual([])

    await roll(cluster, 'a')
    await cluster.runPods()
    expect(await shown(cluster)).toBe('web-0:a web-1:a web-2:a')
    const back = await cluster.list(controllerRevisions)
    expect(back.map(({ revision }) => revision).toSorted()).toEqual([2, 3])
    expect((await statusOf(cluster)).currentRevision).toBe(before.currentRevision)
    expect(cluster.warnings).toEqual([])
  })

  test('ends at the partition, and pods below it stay what they were', async () => {
    await using cluster = await aCluster()
    const updateStrategy = { type: 'RollingUpdate', rollingUpdate: { partition: 2 } }
    await cluster.create(statefulSets, aSet({ updateStrategy }))
    await cluster.runPods()
    await roll(cluster, 'b')
    await cluster.runPods()
    expect(await shown(cluster)).toBe('web-0:a web-1:a web-2:b')
    await end(cluster, 'web-1')
    await end(cluster, 'web-2')
    await cluster.runPods()
    expect(await shown(cluster)).toBe('web-0:a web-1:a web-2:b')
    expect(await cluster.writesOfOneMorePass()).toEqual([])
    await change(cluster, ({ spec }) => {
      spec.updateStrategy!.rollingUpdate!.partition = 0
    })
    await cluster.runPods()
    expect(await shown(cluster)).toBe('web-0:b web-1:b web-2:b')
  })

  test('of pods that go only when asked touches none', async () => {
    await using cluster = await aCluster()
    await cluster.create(statefulSets, aSet({ updateStrategy: { type: 'OnDelete' } }))
    await cluster.runPods()
    await roll(cluster, 'b')
    await cluster.runPods()
    expect(await shown(cluster)).toBe('web-0:a web-1:a web-2:a')
    await end(cluster, 'web-1')
    await cluster.runPods()
    expect(await shown(cluster)).toBe('web-0:a web-1:b web-2:a')
    const status = await statusOf(cluster)
    expect(status).toMatchObject({ currentReplicas: 2, updatedReplicas: 1 })
    expect(status.currentRevision).not.toBe(status.updateRevision)
  })

  test('keeps as much history as it may, and what is in use', async () => {
    await using cluster = await aCluster()
    await cluster.create(statefulSets, aSet({ replicas: 1, revisionHistoryLimit: 1 }))
    await cluster.runPods()
    for (const image of ['b', 'c', 'd']) {
      await roll(cluster, image)
      await cluster.runPods()
    }
    const revisions = await cluster.list(controllerRevisions)
    expect(revisions.map(({ revision }) => revision).toSorted()).toEqual([3, 4])
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('takes the next name when another history has the hash', async () => {
    await using cluster = await aCluster()
    await cluster.create(statefulSets, aSet({ replicas: 0 }))
    const [first] = await cluster.list(controllerRevisions)
    await cluster.remove(statefulSets, 'web', { propagationPolicy: 'Orphan' })
    await cluster.remove(controllerRevisions, first!.metadata.name!)
    const { name, namespace } = first!.metadata
    await cluster.create(controllerRevisions, {
      metadata: { name: name!, namespace: namespace! },
      data: { other: true },
      revision: 1,
    })
    const set = await cluster.get(statefulSets, 'web')
    if (set !== undefined) {
      await change(cluster, ({ metadata }) => {
        metadata.finalizers = []
      })
    }
    await cluster.create(statefulSets, aSet({ replicas: 0 }))
    const status = await statusOf(cluster)
    expect(status.collisionCount).toBe(1)
    expect(status.updateRevision).not.toBe(name)
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })
})

describe('claims of a StatefulSet', () => {
  /** As the controller that protects claims in use. */
  const release = (cluster: TestCluster) =>
    cluster.change(claims, 'data-web-0', ({ metadata }) => {
      metadata.finalizers = []
    })

  const owners = async (cluster: TestCluster) =>
    (await cluster.list(claims)).map(({ metadata }) => {
      const references = metadata.ownerReferences ?? []
      return `${metadata.name}:${references.map(({ kind, name }) => `${kind}/${name}`)}`
    })

  test.each([
    ['Retain', 'Retain', ['data-web-0:', 'data-web-1:']],
    ['Delete', 'Retain', ['data-web-0:StatefulSet/web', 'data-web-1:StatefulSet/web']],
    ['Retain', 'Delete', ['data-web-0:', 'data-web-1:Pod/web-1']],
    ['Delete', 'Delete', ['data-web-0:StatefulSet/web', 'data-web-1:Pod/web-1']],
  ])('deleted: %p, scaled: %p', async (whenDeleted, whenScaled, wanted) => {
    await using cluster = await aCluster()
    const policy = { whenDeleted, whenScaled }
    const spec = { volumeClaimTemplates: [data], persistentVolumeClaimRetentionPolicy: policy }
    await cluster.create(statefulSets, aSet({ ...spec, replicas: 2 }))
    await cluster.runPods()
    const whole = whenDeleted === 'Delete' ? 'StatefulSet/web' : ''
    expect(await owners(cluster)).toEqual([`data-web-0:${whole}`, `data-web-1:${whole}`])
    expect(await cluster.writesOfOneMorePass()).toEqual([])
    await change(cluster, ({ spec: it }) => {
      it.replicas = 1
    })
    expect(await owners(cluster)).toEqual(wanted)
    // The policy may change at any time.
    await change(cluster, ({ spec: it }) => {
      it.persistentVolumeClaimRetentionPolicy = { whenDeleted: 'Retain', whenScaled: 'Retain' }
    })
    expect(await owners(cluster)).toEqual(['data-web-0:', 'data-web-1:'])
    expect(cluster.warnings).toEqual([])
  })

  test('that another controls are left to it, with a word', async () => {
    await using cluster = await aCluster()
    const reference = { apiVersion: 'v1', kind: 'Thing', name: 't', uid: 'u', controller: true }
    const metadata = { name: 'data-web-0', namespace: 'default', ownerReferences: [reference] }
    await cluster.create(claims, { ...data, metadata })
    const policy = { whenDeleted: 'Delete', whenScaled: 'Delete' }
    const spec = { volumeClaimTemplates: [data], persistentVolumeClaimRetentionPolicy: policy }
    await cluster.create(statefulSets, aSet({ ...spec, replicas: 1 }))
    await cluster.runPods()
    expect(await owners(cluster)).toEqual(['data-web-0:Thing/t'])
    expect(await messages(cluster)).toContain(
      'Warning ConflictingController: PersistentVolumeClaim data-web-0 has a conflicting ' +
        'OwnerReference that acts as a manging controller, the retention policy is ignored for ' +
        'this claim',
    )
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('that go with an earlier pod of the name are waited for', async () => {
    await using cluster = await aCluster()
    const policy = { whenDeleted: 'Retain', whenScaled: 'Delete' }
    const spec = { volumeClaimTemplates: [data], persistentVolumeClaimRetentionPolicy: policy }
    const reference = { apiVersion: 'v1', kind: 'Pod', name: 'web-0', uid: 'u', controller: true }
    const metadata = { name: 'data-web-0', namespace: 'default', ownerReferences: [reference] }
    await cluster.create(claims, { ...data, metadata })
    await cluster.create(statefulSets, aSet({ ...spec, replicas: 1 }))
    expect(await shown(cluster)).toBe('')
    await cluster.remove(claims, 'data-web-0')
    expect(await shown(cluster)).toBe('')
    await release(cluster)
    expect(await shown(cluster)).toBe('web-0:a?')
    expect(await owners(cluster)).toEqual(['data-web-0:'])
  })

  test('that are being deleted keep their pod from being made', async () => {
    await using cluster = await aCluster()
    const metadata = { name: 'data-web-0', namespace: 'default' }
    await cluster.create(claims, { ...data, metadata })
    await cluster.remove(claims, 'data-web-0')
    await cluster.create(statefulSets, aSet({ volumeClaimTemplates: [data], replicas: 1 }))
    expect(await shown(cluster)).toBe('')
    expect(await messages(cluster)).toContain(
      'Warning FailedCreate: Create Pod web-0 in StatefulSet web failed error: ' +
        'pvc data-web-0 is being deleted',
    )
    await release(cluster)
    expect(await shown(cluster)).toBe('web-0:a?')
  })
})
