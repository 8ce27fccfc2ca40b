// A Job whose controller is killed after each of its writes, one after the other, comes to the same
// end as one that is left in peace.

import { describe, expect, test } from 'bun:test'
import { TestCluster } from '../../../../test/support/cluster.ts'
import { isJobFinished } from '../../../api/job/state.ts'
import { jobs } from '../../../api/kinds/batch/job/row.ts'
import { pods } from '../../../api/kinds/core/pod/row.ts'
import type { KubeObject } from '../../../api/object.ts'
import type { AnyRow } from '../../../api/resource.ts'
import type { Job, JobSpec, Pod } from '../../../api/schema/generated/types.ts'
import { formatTime } from '../../../api/time.ts'
import { Barrier } from '../../../kit/barrier.ts'
import type { Client } from '../../../kit/client.ts'
import type { Kit } from '../../../kit/controller.ts'
import { Cache } from '../../../kit/lister.ts'
import { createWriter } from '../../../kit/writer.ts'
import { createLog } from '../../../lib/log.ts'
import { SeededRandom } from '../../../lib/random.ts'
import { jobController } from './job.ts'
import { completionIndexOf, hasFinalizer } from './job-pods.ts'

class Killed extends Error {}

/** Lets `writes` of them through; who comes later finds that the process is no more. */
function mortal(client: Client, life: { writes: number }): Client {
  const spend = async <T>(write: () => Promise<T>): Promise<T> => {
    if (life.writes-- <= 0) throw new Killed()
    return write()
  }
  return {
    ...client,
    get: (...args) => client.get(...args),
    create: (...args) => spend(() => client.create(...args)),
    updateStatus: (...args) => spend(() => client.updateStatus(...args)),
    patch: (...args) => spend(() => client.patch(...args)),
    delete: (...args) => spend(() => client.delete(...args)),
  }
}

async function kitOf(cluster: TestCluster, client: Client, key: string): Promise<Kit> {
  const caches = new Map<AnyRow, Cache<KubeObject>>()
  for (const row of [jobs, pods] as AnyRow[]) {
    const cache = new Cache<KubeObject>()
    for (const object of await cluster.list(row)) cache.put(object as KubeObject)
    caches.set(row, cache)
  }
  const { clock } = cluster
  return {
    list: (row) => caches.get(row) as never,
    listAny: (row) => caches.get(row) as never,
    writer: createWriter(client, new Barrier(() => undefined), key),
    client,
    events: { normal() {}, warning() {} },
    clock,
    random: new SeededRandom(1),
    log: createLog({ clock, level: 'error', format: 'text', write() {} }),
    enqueue() {},
  }
}

/** What the node says of pods that ended. */
async function end(cluster: TestCluster, pod: Pod, phase: 'Succeeded' | 'Failed'): Promise<void> {
  const finishedAt = formatTime(cluster.clock.nowMs())
  const terminated = { exitCode: phase === 'Failed' ? 1 : 0, finishedAt, startedAt: finishedAt }
  const state = { terminated }
  const container = { name: 'c', image: 'i', imageID: '', ready: false, restartCount: 0, state }
  const status = { phase, containerStatuses: [container] }
  await cluster.client.updateStatus(pods, { ...pod, status }, cluster.signal)
}

type World = { spec: Partial<JobSpec>; fails: (pod: Pod, ended: number) => boolean }

/** Returns how the Job ended, and whether the kill came before that. */
async function live(cluster: TestCluster, name: string, world: World, writes: number) {
  const template = {
    spec: { nodeName: 'a', restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] },
  }
  const metadata = { name, namespace: 'default' }
  await cluster.create(jobs, { metadata, spec: { template, ...world.spec } })
  const life = { writes }
  let [controller, client] = [jobController(), mortal(cluster.client, life)]
  let [ended, isKilled] = [0, false]
  for (let round = 0; round < 60; round++) {
    const job = (await cluster.get(jobs, name))!
    if (isJobFinished(job)) return { job, isKilled }
    const kit = await kitOf(cluster, client, `default/${name}`)
    try {
      await controller.reconcile(job, kit, cluster.signal)
    } catch (error) {
      if (!(error instanceof Killed) && life.writes > 0) throw error
    }
    if (life.writes < 0 && !isKilled) {
      isKilled = true
      controller = jobController()
      client = cluster.client
      continue
    }
    await cluster.clock.advance(6000)
    for (const pod of await ownPods(cluster, job)) {
      if (['Succeeded', 'Failed'].includes(pod.status?.phase ?? '')) continue
      await end(cluster, pod, world.fails(pod, ended++) ? 'Failed' : 'Succeeded')
    }
  }
  throw new Error('the Job never ends')
}

const ownPods = async (cluster: TestCluster, { metadata }: Job) =>
  (await cluster.list(pods)).filter(({ metadata: { ownerReferences } }) => {
    return ownerReferences?.[0]?.uid === metadata.uid
  })

async function liveAndDie(world: World, wanted: object) {
  await using cluster = await TestCluster.start()
  for (let writes = 0; ; writes++) {
    const { job, isKilled } = await live(cluster, `j${writes}`, world, writes)
    const { status } = job
    const told = status!.conditions!.map(({ type, reason }) => `${type} ${reason}`)
    expect({ writes, ...status, told }).toMatchObject({ writes, ...wanted })
    expect((await ownPods(cluster, job)).filter(hasFinalizer)).toEqual([])
    if (!isKilled) return writes
  }
}

const uncountedTerminatedPods = {}

describe('killed after each of its writes, the controller still', () => {
  test('counts each end once', async () => {
    const world: World = { spec: { completions: 3, parallelism: 3 }, fails: (_, at) => at === 0 }
    const told = ['SuccessCriteriaMet CompletionsReached', 'Complete CompletionsReached']
    const wanted = { succeeded: 3, failed: 1, uncountedTerminatedPods, told }
    expect(await liveAndDie(world, wanted)).toBeGreaterThan(10)
  }, 60_000)

  test('counts failures of each index once', async () => {
    const limits = { completions: 2, parallelism: 2, backoffLimitPerIndex: 1 }
    const world: World = {
      spec: { completionMode: 'Indexed', ...limits },
      fails: (pod) => completionIndexOf(pod) === 1,
    }
    const told = ['FailureTarget FailedIndexes', 'Failed FailedIndexes']
    const indexes = { completedIndexes: '0', failedIndexes: '1' }
    const wanted = { succeeded: 1, failed: 2, ...indexes, uncountedTerminatedPods, told }
    expect(await liveAndDie(world, wanted)).toBeGreaterThan(8)
  }, 60_000)

  test('gives up after as many failures as it may', async () => {
    const world: World = { spec: { backoffLimit: 1 }, fails: () => true }
    const told = ['FailureTarget BackoffLimitExceeded', 'Failed BackoffLimitExceeded']
    const wanted = { failed: 2, uncountedTerminatedPods, told }
    expect(await liveAndDie(world, wanted)).toBeGreaterThan(5)
  }, 60_000)
})
