import { describe, expect, test } from 'bun:test'
import { ScriptedServer } from '../../test/support/scripted-server.ts'
import { configMaps } from '../api/kinds/core/configmap/row.ts'
import { secrets } from '../api/kinds/core/secret/row.ts'
import type { KubeObject } from '../api/object.ts'
import { SimClock } from '../lib/clock.ts'
import { silentLog } from '../lib/log.ts'
import { SeededRandom } from '../lib/random.ts'
import { Barrier } from './barrier.ts'
import { Informer } from './informer.ts'

const never = new AbortController().signal

const aMap = (name: string, revision: number, more: object = {}): KubeObject => ({
  metadata: { name, namespace: 'x', uid: name, resourceVersion: String(revision), ...more },
})

async function aBarrier() {
  const server = new ScriptedServer()
  const clock = new SimClock()
  const random = new SeededRandom(1)
  const deps = { client: server.client, clock, random, log: silentLog }
  const informer = new Informer<KubeObject>(configMaps, {}, deps)
  void informer.run(never)
  server.say({ type: 'ADDED', object: aMap('a', 3) })
  server.say({ type: 'BOOKMARK', resourceVersion: '3', initialEventsEnd: true })
  await clock.advance(0)
  const barrier = new Barrier((row) => (row === configMaps ? informer : undefined))
  const isPassed = async (key: string) => {
    let passed = false
    const waiting = barrier.passed(key, never).then(() => {
      passed = true
    })
    await clock.advance(0)
    return { now: () => passed, waiting }
  }
  return { server, clock, barrier, isPassed }
}

describe('the barrier', () => {
  test('holds a pass back until the cache has seen the highest revision written', async () => {
    const { server, clock, barrier, isPassed } = await aBarrier()
    barrier.wrote('k', configMaps, aMap('b', 5))
    barrier.wrote('k', configMaps, aMap('c', 7))
    const pass = await isPassed('k')
    server.say({ type: 'ADDED', object: aMap('b', 5) })
    await clock.advance(0)
    expect(pass.now()).toBe(false)
    server.say({ type: 'ADDED', object: aMap('c', 7) })
    await clock.advance(0)
    expect(pass.now()).toBe(true)
    expect((await isPassed('k')).now()).toBe(true)
  })

  test('is opened by a bookmark too', async () => {
    const { server, clock, barrier, isPassed } = await aBarrier()
    barrier.wrote('k', configMaps, aMap('b', 5))
    const pass = await isPassed('k')
    server.say({ type: 'BOOKMARK', resourceVersion: '9', initialEventsEnd: false })
    await clock.advance(0)
    expect(pass.now()).toBe(true)
  })

  test('holds a pass back until what was removed is gone, or going', async () => {
    for (const going of [false, true]) {
      const { server, clock, barrier, isPassed } = await aBarrier()
      barrier.removed('k', configMaps, aMap('a', 3))
      const pass = await isPassed('k')
      expect(pass.now()).toBe(false)
      const object = aMap('a', 4, going ? { deletionTimestamp: 'now' } : {})
      server.say({ type: going ? 'MODIFIED' : 'DELETED', object })
      await clock.advance(0)
      expect(pass.now()).toBe(true)
    }
  })

  test('does not wait for a namesake of what was removed', async () => {
    const { server, clock, barrier, isPassed } = await aBarrier()
    barrier.removed('k', configMaps, aMap('a', 3))
    const pass = await isPassed('k')
    server.say({ type: 'DELETED', object: aMap('a', 4) })
    server.say({ type: 'ADDED', object: aMap('a', 5, { uid: 'other' }) })
    await clock.advance(0)
    expect(pass.now()).toBe(true)
  })

  test('concerns the key that wrote alone, and no kind without a cache', async () => {
    const { barrier, isPassed } = await aBarrier()
    barrier.wrote('k', configMaps, aMap('b', 5))
    barrier.wrote('other', secrets, aMap('s', 5))
    expect((await isPassed('k')).now()).toBe(false)
    expect((await isPassed('other')).now()).toBe(true)
  })
})
