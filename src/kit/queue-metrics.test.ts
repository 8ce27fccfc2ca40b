import { expect, test } from 'bun:test'
import { SimClock } from '../lib/clock.ts'
import { Metrics } from '../lib/metrics.ts'
import { QueueMetrics } from './queue-metrics.ts'
import { WorkQueue } from './workqueue.ts'

const never = new AbortController().signal

test('a queue shows what waits, how long it waited, and how long the work took', async () => {
  const clock = new SimClock()
  const metrics = new Metrics()
  const queue: WorkQueue = new WorkQueue(
    clock,
    new QueueMetrics(metrics).watch('q', () => queue),
  )
  const value = async (name: string) => {
    const lines = (await metrics.text()).text.split('\n')
    return Number(
      lines
        .find((line) => line.startsWith(`workqueue_${name} `))
        ?.split(' ')
        .at(-1),
    )
  }
  const q = (name: string) => value(`${name}{name="q"}`)
  for (const key of ['a', 'b', 'a']) queue.add(key)
  expect([await q('adds_total'), await q('depth')]).toEqual([2, 2])
  await clock.advance(2000)
  await queue.take(never)
  await clock.advance(3000)
  expect([await q('depth'), await q('unfinished_work_seconds')]).toEqual([1, 3])
  expect(await q('longest_running_processor_seconds')).toBe(3)
  expect(await q('queue_duration_seconds_sum')).toBe(2)
  // Asked for again while it is worked on: it is added when that is over.
  queue.add('a')
  queue.done('a')
  expect([await q('adds_total'), await q('depth')]).toEqual([3, 2])
  expect(await q('work_duration_seconds_sum')).toBe(3)
  queue.retry('c')
  expect(await q('retries_total')).toBe(1)
  queue.close()
})
