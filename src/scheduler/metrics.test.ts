import { expect, test } from 'bun:test'
import { testHandle } from '../../test/support/scheduling.ts'
import type { Pod } from '../api/schema/generated/types.ts'
import { SimClock } from '../lib/clock.ts'
import { Metrics } from '../lib/metrics.ts'
import { schedulerMetrics } from './metrics.ts'
import { prioritySort } from './plugins/priority-sort.ts'
import { SchedulingQueue } from './queue.ts'

test('attempts are counted, and pods that wait by what they wait for', async () => {
  const clock = new SimClock()
  const plugins = [
    prioritySort(testHandle()),
    { name: 'Gate', preEnqueue: ({ metadata }: Pod) => (metadata.uid === 'e' ? 'no' : undefined) },
  ]
  const queue = new SchedulingQueue({ clock, plugins, onReady: () => {} })
  const metrics = new Metrics()
  const { attempted, preempted } = schedulerMetrics(metrics, () => queue.pending)
  for (const uid of ['a', 'b', 'c', 'd', 'e']) {
    queue.put({ metadata: { uid, generation: 1 }, spec: { containers: [] } } as Pod)
  }
  const [first, second] = [queue.take()!, queue.take()!]
  attempted('unschedulable', 0.002)
  queue.refused(first, new Set(['x']))
  queue.retry(second.pod)
  attempted('scheduled', 0.001)
  preempted(0)
  preempted(3)
  const { text } = await metrics.text()
  const lines = text.split('\n')
  expect(queue.pending).toEqual({ active: 2, backoff: 1, unschedulable: 1, gated: 1 })
  for (const [name, count] of Object.entries(queue.pending)) {
    expect(lines).toContain(`scheduler_pending_pods{queue="${name}"} ${count}`)
  }
  expect(lines).toContain('scheduler_preemption_attempts_total 2')
  expect(lines).toContain('scheduler_preemption_victims_count 1')
  expect(lines).toContain('scheduler_preemption_victims_sum 3')
  const of = (result: string) => `{profile="default-scheduler",result="${result}"}`
  expect(lines).toContain(`scheduler_schedule_attempts_total${of('scheduled')} 1`)
  expect(lines).toContain(
    `scheduler_scheduling_attempt_duration_seconds_sum${of('unschedulable')} 0.002`,
  )
})
