import { describe, expect, test } from 'bun:test'
import { TestCluster } from '../../../test/support/cluster.ts'
import { deployments } from '../../api/kinds/apps/deployment/row.ts'
import { replicaSets } from '../../api/kinds/apps/replicaset/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import { events } from '../../api/kinds/events/event/row.ts'
import type { Deployment, ReplicaSet } from '../../api/schema/generated/types.ts'
import { conditionOf } from '../conditions.ts'
import { deploymentController } from './deployment.ts'
import { replicaSetController } from './replicaset.ts'

async function aCluster(): Promise<TestCluster> {
  const cluster = await TestCluster.start({
    controllers: [replicaSetController, deploymentController],
  })
  return cluster
}

const template = (name: string, image = 'pause') => ({
  metadata: { labels: { app: name } },
  spec: { nodeName: 'node-a', containers: [{ name: 'c', image }] },
})

function aReplicaSet(name: string, replicas: number): ReplicaSet {
  const selector = { matchLabels: { app: name } }
  const spec = { replicas, selector, template: template(name) }
  return { metadata: { name, namespace: 'default' }, spec }
}

function aDeployment(name: string, spec: Partial<Deployment['spec']> = {}): Deployment {
  return {
    metadata: { name, namespace: 'default' },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: name } },
      template: template(name),
      ...spec,
    },
  }
}

const messagesOf = async (cluster: TestCluster, kind: string) =>
  (await cluster.list(events))
    .filter(({ involvedObject }) => involvedObject.kind === kind)
    .map(({ type, reason, message }) => `${type} ${reason}: ${message}`)

describe('ReplicaSets', () => {
  test('get their pods and lose the ones too many', async () => {
    await using cluster = await aCluster()
    await cluster.create(replicaSets, aReplicaSet('web', 3))
    await cluster.runPods()
    expect((await cluster.get(replicaSets, 'web'))!.status).toEqual({
      replicas: 3,
      fullyLabeledReplicas: 3,
      readyReplicas: 3,
      availableReplicas: 3,
      observedGeneration: 1,
      terminatingReplicas: 0,
    })
    await cluster.change(replicaSets, 'web', ({ spec }) => (spec.replicas = 1))
    await cluster.runPods()
    expect(await cluster.list(pods)).toHaveLength(1)
    expect(await messagesOf(cluster, 'ReplicaSet')).toHaveLength(5)
    expect(cluster.warnings).toEqual([])
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('replace a pod that was deleted, and adopt one that fits', async () => {
    await using cluster = await aCluster()
    const orphan = { name: 'orphan', namespace: 'default', labels: { app: 'web' } }
    await cluster.create(pods, { metadata: orphan, spec: template('web').spec })
    await cluster.create(replicaSets, aReplicaSet('web', 2))
    await cluster.runPods()
    const all = await cluster.list(pods)
    expect(all).toHaveLength(2)
    expect(all.map(({ metadata }) => metadata.ownerReferences?.[0]?.name)).toEqual(['web', 'web'])
    await cluster.remove(pods, 'orphan')
    await cluster.runPods()
    expect(await cluster.list(pods)).toHaveLength(2)
    expect(cluster.warnings).toEqual([])
  })

  test('release a pod whose labels no longer fit, and make another', async () => {
    await using cluster = await aCluster()
    await cluster.create(replicaSets, aReplicaSet('web', 1))
    const [pod] = await cluster.list(pods)
    await cluster.change(pods, pod!.metadata.name!, ({ metadata }) => {
      metadata.labels = { app: 'debug' }
    })
    await cluster.settle()
    const released = await cluster.get(pods, pod!.metadata.name!)
    expect(released!.metadata.ownerReferences ?? []).toEqual([])
    expect(await cluster.list(pods)).toHaveLength(2)
  })

  test('become available only after minReadySeconds, without anybody asking', async () => {
    await using cluster = await aCluster()
    const rs = aReplicaSet('web', 1)
    rs.spec.minReadySeconds = 30
    await cluster.create(replicaSets, rs)
    await cluster.runPods()
    const available = async () => (await cluster.get(replicaSets, 'web'))!.status?.availableReplicas
    expect(await available()).toBeUndefined()
    await cluster.advance(29_000)
    expect(await available()).toBeUndefined()
    await cluster.advance(2_000)
    expect(await available()).toBe(1)
  })
})

describe('Deployments', () => {
  test('start their pods through one ReplicaSet and say so', async () => {
    await using cluster = await aCluster()
    await cluster.create(deployments, aDeployment('web', { replicas: 2 }))
    await cluster.runPods()
    const { metadata, status } = (await cluster.get(deployments, 'web'))!
    const [rs] = await cluster.list(replicaSets)
    const { name } = rs!.metadata
    expect(name).toMatch(/^web-[bcdfghjklmnpqrstvwxz2456789]{1,10}$/)
    expect(rs!.metadata.annotations).toEqual({
      'deployment.kubernetes.io/desired-replicas': '2',
      'deployment.kubernetes.io/max-replicas': '3',
      'deployment.kubernetes.io/revision': '1',
    })
    expect(metadata.annotations).toEqual({ 'deployment.kubernetes.io/revision': '1' })
    expect(metadata.generation).toBe(1)
    expect(status).toMatchObject({ replicas: 2, updatedReplicas: 2, availableReplicas: 2 })
    expect(status?.unavailableReplicas).toBeUndefined()
    expect(conditionOf(status?.conditions, 'Progressing')).toMatchObject({
      status: 'True',
      reason: 'NewReplicaSetAvailable',
      message: `ReplicaSet "${name}" has successfully progressed.`,
    })
    expect(conditionOf(status?.conditions, 'Available')).toMatchObject({
      reason: 'MinimumReplicasAvailable',
    })
    expect(await messagesOf(cluster, 'Deployment')).toEqual([
      `Normal ScalingReplicaSet: Scaled up replica set ${name} from 0 to 2`,
    ])
    expect(cluster.warnings).toEqual([])
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('roll to a new template and keep the old ReplicaSet for undoing', async () => {
    await using cluster = await aCluster()
    await cluster.create(deployments, aDeployment('web', { replicas: 4 }))
    await cluster.runPods()
    await cluster.change(deployments, 'web', ({ spec }) => (spec.template = template('web', 'new')))
    await cluster.runPods()
    const sets = await cluster.list(replicaSets)
    expect(sets.map(({ spec }) => spec.replicas).toSorted()).toEqual([0, 4])
    const images = (await cluster.list(pods)).map(({ spec }) => spec.containers[0]!.image)
    expect(images).toEqual(['new', 'new', 'new', 'new'])
    expect((await cluster.get(deployments, 'web'))!.metadata.annotations).toMatchObject({
      'deployment.kubernetes.io/revision': '2',
    })
    expect(cluster.warnings).toEqual([])
    expect(await cluster.writesOfOneMorePass()).toEqual([])

    await cluster.change(deployments, 'web', ({ spec }) => (spec.template = template('web')))
    await cluster.runPods()
    const [first] = (await cluster.list(replicaSets)).filter(({ spec }) => spec.replicas === 4)
    expect(first!.metadata.annotations).toMatchObject({
      'deployment.kubernetes.io/revision': '3',
      'deployment.kubernetes.io/revision-history': '1',
    })
  })

  test('of kind Recreate never run two templates at once', async () => {
    await using cluster = await aCluster()
    await cluster.create(
      deployments,
      aDeployment('web', { replicas: 2, strategy: { type: 'Recreate' } }),
    )
    await cluster.runPods()
    await cluster.change(deployments, 'web', ({ spec }) => (spec.template = template('web', 'new')))
    await cluster.settle()
    const images = async () =>
      (await cluster.list(pods)).map(({ spec }) => spec.containers[0]!.image)
    expect(await images()).toEqual(['pause', 'pause'])
    await cluster.runPods()
    expect(await images()).toEqual(['new', 'new'])
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('say when a roll takes longer than its deadline', async () => {
    await using cluster = await aCluster()
    await cluster.create(deployments, aDeployment('web', { progressDeadlineSeconds: 60 }))
    await cluster.settle()
    const progressing = async () =>
      conditionOf((await cluster.get(deployments, 'web'))!.status?.conditions, 'Progressing')
    await cluster.advance(58_000)
    expect(await progressing()).toMatchObject({ status: 'True', reason: 'ReplicaSetUpdated' })
    await cluster.advance(5_000)
    expect(await progressing()).toMatchObject({
      status: 'False',
      reason: 'ProgressDeadlineExceeded',
      message: expect.stringMatching(/^ReplicaSet "web-\w+" has timed out progressing\.$/),
    })
  })

  test('keep as many old ReplicaSets as the history limit says', async () => {
    await using cluster = await aCluster()
    await cluster.create(deployments, aDeployment('web', { revisionHistoryLimit: 2 }))
    await cluster.runPods()
    for (const image of ['b', 'c', 'd', 'e']) {
      await cluster.change(
        deployments,
        'web',
        ({ spec }) => (spec.template = template('web', image)),
      )
      await cluster.runPods()
      await cluster.advance(1000)
    }
    const revisions = (await cluster.list(replicaSets)).map(
      ({ metadata }) => metadata.annotations?.['deployment.kubernetes.io/revision'],
    )
    expect(revisions.toSorted()).toEqual(['3', '4', '5'])
  })

  test('scale in proportion in the middle of a roll', async () => {
    await using cluster = await aCluster()
    const rollingUpdate = { maxSurge: 3, maxUnavailable: 2 }
    const strategy = { type: 'RollingUpdate', rollingUpdate }
    await cluster.create(deployments, aDeployment('web', { replicas: 10, strategy }))
    await cluster.runPods()
    await cluster.change(deployments, 'web', ({ spec }) => (spec.template = template('web', 'new')))
    await cluster.settle()
    const sizes = async () =>
      (await cluster.list(replicaSets)).map(({ spec }) => spec.replicas!).toSorted((a, b) => b - a)
    expect(await sizes()).toEqual([8, 5])
    await cluster.change(deployments, 'web', ({ spec }) => (spec.replicas = 30))
    expect(await sizes()).toEqual([20, 13])
  })

  test('do nothing to their pods while paused, but tell that they are', async () => {
    await using cluster = await aCluster()
    await cluster.create(deployments, aDeployment('web', { replicas: 2 }))
    await cluster.runPods()
    await cluster.change(deployments, 'web', ({ spec }) => {
      spec.paused = true
      spec.template = template('web', 'new')
    })
    await cluster.runPods()
    expect(await cluster.list(replicaSets)).toHaveLength(1)
    const { status } = (await cluster.get(deployments, 'web'))!
    expect(conditionOf(status?.conditions, 'Progressing')).toMatchObject({
      status: 'Unknown',
      reason: 'DeploymentPaused',
      message: 'Deployment is paused',
    })
  })
})
