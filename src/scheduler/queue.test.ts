import { expect, test } from 'bun:test'
import type { Pod } from '../api/schema/generated/types.ts'
import { SimClock } from '../lib/clock.ts'
import { SchedulingQueue } from './queue.ts'

function aPod(uid: string, priority = 0): Pod {
  return { metadata: { uid, generation: 1 }, spec: { containers: [], priority } }
}

function aQueue() {
  const clock = new SimClock()
  return { clock, queue: new SchedulingQueue(clock, () => {}) }
}

test('the more important pod goes first, then the older', async () => {
  const { clock, queue } = aQueue()
  queue.put(aPod('old'))
  await clock.advance(1)
  queue.put(aPod('new'))
  queue.put(aPod('important', 10))
  const order = [queue.take(), queue.take(), queue.take()].map((next) => next?.pod.metadata.uid)
  expect(order).toEqual(['important', 'old', 'new'])
  expect(queue.take()).toBeUndefined()
})

test('a pod that failed waits for a change, and then for its back-off', async () => {
  const { clock, queue } = aQueue()
  queue.put(aPod('a'))
  queue.fail('a', queue.take()!.change)
  await clock.advance(5000)
  expect(queue.take()).toBeUndefined()
  queue.wake()
  queue.fail('a', queue.take()!.change)
  queue.wake()
  await clock.advance(1999)
  expect(queue.take()).toBeUndefined()
  await clock.advance(1)
  expect(queue.take()?.pod.metadata.uid).toBe('a')
})

test('a change that comes while a pod is being placed is not missed', async () => {
  const { clock, queue } = aQueue()
  queue.put(aPod('a'))
  const { change } = queue.take()!
  queue.wake()
  queue.fail('a', change)
  await clock.advance(1000)
  expect(queue.take()?.pod.metadata.uid).toBe('a')
})

test('a pod is looked at again after five minutes of silence', async () => {
  const { clock, queue } = aQueue()
  queue.put(aPod('a'))
  queue.fail('a', queue.take()!.change)
  await clock.advance(5 * 60_000)
  expect(queue.take()?.pod.metadata.uid).toBe('a')
})
