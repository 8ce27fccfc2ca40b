import { expect, test } from 'bun:test'
import type { Pod } from '../api/schema/generated/types.ts'
import { SimClock } from '../lib/clock.ts'
import { Metrics } from '../lib/metrics.ts'
import { schedulerMetrics } from './metrics.ts'
import { SchedulingQueue } from './queue.ts'

test('attempts are counted, and pods that wait by what they wait for', async () => {
  const clock = new SimClock()
  const queue = new SchedulingQueue(clock, () => {})
  const metrics = new Metrics()
  const attempted = schedulerMetrics(metrics, () => queue.pending)
  for (const uid of ['a', 'b', 'c', 'd']) {
    queue.put({ metadata: { uid, generation: 1 }, spec: { containers: [] } } as Pod)
  }
  const [first, second] = [queue.take()!, queue.take()!]
  attempted('unschedulable', 0.002)
  queue.fail(first.pod.metadata.uid!, first.change)
  queue.wake()
  queue.fail(second.pod.metadata.uid!, queue.take()!.change)
  attempted('scheduled', 0.001)
  const { text } = await metrics.text()
  const lines = text.split('\n')
  const { active, backoff, unschedulable } = queue.pending
  expect(active + backoff + unschedulable).toBe(3)
  for (const [name, count] of Object.entries(queue.pending)) {
    expect(lines).toContain(`scheduler_pending_pods{queue="${name}"} ${count}`)
  }
  const of = (result: string) => `{profile="default-scheduler",result="${result}"}`
  expect(lines).toContain(`scheduler_schedule_attempts_total${of('scheduled')} 1`)
  expect(lines).toContain(
    `scheduler_scheduling_attempt_duration_seconds_sum${of('unschedulable')} 0.002`,
  )
})
