import { describe, expect, test } from 'bun:test'
import { TestCluster } from '../../../../test/support/cluster.ts'
import { jobs } from '../../../api/kinds/batch/job/row.ts'
import { pods } from '../../../api/kinds/core/pod/row.ts'
import { events } from '../../../api/kinds/events/event/row.ts'
import type { Job, JobSpec, Pod } from '../../../api/schema/generated/types.ts'
import { formatTime } from '../../../api/time.ts'
import { ttlAfterFinishedController } from '../ttl-after-finished.ts'
import { jobController } from './job.ts'
import { jobOrphanController } from './orphans.ts'

const start = () =>
  TestCluster.start({
    controllers: [jobController(), jobOrphanController, ttlAfterFinishedController],
  })

const container = { name: 'c', image: 'i' }

function aJob(spec: Partial<JobSpec> = {}, restartPolicy = 'Never'): Job {
  const template = { spec: { nodeName: 'node-a', restartPolicy, containers: [container] } }
  return { metadata: { name: 'j', namespace: 'default' }, spec: { template, ...spec } }
}

async function end(
  cluster: TestCluster,
  pod: Pod,
  exitCode: number,
  conditions: Pod['status'] = {},
) {
  const finishedAt = formatTime(cluster.clock.nowMs())
  const terminated = { exitCode, finishedAt, startedAt: finishedAt }
  const status = {
    phase: exitCode === 0 ? 'Succeeded' : 'Failed',
    containerStatuses: [
      { name: 'c', image: 'i', imageID: '', ready: false, restartCount: 0, state: { terminated } },
    ],
    ...conditions,
  }
  const { namespace, name = '' } = pod.metadata
  const fresh = await cluster.client.get(pods, { namespace, name }, cluster.signal)
  await cluster.client.updateStatus(pods, { ...fresh, status }, cluster.signal)
  await cluster.settle()
}

const live = async (cluster: TestCluster) =>
  (await cluster.list(pods)).filter(({ status, metadata }) => {
    const isOver = ['Succeeded', 'Failed'].includes(status?.phase ?? '')
    return !isOver && metadata.deletionTimestamp === undefined
  })

const byIndex = async (cluster: TestCluster, index: number) =>
  (await live(cluster)).find(({ metadata }) => {
    return metadata.annotations?.['batch.kubernetes.io/job-completion-index'] === `${index}`
  })

const statusOf = async (cluster: TestCluster) => (await cluster.get(jobs, 'j'))!.status!

const endsOf = async (cluster: TestCluster) =>
  ((await statusOf(cluster)).conditions ?? [])
    .filter(({ status }) => status === 'True')
    .map(({ type, reason }) => `${type} ${reason}`)

const eventsOf = async (cluster: TestCluster) =>
  (await cluster.list(events))
    .filter(({ involvedObject }) => involvedObject.kind === 'Job')
    .map(({ type, reason, message }) => `${type} ${reason}: ${message}`)

describe('a Job', () => {
  test('runs its pods, counts them, and is complete', async () => {
    await using cluster = await start()
    await cluster.create(jobs, aJob({ completions: 3, parallelism: 2 }))
    expect(await statusOf(cluster)).toEqual({
      startTime: '2026-01-01T00:00:00Z',
      active: 2,
      ready: 0,
      terminating: 0,
      uncountedTerminatedPods: {},
    })
    const [first] = await live(cluster)
    expect(first!.metadata.finalizers).toEqual(['batch.kubernetes.io/job-tracking'])
    expect(first!.metadata.name).toMatch(/^j-[a-z0-9]{5}$/)
    for (let i = 0; i < 3; i++) await end(cluster, (await live(cluster))[0]!, 0)
    const status = await statusOf(cluster)
    expect(status).toMatchObject({ succeeded: 3, ready: 0, terminating: 0 })
    expect(status.completionTime).toBe('2026-01-01T00:00:00Z')
    expect(await endsOf(cluster)).toEqual([
      'SuccessCriteriaMet CompletionsReached',
      'Complete CompletionsReached',
    ])
    const all = await cluster.list(pods)
    expect(all.map(({ metadata }) => metadata.finalizers ?? [])).toEqual([[], [], []])
    expect((await eventsOf(cluster)).at(-1)).toBe('Normal Completed: Job completed')
    expect(cluster.warnings).toEqual([])
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('replaces a failed pod after ten seconds, then twenty, and gives up at its limit', async () => {
    await using cluster = await start()
    await cluster.create(jobs, aJob({ backoffLimit: 2 }))
    await end(cluster, (await live(cluster))[0]!, 1)
    await cluster.advance(9_000)
    expect(await live(cluster)).toEqual([])
    await cluster.advance(2_000)
    await end(cluster, (await live(cluster))[0]!, 1)
    await cluster.advance(19_000)
    expect(await live(cluster)).toEqual([])
    await cluster.advance(2_000)
    await end(cluster, (await live(cluster))[0]!, 1)
    expect(await statusOf(cluster)).toMatchObject({ failed: 3 })
    expect(await endsOf(cluster)).toEqual([
      'FailureTarget BackoffLimitExceeded',
      'Failed BackoffLimitExceeded',
    ])
    const message = 'Warning BackoffLimitExceeded: Job has reached the specified backoff limit'
    expect((await eventsOf(cluster)).at(-1)).toBe(message)
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('ends at its deadline, and tells so when the last pod is gone', async () => {
    await using cluster = await start()
    await cluster.create(jobs, aJob({ activeDeadlineSeconds: 60 }))
    for (const pod of await live(cluster)) await cluster.runPod(pod)
    await cluster.settle()
    expect(await statusOf(cluster)).toMatchObject({ active: 1, ready: 1 })
    await cluster.advance(61_000)
    expect(await endsOf(cluster)).toEqual(['FailureTarget DeadlineExceeded'])
    expect(await statusOf(cluster)).toMatchObject({ ready: 0, terminating: 1, failed: 1 })
    await cluster.runPods()
    expect(await endsOf(cluster)).toEqual([
      'FailureTarget DeadlineExceeded',
      'Failed DeadlineExceeded',
    ])
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('is suspended and resumed, and its time starts anew', async () => {
    await using cluster = await start()
    await cluster.create(jobs, aJob({ suspend: true }))
    expect(await live(cluster)).toEqual([])
    expect((await statusOf(cluster)).startTime).toBeUndefined()
    expect(await endsOf(cluster)).toEqual(['Suspended JobSuspended'])
    await cluster.advance(5000)
    await cluster.change(jobs, 'j', ({ spec }) => (spec.suspend = false))
    await cluster.settle()
    expect(await statusOf(cluster)).toMatchObject({ active: 1, startTime: '2026-01-01T00:00:05Z' })
    await cluster.change(jobs, 'j', ({ spec }) => (spec.suspend = true))
    await cluster.runPods()
    expect(await cluster.list(pods)).toEqual([])
    const status = await statusOf(cluster)
    expect(status.failed ?? 0).toBe(0)
    expect(status.startTime).toBeUndefined()
    expect((await eventsOf(cluster)).filter((text) => /Suspended|Resumed/.test(text))).toEqual([
      'Normal Suspended: Job suspended',
      'Normal Resumed: Job resumed',
    ])
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('leaves alone what is managed by others', async () => {
    await using cluster = await start()
    await cluster.create(jobs, aJob({ managedBy: 'example.com/queue' }))
    expect(await cluster.list(pods)).toEqual([])
    expect(await statusOf(cluster)).toEqual({})
  })

  test('fails at once when a pod failed in the way its policy names, and ignores others', async () => {
    await using cluster = await start()
    const rules = [
      { action: 'FailJob', onExitCodes: { operator: 'In', values: [42] } },
      { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
    ]
    await cluster.create(jobs, aJob({ backoffLimit: 0, podFailurePolicy: { rules } }))
    const [first] = await live(cluster)
    await end(cluster, first!, 1, { conditions: [{ type: 'DisruptionTarget', status: 'True' }] })
    expect((await statusOf(cluster)).failed ?? 0).toBe(0)
    await cluster.advance(11_000)
    const [second] = await live(cluster)
    await end(cluster, second!, 42)
    const { conditions } = await statusOf(cluster)
    const { name } = second!.metadata
    expect(conditions!.at(-1)).toMatchObject({
      type: 'Failed',
      reason: 'PodFailurePolicy',
      message: `Container c for pod default/${name} failed with exit code 42 matching FailJob rule at index 0`,
    })
  })

  test('is deleted with its pods some time after its end', async () => {
    await using cluster = await start()
    await cluster.create(jobs, aJob({ ttlSecondsAfterFinished: 30 }))
    await end(cluster, (await live(cluster))[0]!, 0)
    await cluster.advance(29_000)
    expect((await cluster.get(jobs, 'j'))?.metadata.deletionTimestamp).toBeUndefined()
    await cluster.advance(2_000)
    expect((await cluster.get(jobs, 'j'))?.metadata.finalizers).toEqual(['foregroundDeletion'])
  })

  test('frees its pods when it goes before they end', async () => {
    await using cluster = await start()
    await cluster.create(jobs, aJob({ parallelism: 3, completions: 3 }))
    await cluster.remove(jobs, 'j', { propagationPolicy: 'Background' })
    const left = await cluster.list(pods)
    expect(left).toHaveLength(3)
    expect(left.flatMap(({ metadata }) => metadata.finalizers ?? [])).toEqual([])
  })

  test('adopts a pod that fits, with the finalizer, and releases one that does not', async () => {
    await using cluster = await start()
    const selector = { matchLabels: { app: 'x' } }
    const job = aJob({ manualSelector: true, selector })
    job.spec.template.metadata = { labels: { app: 'x' } }
    const orphan = { name: 'orphan', namespace: 'default', labels: { app: 'x' } }
    await cluster.create(pods, { metadata: orphan, spec: { containers: [container] } })
    await cluster.create(jobs, job)
    const [adopted, ...others] = await cluster.list(pods)
    expect(others).toEqual([])
    expect(adopted!.metadata.ownerReferences?.[0]?.name).toBe('j')
    expect(adopted!.metadata.finalizers).toEqual(['batch.kubernetes.io/job-tracking'])
    await cluster.change(pods, 'orphan', ({ metadata }) => (metadata.labels = { app: 'y' }))
    await cluster.settle()
    const released = (await cluster.get(pods, 'orphan'))!
    expect(released.metadata.ownerReferences ?? []).toEqual([])
    expect(released.metadata.finalizers ?? []).toEqual([])
    expect(await cluster.list(pods)).toHaveLength(2)
  })
})

describe('an Indexed Job', () => {
  const indexed = (spec: Partial<JobSpec> = {}) =>
    aJob({ completionMode: 'Indexed', completions: 4, parallelism: 4, ...spec })

  test('gives each pod its index, and knows which are done', async () => {
    await using cluster = await start()
    await cluster.create(jobs, indexed())
    const pod = (await byIndex(cluster, 2))!
    expect(pod.metadata.name).toMatch(/^j-2-[a-z0-9]{5}$/)
    expect(pod.spec.hostname).toBe('j-2')
    expect(pod.metadata.labels?.['batch.kubernetes.io/job-completion-index']).toBe('2')
    const field = "metadata.labels['batch.kubernetes.io/job-completion-index']"
    expect(pod.spec.containers[0]!.env).toEqual([
      {
        name: 'JOB_COMPLETION_INDEX',
        valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: field } },
      },
    ])
    for (const index of [2, 0, 1]) await end(cluster, (await byIndex(cluster, index))!, 0)
    expect(await statusOf(cluster)).toMatchObject({ completedIndexes: '0-2', succeeded: 3 })
    await end(cluster, (await byIndex(cluster, 3))!, 0)
    expect(await endsOf(cluster)).toContain('Complete CompletionsReached')
  })

  test('counts failures of each index by itself', async () => {
    await using cluster = await start()
    await cluster.create(jobs, indexed({ completions: 2, parallelism: 2, backoffLimitPerIndex: 1 }))
    await end(cluster, (await byIndex(cluster, 0))!, 0)
    await end(cluster, (await byIndex(cluster, 1))!, 1)
    // The failed pod stays until the next one has taken the count from it.
    const held = (await cluster.list(pods)).filter(({ metadata }) => metadata.finalizers?.length)
    expect(held).toHaveLength(1)
    await cluster.advance(11_000)
    const second = (await byIndex(cluster, 1))!
    const failures = 'batch.kubernetes.io/job-index-failure-count'
    expect(second.metadata.annotations?.[failures]).toBe('1')
    await end(cluster, second, 1)
    expect(await statusOf(cluster)).toMatchObject({
      completedIndexes: '0',
      failedIndexes: '1',
      failed: 2,
      succeeded: 1,
    })
    expect(await endsOf(cluster)).toEqual(['FailureTarget FailedIndexes', 'Failed FailedIndexes'])
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('is complete when its success policy says so, and stops the rest', async () => {
    await using cluster = await start()
    const successPolicy = { rules: [{ succeededIndexes: '1-3', succeededCount: 1 }] }
    await cluster.create(jobs, indexed({ successPolicy }))
    await end(cluster, (await byIndex(cluster, 2))!, 0)
    await cluster.runPods()
    expect(await statusOf(cluster)).toMatchObject({ completedIndexes: '2', succeeded: 1 })
    expect((await statusOf(cluster)).failed ?? 0).toBe(0)
    expect(await endsOf(cluster)).toEqual([
      'SuccessCriteriaMet SuccessPolicy',
      'Complete SuccessPolicy',
    ])
  })

  test('forgets indexes beyond its end when it shrinks', async () => {
    await using cluster = await start()
    await cluster.create(jobs, indexed())
    await end(cluster, (await byIndex(cluster, 3))!, 0)
    await cluster.change(jobs, 'j', ({ spec }) => {
      spec.completions = 2
      spec.parallelism = 2
    })
    await cluster.runPods()
    expect(await statusOf(cluster)).toMatchObject({ active: 2 })
    expect((await statusOf(cluster)).completedIndexes).toBeUndefined()
  })
})
