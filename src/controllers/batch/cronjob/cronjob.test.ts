import { describe, expect, test } from 'bun:test'
import { TestCluster } from '../../../../test/support/cluster.ts'
import { cronJobs } from '../../../api/kinds/batch/cronjob/row.ts'
import { jobs } from '../../../api/kinds/batch/job/row.ts'
import { events } from '../../../api/kinds/events/event/row.ts'
import type { CronJob, CronJobSpec, Job } from '../../../api/schema/generated/types.ts'
import { formatTime } from '../../../api/time.ts'
import { cronJobController } from './cronjob.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** Jobs run for as long as a test wants: nobody else works on them here. */
const start = (controllers = [cronJobController()]) => TestCluster.start({ controllers })

function aCronJob(spec: Partial<CronJobSpec> = {}): CronJob {
  const pod = { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] }
  const jobTemplate = { spec: { template: { spec: pod } } }
  const metadata = { name: 'c', namespace: 'default' }
  return { metadata, spec: { schedule: '*/10 * * * *', jobTemplate, ...spec } }
}

async function finish(cluster: TestCluster, job: Job, type: 'Complete' | 'Failed' = 'Complete') {
  const { namespace, name = '' } = job.metadata
  const fresh = await cluster.client.get(jobs, { namespace, name }, cluster.signal)
  const now = formatTime(cluster.clock.nowMs())
  const why = type === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget'
  const status = {
    startTime: now,
    conditions: [why, type].map((one) => ({ type: one, status: 'True', lastTransitionTime: now })),
    ...(type === 'Complete' ? { completionTime: now } : {}),
  }
  await cluster.client.updateStatus(jobs, { ...fresh, status }, cluster.signal)
  await cluster.settle()
}

const scheduledOf = async (cluster: TestCluster) =>
  (await cluster.list(jobs)).map(({ metadata }) => {
    return metadata.annotations?.['batch.kubernetes.io/cronjob-scheduled-timestamp']
  })

const statusOf = async (cluster: TestCluster) => (await cluster.get(cronJobs, 'c'))!.status!

const eventsOf = async (cluster: TestCluster) =>
  (await cluster.list(events)).map(({ type, reason, message }) => `${type} ${reason}: ${message}`)

describe('a CronJob', () => {
  test('makes a Job when it is due, and knows of its end', async () => {
    await using cluster = await start()
    await cluster.create(cronJobs, aCronJob())
    await cluster.advance(9 * MINUTE_MS, MINUTE_MS)
    expect(await cluster.list(jobs)).toEqual([])
    await cluster.advance(2 * MINUTE_MS, MINUTE_MS)
    const [job] = await cluster.list(jobs)
    const minute = Date.UTC(2026, 0, 1, 0, 10) / MINUTE_MS
    expect(job!.metadata.name).toBe(`c-${minute}`)
    expect(job!.metadata.ownerReferences).toMatchObject([{ kind: 'CronJob', controller: true }])
    const { name, uid, resourceVersion } = job!.metadata
    expect(await statusOf(cluster)).toEqual({
      active: [
        { kind: 'Job', namespace: 'default', name, uid, apiVersion: 'batch/v1', resourceVersion },
      ] as never,
      lastScheduleTime: '2026-01-01T00:10:00Z',
    })
    await finish(cluster, job!)
    expect(await statusOf(cluster)).toEqual({
      lastScheduleTime: '2026-01-01T00:10:00Z',
      lastSuccessfulTime: '2026-01-01T00:11:00Z',
    })
    expect(await eventsOf(cluster)).toEqual([
      `Normal SuccessfulCreate: Created job ${name}`,
      `Normal SawCompletedJob: Saw completed job: ${name}, condition: Complete`,
    ])
    expect(cluster.warnings).toEqual([])
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('runs once for all the times that it missed, and says so', async () => {
    await using cluster = await start()
    await cluster.create(cronJobs, aCronJob({ suspend: true }))
    await cluster.advance(72 * HOUR_MS, HOUR_MS)
    await cluster.change(cronJobs, 'c', ({ spec }) => (spec.suspend = false))
    await cluster.settle()
    expect(await scheduledOf(cluster)).toEqual(['2026-01-04T00:00:00Z'])
    const [first] = await eventsOf(cluster)
    expect(first).toStartWith('Warning TooManyMissedTimes: too many missed start times.')
  })

  test('runs as scheduled although its last time is written in the far future', async () => {
    await using cluster = await start()
    const created = await cluster.create(cronJobs, aCronJob())
    const status = { lastScheduleTime: '2036-01-01T00:00:00Z' }
    await cluster.client.updateStatus(cronJobs, { ...created, status }, cluster.signal)
    await cluster.advance(11 * MINUTE_MS, MINUTE_MS)
    expect(await scheduledOf(cluster)).toEqual(['2026-01-01T00:10:00Z'])
  })

  test('keeps to its time zone, and writes its times as that shows them', async () => {
    await using cluster = await start()
    await cluster.create(cronJobs, aCronJob({ schedule: '30 1 * * *', timeZone: 'Europe/Berlin' }))
    await cluster.advance(HOUR_MS, MINUTE_MS)
    await cluster.advance(24 * HOUR_MS, 10 * MINUTE_MS)
    expect(await scheduledOf(cluster)).toEqual([
      '2026-01-01T01:30:00+01:00',
      '2026-01-02T01:30:00+01:00',
    ])
  })

  test('waits for the one at work when it must, and then makes up for the last time', async () => {
    await using cluster = await start()
    await cluster.create(cronJobs, aCronJob({ concurrencyPolicy: 'Forbid' }))
    await cluster.advance(35 * MINUTE_MS, MINUTE_MS)
    const [job, ...others] = await cluster.list(jobs)
    expect(others).toEqual([])
    expect((await eventsOf(cluster)).at(-1)).toBe(
      'Normal JobAlreadyActive: Not starting job because prior execution is running and concurrency policy is Forbid',
    )
    await finish(cluster, job!)
    expect((await scheduledOf(cluster)).sort()).toEqual([
      '2026-01-01T00:10:00Z',
      '2026-01-01T00:30:00Z',
    ])
  })

  test('replaces the one at work', async () => {
    await using cluster = await start()
    await cluster.create(cronJobs, aCronJob({ concurrencyPolicy: 'Replace' }))
    await cluster.advance(21 * MINUTE_MS, MINUTE_MS)
    expect(await scheduledOf(cluster)).toEqual(['2026-01-01T00:20:00Z'])
    expect((await statusOf(cluster)).active).toHaveLength(1)
  })

  test('lets a time go by whose deadline is over', async () => {
    await using cluster = await start()
    await cluster.create(cronJobs, aCronJob({ startingDeadlineSeconds: 30, suspend: true }))
    await cluster.advance(15 * MINUTE_MS, MINUTE_MS)
    await cluster.change(cronJobs, 'c', ({ spec }) => (spec.suspend = false))
    await cluster.settle()
    expect(await cluster.list(jobs)).toEqual([])
    await cluster.advance(6 * MINUTE_MS, 5000)
    expect(await scheduledOf(cluster)).toEqual(['2026-01-01T00:20:00Z'])
  })

  test('keeps as many ended Jobs as it should', async () => {
    await using cluster = await start()
    const limits = { successfulJobsHistoryLimit: 2, failedJobsHistoryLimit: 0 }
    await cluster.create(cronJobs, aCronJob(limits))
    for (let run = 0; run < 5; run++) {
      await cluster.advance(10 * MINUTE_MS, MINUTE_MS)
      for (const job of await cluster.list(jobs)) {
        if (job.status?.conditions) continue
        await finish(cluster, job, run === 4 ? 'Failed' : 'Complete')
      }
    }
    expect((await scheduledOf(cluster)).sort()).toEqual([
      '2026-01-01T00:30:00Z',
      '2026-01-01T00:40:00Z',
    ])
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('makes nothing while it is suspended', async () => {
    await using cluster = await start()
    await cluster.create(cronJobs, aCronJob({ suspend: true }))
    await cluster.advance(HOUR_MS, MINUTE_MS)
    expect(await cluster.list(jobs)).toEqual([])
  })

  test('counts from now on when its schedule changes', async () => {
    await using cluster = await start()
    await cluster.create(cronJobs, aCronJob({ schedule: '0 12 * * *' }))
    await cluster.advance(25 * MINUTE_MS, MINUTE_MS)
    await cluster.change(cronJobs, 'c', ({ spec }) => (spec.schedule = '*/10 * * * *'))
    await cluster.settle()
    expect(await cluster.list(jobs)).toEqual([])
    await cluster.advance(6 * MINUTE_MS, MINUTE_MS)
    expect(await scheduledOf(cluster)).toEqual(['2026-01-01T00:30:00Z'])
  })

  test('makes no second Job for a time whose first it could not write down', async () => {
    await using cluster = await start()
    const created = await cluster.create(cronJobs, aCronJob())
    await cluster.advance(11 * MINUTE_MS, MINUTE_MS)
    // As if it had been killed between the two writes.
    const { metadata } = (await cluster.get(cronJobs, 'c'))!
    await cluster.client.updateStatus(
      cronJobs,
      { ...created, metadata, status: {} },
      cluster.signal,
    )
    await cluster.settle()
    expect(await cluster.list(jobs)).toHaveLength(1)
    expect(await statusOf(cluster)).toMatchObject({
      lastScheduleTime: '2026-01-01T00:10:00Z',
      active: [{ kind: 'Job' }],
    })
  })

  test('forgets a Job that somebody deleted', async () => {
    await using cluster = await start()
    await cluster.create(cronJobs, aCronJob())
    await cluster.advance(11 * MINUTE_MS, MINUTE_MS)
    const [job] = await cluster.list(jobs)
    await cluster.remove(jobs, job!.metadata.name!, { propagationPolicy: 'Background' })
    expect((await statusOf(cluster)).active).toBeUndefined()
    const message = `Normal MissingJob: Active job went missing: ${job!.metadata.name}`
    expect((await eventsOf(cluster)).at(-1)).toBe(message)
  })
})
