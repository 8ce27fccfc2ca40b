import { describe, expect, test } from 'bun:test'
import { type Answer, ScriptedServer } from '../../test/support/scripted-server.ts'
import { configMaps } from '../api/kinds/core/configmap/row.ts'
import type { KubeObject } from '../api/object.ts'
import { ApiError } from '../api/status.ts'
import { SimClock } from '../lib/clock.ts'
import { silentLog } from '../lib/log.ts'
import { SeededRandom } from '../lib/random.ts'
import { type Change, Informer, nextState } from './informer.ts'

function aMap(name: string, revision: number, uid = `uid-${name}`): KubeObject {
  return { metadata: { name, namespace: 'x', uid, resourceVersion: String(revision) } }
}
const added = (name: string, revision: number): Answer => ({
  type: 'ADDED',
  object: aMap(name, revision),
})
const bookmark = (revision: number, initialEventsEnd = false): Answer => ({
  type: 'BOOKMARK',
  resourceVersion: String(revision),
  initialEventsEnd,
})
const gone = new ApiError(410, 'Expired', 'too old resource version: 3 (9)')

function started() {
  const server = new ScriptedServer()
  const clock = new SimClock()
  const deps = { client: server.client, clock, random: new SeededRandom(1), log: silentLog }
  const informer = new Informer<KubeObject>(configMaps, {}, { ...deps, freeze: true })
  const changes: string[] = []
  informer.onChange((change: Change<KubeObject>) => {
    changes.push(`${change.type} ${change.object.metadata.name}`)
  })
  const stop = new AbortController()
  const done = informer.run(stop.signal)
  const finish = () => {
    stop.abort()
    return done
  }
  return { server, clock, informer, changes, stop: finish }
}

describe('an informer', () => {
  test('is synced when the initial events end, and not before', async () => {
    const { server, clock, informer, stop } = started()
    server.say(added('a', 1), added('b', 2))
    await clock.advance(0)
    expect(informer.isSynced).toBe(false)
    expect(informer.lister.size).toBe(0)
    server.say(bookmark(2, true))
    await clock.advance(0)
    expect(informer.isSynced).toBe(true)
    expect(informer.lister.all().map(({ metadata }) => metadata.name)).toEqual(['a', 'b'])
    expect(server.watches).toEqual([{ sendInitialEvents: true }])
    await stop()
  })

  test('says so when it is not synced in time, and why, until it is', async () => {
    const { server, clock, informer, stop } = started()
    server.say(added('a', 1))
    await clock.advance(9_000)
    expect(informer.isOverdue).toBe(false)
    server.say(new ApiError(403, 'Forbidden', 'you may not'))
    await clock.advance(2_000)
    expect([informer.isOverdue, informer.problem]).toEqual([true, 'you may not'])
    await clock.advance(60_000)
    server.say(bookmark(2, true))
    await clock.advance(60_000)
    expect([informer.isSynced, informer.isOverdue]).toEqual([true, false])
    await stop()
  })

  test('lists where the server offers no streaming lists', async () => {
    const { server, clock, informer, stop } = started()
    server.listed = [aMap('a', 4)]
    server.listRevision = '7'
    server.say(new ApiError(422, 'Invalid', 'sendInitialEvents is forbidden'))
    await clock.advance(0)
    expect(informer.isSynced).toBe(true)
    expect(informer.revision).toBe(7)
    expect(server.watches.at(-1)).toEqual({ resourceVersion: '7' })
    await stop()
  })

  test('resumes where a watch ended, from the last bookmark', async () => {
    const { server, clock, informer, changes, stop } = started()
    server.say(added('a', 1), bookmark(2, true), bookmark(50))
    await clock.advance(5000)
    server.say('end')
    await clock.advance(0)
    expect(server.watches.at(-1)).toEqual({ resourceVersion: '50' })
    server.say(added('b', 51))
    await clock.advance(0)
    expect(informer.revision).toBe(51)
    expect(changes).toEqual(['added a', 'added b'])
    await stop()
  })

  test('tells only the differences when its revision was forgotten', async () => {
    const { server, clock, changes, stop } = started()
    server.say(added('same', 1), added('changed', 2), added('deleted', 3), bookmark(3, true))
    await clock.advance(5000)
    changes.length = 0
    server.say(gone)
    await clock.advance(0)
    server.say(added('same', 1), added('changed', 8), added('new', 9), bookmark(9, true))
    await clock.advance(0)
    expect(changes).toEqual(['updated changed', 'added new', 'deleted deleted'])
    await stop()
  })

  test('tells of a namesake as another object', async () => {
    const { server, clock, changes, stop } = started()
    server.say(added('a', 1), bookmark(1, true))
    await clock.advance(5000)
    server.say(gone)
    await clock.advance(0)
    server.say({ type: 'ADDED', object: aMap('a', 9, 'other') }, bookmark(9, true))
    await clock.advance(0)
    expect(changes).toEqual(['added a', 'deleted a', 'added a'])
    await stop()
  })

  test('waits before it tries again after a broken connection, and keeps what it has', async () => {
    const { server, clock, informer, stop } = started()
    server.say(added('a', 1), bookmark(1, true))
    await clock.advance(5000)
    server.say(new Error('connection reset'))
    await clock.advance(799)
    expect(server.watches).toHaveLength(1)
    expect(informer.isSynced).toBe(true)
    expect(informer.lister.size).toBe(1)
    await clock.advance(801)
    expect(server.watches).toHaveLength(2)
    await stop()
  })

  test('does nothing while nothing happens', async () => {
    const { server, clock, stop } = started()
    server.say(bookmark(1, true))
    await clock.advance(24 * 3600 * 1000)
    expect(server.watches).toHaveLength(1)
    await stop()
  })

  test('ends when its signal aborts', async () => {
    const { stop, server, clock } = started()
    server.say(bookmark(1, true))
    await clock.advance(0)
    expect(await stop()).toBeUndefined()
  })

  test('gives frozen objects without managed fields in tests', async () => {
    const { server, clock, informer, stop } = started()
    const object = aMap('a', 1)
    object.metadata.managedFields = [{ manager: 'kubectl' }]
    server.say({ type: 'ADDED', object }, bookmark(1, true))
    await clock.advance(0)
    const cached = informer.lister.get('x/a')!
    expect(cached.metadata.managedFields).toBeUndefined()
    expect(() => (cached.metadata.name = 'b')).toThrow()
    await stop()
  })

  test('shows what it was seeded with until the server answers', async () => {
    const { server, clock, informer, changes, stop } = started()
    informer.seed([aMap('old', 1), aMap('kept', 2)])
    expect(informer.isSynced).toBe(false)
    server.say(added('kept', 2), bookmark(9, true))
    await clock.advance(0)
    expect(changes).toEqual(['added old', 'added kept', 'deleted old'])
    await stop()
  })
})

describe('nextState', () => {
  const failed = { error: new Error('reset') }
  test('never waits after a watch that lived, and always after one that did not', () => {
    for (const from of ['streaming', 'listing', 'following'] as const) {
      expect(nextState(from, true, undefined, 60_000)).toMatchObject({ state: from, wait: false })
      expect(nextState(from, true, undefined, 10)).toMatchObject({ state: from, wait: true })
      expect(nextState(from, true, failed, 60_000)).toMatchObject({ state: from, wait: true })
    }
  })

  test('fills the cache again only when the revision is gone', () => {
    expect(nextState('following', true, { error: gone }, 5000).state).toBe('streaming')
    expect(nextState('following', false, { error: gone }, 5000).state).toBe('listing')
    expect(nextState('following', true, failed, 5000).state).toBe('following')
  })
})
