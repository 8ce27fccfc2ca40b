import { expect, test } from 'bun:test'
import { everyCase } from '../../test/support/every-case.ts'
import { testHandle } from '../../test/support/scheduling.ts'
import { nodes } from '../api/kinds/core/node/row.ts'
import { pods } from '../api/kinds/core/pod/row.ts'
import type { AnyRow } from '../api/resource.ts'
import type { Node, Pod } from '../api/schema/generated/types.ts'
import { SimClock } from '../lib/clock.ts'
import { hintOf, type Plugin } from './framework.ts'
import { Heap } from './heap.ts'
import { prioritySort } from './plugins/priority-sort.ts'
import { schedulingGates } from './plugins/scheduling-gates.ts'
import { SchedulingQueue } from './queue.ts'

function aPod(uid: string, priority = 0, spec: Partial<Pod['spec']> = {}): Pod {
  return { metadata: { uid, generation: 1 }, spec: { containers: [], priority, ...spec } }
}

/** Cares for nodes that are named in the pod's labels, and for the pod's own news. */
const picky: Plugin = {
  name: 'Picky',
  hints: [
    hintOf(nodes, (pod, { object }) => pod.metadata.uid === object.metadata.name),
    hintOf(pods, () => true),
  ],
}

function aQueue(...more: Plugin[]) {
  const clock = new SimClock()
  const handle = testHandle()
  const plugins = [prioritySort(handle), schedulingGates(handle), picky, ...more]
  let readyCount = 0
  const queue = new SchedulingQueue({ clock, plugins, onReady: () => readyCount++ })
  const takeUid = () => queue.take()?.pod.metadata.uid
  return { clock, queue, takeUid, readyCount: () => readyCount }
}

const REFUSED = new Set(['Picky'])
const NODES = nodes as AnyRow
const added = (name: string) => {
  const object: Node = { metadata: { name }, spec: {} }
  return { type: 'added', object } as const
}

test('the more important pod goes first, then the older', async () => {
  const { clock, queue, takeUid } = aQueue()
  queue.put(aPod('old'))
  await clock.advance(1)
  queue.put(aPod('new'))
  queue.put(aPod('important', 10))
  expect([takeUid(), takeUid(), takeUid()]).toEqual(['important', 'old', 'new'])
  expect(takeUid()).toBeUndefined()
})

test('who was refused goes behind those of its importance who were not tried', async () => {
  const { clock, queue, takeUid } = aQueue()
  queue.put(aPod('a'))
  await clock.advance(1)
  queue.put(aPod('b'))
  await clock.advance(1)
  queue.refused(queue.take()!, REFUSED)
  queue.changed(NODES, added('a'))
  await clock.advance(1000)
  expect([takeUid(), takeUid()]).toEqual(['b', 'a'])
})

test('a refused pod waits for a change that may help it, and for no other', async () => {
  const { clock, queue, takeUid } = aQueue()
  queue.put(aPod('a'))
  queue.refused(queue.take()!, REFUSED)
  await clock.advance(5000)
  queue.changed(NODES, added('b'))
  expect(takeUid()).toBeUndefined()
  queue.changed(NODES, added('a'))
  expect(takeUid()).toBe('a')
})

test('any change may help a pod that nobody in particular refused', async () => {
  const { clock, queue, takeUid } = aQueue()
  queue.put(aPod('a'))
  queue.refused(queue.take()!, new Set())
  await clock.advance(5000)
  queue.changed(NODES, added('b'))
  expect(takeUid()).toBe('a')
})

test('a change of the pod itself is put to those who refused it', async () => {
  const { clock, queue, takeUid } = aQueue()
  const [a, b] = [aPod('a'), aPod('b')]
  queue.put(a)
  queue.put(b)
  queue.refused(queue.take()!, REFUSED)
  queue.refused(queue.take()!, new Set(['Another']))
  await clock.advance(5000)
  for (const pod of [a, b]) queue.put(pod, { type: 'updated', object: pod, old: pod })
  expect([takeUid(), takeUid()]).toEqual(['a', undefined])
})

test('back-off doubles, and counts only while there is something else to do', async () => {
  const { clock, queue, takeUid } = aQueue()
  queue.put(aPod('a'))
  for (const _ of [1, 2, 3]) {
    queue.refused(queue.take()!, REFUSED)
    queue.changed(NODES, added('a'))
    expect(queue.pending).toMatchObject({ backoff: 1, active: 0 })
  }
  queue.put(aPod('b'))
  expect(takeUid()).toBe('b')
  await clock.advance(3999)
  expect(queue.pending).toMatchObject({ backoff: 1 })
  await clock.advance(1)
  expect(queue.pending).toMatchObject({ backoff: 0, active: 1 })
})

test('after an error nothing shortens the back-off', async () => {
  const { clock, queue, takeUid } = aQueue()
  queue.put(aPod('a'))
  queue.retry(queue.take()!.pod)
  await clock.advance(999)
  expect(takeUid()).toBeUndefined()
  await clock.advance(1)
  expect(takeUid()).toBe('a')
})

test('a change that comes while a pod is being placed is not missed', () => {
  const { queue, takeUid } = aQueue()
  queue.put(aPod('a'))
  const taken = queue.take()!
  queue.changed(NODES, added('b'))
  queue.refused(taken, REFUSED)
  expect(takeUid()).toBe('a')
})

test('a pod is looked at again after five minutes of silence', async () => {
  const { clock, queue, takeUid } = aQueue()
  queue.put(aPod('a'))
  queue.refused(queue.take()!, REFUSED)
  await clock.advance(5 * 60_000 - 1)
  expect(takeUid()).toBeUndefined()
  await clock.advance(1)
  expect(takeUid()).toBe('a')
})

test('a gated pod is not tried until the last gate is away', () => {
  const { queue, takeUid } = aQueue()
  queue.put(aPod('a', 0, { schedulingGates: [{ name: 'x' }] }))
  expect([takeUid(), queue.pending.gated]).toEqual([undefined, 1])
  queue.put(aPod('a'))
  expect([takeUid(), queue.pending.gated]).toEqual(['a', 0])
})

test('who is held back when a change helps it is tried as soon as it no longer is', () => {
  let isHeld = true
  const holding: Plugin = { name: 'Holding', preEnqueue: () => (isHeld ? 'held' : undefined) }
  const { queue, takeUid } = aQueue(holding)
  isHeld = false
  queue.put(aPod('a'))
  const taken = queue.take()!
  isHeld = true
  queue.refused(taken, REFUSED)
  queue.changed(NODES, added('a'))
  expect([takeUid(), queue.pending.gated]).toEqual([undefined, 1])
  isHeld = false
  queue.recheck('a')
  expect(takeUid()).toBe('a')
})

test('every order of what can happen to a pod leaves it in one place, or gone', () => {
  const steps = ['take', 'refused', 'retry', 'changed', 'recheck', 'activate', 'remove'] as const
  everyCase((choose) => {
    const { queue } = aQueue()
    const pod = aPod('a')
    queue.put(pod)
    let taken: ReturnType<SchedulingQueue['take']>
    let isThere = true
    for (let i = 0; i < 4; i++) {
      const step = choose(steps)
      if (step === 'take') taken = queue.take() ?? taken
      else if (step === 'refused' && taken) queue.refused(taken, REFUSED)
      else if (step === 'retry' && taken) queue.retry(pod)
      else if (step === 'changed') queue.changed(NODES, added('a'))
      else if (step === 'recheck' || step === 'activate') queue[step]('a')
      else if (step === 'remove') {
        queue.remove('a')
        isThere = false
      }
    }
    const counts = Object.values(queue.pending).reduce((sum, count) => sum + count, 0)
    expect(queue.has('a')).toBe(isThere)
    expect(counts).toBeLessThanOrEqual(isThere ? 1 : 0)
    if (!isThere) expect(queue.take()).toBeUndefined()
    queue.close()
  })
})

test('a heap gives back in order what was put in, in any order', () => {
  everyCase((choose) => {
    const heap = new Heap<number>((a, b) => a - b)
    const values = [
      choose([1, 2, 3, 4]),
      choose([1, 2, 3, 4]),
      choose([1, 2, 3, 4]),
      choose([1, 2, 3, 4]),
    ]
    for (const value of values) heap.push(value)
    const out = values.map(() => heap.pop()!)
    expect(out).toEqual(values.toSorted((a, b) => a - b))
    expect(heap.pop()).toBeUndefined()
  })
})
