import { describe, expect, test } from 'bun:test'
import { SimClock } from '../lib/clock.ts'
import { WorkQueue } from './workqueue.ts'

const never = new AbortController().signal

describe('WorkQueue', () => {
  test('gives a key that was added twice once', async () => {
    const queue = new WorkQueue(new SimClock())
    queue.add('a')
    queue.add('a')
    queue.add('b')
    expect([await queue.take(never), await queue.take(never)]).toEqual(['a', 'b'])
    queue.done('a')
    queue.done('b')
    expect(queue.isIdle).toBe(true)
  })

  test('never gives a key to a second worker, and gives it again after the first', async () => {
    const queue = new WorkQueue(new SimClock())
    queue.add('a')
    await queue.take(never)
    queue.add('a')
    const second = queue.take(never)
    expect(await Promise.race([second, Promise.resolve('nothing')])).toBe('nothing')
    queue.done('a')
    expect(await second).toBe('a')
  })

  test('hands a key to a worker that waits for one', async () => {
    const queue = new WorkQueue(new SimClock())
    const waiting = queue.take(never)
    queue.add('a')
    expect(await waiting).toBe('a')
  })

  test('waits longer after each failure, and starts over after a success', () => {
    const queue = new WorkQueue(new SimClock())
    expect([queue.retry('a'), queue.retry('a'), queue.retry('a')]).toEqual([5, 10, 20])
    for (let i = 0; i < 30; i++) queue.retry('a')
    expect(queue.retry('a')).toBe(1_000_000)
    queue.forget('a')
    expect(queue.retry('a')).toBe(5)
  })

  test('adds after a delay, the earliest of several', async () => {
    const clock = new SimClock()
    const queue = new WorkQueue(clock)
    queue.addAfter('a', 500)
    queue.addAfter('a', 100)
    queue.addAfter('a', 300)
    await clock.advance(99)
    expect(queue.isIdle).toBe(true)
    await clock.advance(1)
    expect(await queue.take(never)).toBe('a')
    queue.done('a')
    await clock.advance(1000)
    expect(queue.isIdle).toBe(true)
  })

  test('an add at once overtakes the delay', async () => {
    const clock = new SimClock()
    const queue = new WorkQueue(clock)
    queue.addAfter('a', 100)
    queue.add('a')
    await queue.take(never)
    queue.done('a')
    await clock.advance(200)
    expect(queue.isIdle).toBe(true)
  })

  test('stops waiting when the signal aborts', async () => {
    const queue = new WorkQueue(new SimClock())
    const stop = new AbortController()
    const waiting = queue.take(stop.signal)
    stop.abort(new Error('over'))
    expect(waiting).rejects.toThrow('over')
    queue.add('a')
    expect(await queue.take(never)).toBe('a')
  })
})
