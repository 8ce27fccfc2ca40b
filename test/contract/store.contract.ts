// What every store promises, whatever it is made of. Run for each in store.test.ts.

import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import type { SimClock } from '../../src/lib/clock.ts'
import {
  CompactedError,
  type Entry,
  FutureRevisionError,
  SlowWatcherError,
  type Store,
  type StoreEvent,
  type StoreWatch,
  type WriteResult,
} from '../../src/store/store.ts'
import { WATCH_EVENTS_MAX } from '../../src/store/watch.ts'

export type StoreWorld = {
  readonly store: Store
  readonly clock: SimClock
  /** Between two steps of a test: some stores are closed and opened again here. */
  between(): Promise<void>
  close(): Promise<void>
}

export function storeContract(name: string, open: () => Promise<StoreWorld>): void {
  describe(name, () => {
    let world: StoreWorld
    beforeEach(async () => {
      world = await open()
    })
    afterEach(() => world.close())

    describeWrites(() => world)
    describeLists(() => world)
    describeCompaction(() => world)
    describeWatches(() => world)
    describeVolatile(() => world)
    describeExpiry(() => world)
  })
}

type World = () => StoreWorld

function describeWrites(world: World): void {
  test('an empty store has a revision, and nothing in it', () => {
    const { store } = world()
    expect(store.revision).toBe(1)
    expect(store.list('')).toEqual({ revision: 1, entries: [], more: false, remaining: 0 })
    expect(store.get('/a')).toBeUndefined()
    expect(store.count('')).toBe(0)
  })

  test('what was acknowledged is read by whoever waits for the newest', async () => {
    const { store } = world()
    const made = await store.create('/a', 'one')
    await store.current(new AbortController().signal)
    expect(store.get('/a')).toEqual(made.ok ? made.entry : undefined)
  })

  test('a created key is there with its revision', async () => {
    const made = await world().store.create('/a', 'one')
    const entry = { key: '/a', value: 'one', created: 2, revision: 2 }
    expect(made).toEqual({ ok: true, entry })
    await world().between()
    expect(world().store.get('/a')).toEqual(entry)
    expect(world().store.revision).toBe(2)
  })

  test('a key is created once', async () => {
    const first = await must(world().store.create('/a', 'one'))
    await world().between()
    expect(await world().store.create('/a', 'two')).toEqual({ ok: false, current: first })
    expect(world().store.revision).toBe(first.revision)
  })

  test('an update needs the revision the key stands at and keeps its birth', async () => {
    const first = await must(world().store.create('/a', 'one'))
    await world().between()
    const second = await must(world().store.update('/a', 'two', first.revision))
    expect(second).toEqual({ key: '/a', value: 'two', created: 2, revision: 3 })
    await world().between()
    const stale = await world().store.update('/a', 'three', first.revision)
    expect(stale).toEqual({ ok: false, current: second })
    expect(await world().store.update('/b', 'x', 7)).toEqual({ ok: false, current: undefined })
  })

  test('a deletion needs the revision the key stands at and gives what was deleted', async () => {
    const first = await must(world().store.create('/a', 'one'))
    await world().between()
    expect(await world().store.delete('/a', 99)).toEqual({ ok: false, current: first })
    const deleted = await must(world().store.delete('/a', first.revision))
    expect(deleted).toEqual({ key: '/a', value: 'one', created: 2, revision: 3 })
    await world().between()
    expect(world().store.get('/a')).toBeUndefined()
    expect(await world().store.delete('/a', 3)).toEqual({ ok: false, current: undefined })
    const again = await must(world().store.create('/a', 'two'))
    expect(again).toEqual({ key: '/a', value: 'two', created: 4, revision: 4 })
  })

  test('writes of one turn happen one after the other', async () => {
    const { store } = world()
    const results = await Promise.all([
      store.create('/a', 'one'),
      store.create('/a', 'two'),
      store.update('/a', 'three', 2),
      store.delete('/a', 3),
      store.create('/a', 'four'),
    ])
    expect(results.map(({ ok }) => ok)).toEqual([true, false, true, true, true])
    expect(store.get('/a')).toEqual({ key: '/a', value: 'four', created: 5, revision: 5 })
  })

  test('a write is not seen before its promise resolves', async () => {
    const { store } = world()
    const writing = store.create('/a', 'one')
    expect(store.get('/a')).toBeUndefined()
    expect(store.revision).toBe(1)
    await writing
    expect(store.get('/a')?.value).toBe('one')
  })

  test('values come back to the letter', async () => {
    const values = ['', ' ', 'ü€🎉\u2028', 'a\u0000b', '"\\\n', 'x'.repeat(2 * 1024 * 1024)]
    for (const [i, value] of values.entries()) await must(world().store.create(`/v/${i}`, value))
    await world().between()
    expect(
      world()
        .store.list('/v/')
        .entries.map(({ value }) => value),
    ).toEqual(values)
  })

  test('a key that is not printable ASCII is refused and harms nobody', async () => {
    const { store } = world()
    const bad = ['', 'a b', 'ä', 'a\n', 'a\u0000', 'x'.repeat(4097)]
    const all = [...bad.map((key) => store.create(key, 'x')), store.create('/good', 'x')]
    const results = await Promise.allSettled(all)
    expect(results.map(({ status }) => status)).toEqual([
      ...bad.map(() => 'rejected' as const),
      'fulfilled',
    ])
  })
}

function describeLists(world: World): void {
  async function fill(keys: readonly string[]) {
    for (const key of keys) await must(world().store.create(key, `value of ${key}`))
    await world().between()
  }
  const keysOf = (prefix: string, options = {}) =>
    world()
      .store.list(prefix, options)
      .entries.map(({ key }) => key)

  test('a list holds the keys under its prefix in order', async () => {
    await fill(['/b/2', '/a/1', '/b/1', '/b', '/b/10', '/ba', '/b-', '/b/1/x'])
    expect(keysOf('/b/')).toEqual(['/b/1', '/b/1/x', '/b/10', '/b/2'])
    expect(keysOf('/b')).toEqual(['/b', '/b-', '/b/1', '/b/1/x', '/b/10', '/b/2', '/ba'])
    expect(keysOf('')).toHaveLength(8)
    expect(keysOf('/c')).toEqual([])
    expect(world().store.count('/b/')).toBe(4)
  })

  test('pages add up to the whole, and say exactly what remains', async () => {
    await fill(['/a/1', '/a/2', '/a/3', '/a/4', '/a/5', '/b/1'])
    const { store } = world()
    const first = store.list('/a/', { limit: 2 })
    expect([first.entries.map(({ key }) => key), first.more, first.remaining]).toEqual([
      ['/a/1', '/a/2'],
      true,
      3,
    ])
    const second = store.list('/a/', { limit: 3, afterKey: '/a/2' })
    expect([second.entries.map(({ key }) => key), second.more, second.remaining]).toEqual([
      ['/a/3', '/a/4', '/a/5'],
      false,
      0,
    ])
    expect(keysOf('/a/', { afterKey: '/a/20' })).toEqual(['/a/3', '/a/4', '/a/5'])
    expect(keysOf('/a/', { afterKey: '/a/5' })).toEqual([])
    expect(keysOf('/a/', { afterKey: '/0' })).toHaveLength(5)
    expect(keysOf('/a/', { afterKey: '/z' })).toEqual([])
  })

  test('a list at an earlier revision is the state as it stood', async () => {
    const a = await must(world().store.create('/a/1', 'old'))
    const b = await must(world().store.create('/a/2', 'other'))
    const then = world().store.revision
    await must(world().store.update('/a/1', 'new', a.revision))
    await must(world().store.delete('/a/2', b.revision))
    await must(world().store.create('/a/0', 'newest'))
    await world().between()
    const old = world().store.list('/a/', { atRevision: then })
    expect(old).toEqual({ revision: then, entries: [a, b], more: false, remaining: 0 })
    expect(world().store.list('/a/', { atRevision: then, limit: 1 }).remaining).toBe(1)
    expect(keysOf('/a/')).toEqual(['/a/0', '/a/1'])
    expect(world().store.list('/a/', { limit: 1 }).remaining).toBe(1)
    expect(world().store.list('', { atRevision: 1 }).entries).toEqual([])
  })

  test('a list of the future is refused', () => {
    const { store } = world()
    expect(() => store.list('', { atRevision: store.revision + 1 })).toThrow(FutureRevisionError)
  })
}

function describeCompaction(world: World): void {
  test('what is compacted cannot be listed or watched, and the rest can', async () => {
    const { store } = world()
    const a = await must(store.create('/a', '1'))
    const b = await must(store.update('/a', '2', a.revision))
    const c = await must(store.update('/a', '3', b.revision))
    await store.compact(b.revision)
    await world().between()
    const after = world().store
    expect(after.compactedRevision).toBe(b.revision)
    expect(() => after.list('', { atRevision: a.revision })).toThrow(CompactedError)
    expect(() => after.watch('', a.revision)).toThrow(CompactedError)
    expect(after.list('', { atRevision: b.revision }).entries).toEqual([b])
    const events = await take(after.watch('', b.revision), 1)
    expect(events).toEqual([{ type: 'put', revision: 4, entry: c, previous: b }])
  })

  test('compaction takes nothing that lives, and forgets deleted keys', async () => {
    const { store } = world()
    for (let i = 0; i < 20; i++) {
      const { revision } = await must(store.create(`/k/${i}`, 'x'))
      if (i % 2 === 0) await must(store.delete(`/k/${i}`, revision))
    }
    await store.compact(store.revision)
    await world().between()
    expect(world().store.count('/k/')).toBe(10)
    expect(await world().store.create('/k/0', 'again')).toMatchObject({ ok: true })
    expect(await world().store.create('/k/1', 'again')).toMatchObject({ ok: false })
  })

  test('a deletion right after the compacted revision is still seen', async () => {
    const { store } = world()
    const a = await must(store.create('/a', '1'))
    await must(store.delete('/a', a.revision))
    await store.compact(a.revision)
    await world().between()
    const [event] = await take(world().store.watch('', a.revision), 1)
    expect(event).toMatchObject({ type: 'delete', revision: 3, previous: a })
  })

  test('history goes by itself when it is five minutes old', async () => {
    const { store, clock } = world()
    const a = await must(store.create('/a', '1'))
    const b = await must(store.update('/a', '2', a.revision))
    await clock.advance(4 * 60_000)
    expect(store.compactedRevision).toBe(1)
    await clock.advance(2 * 60_000)
    while (store.compactedRevision < b.revision) await turn()
    expect(store.get('/a')?.value).toBe('2')
  })

  test('what is erased is the past alone', async () => {
    const { store } = world()
    for (let i = 0; i < 20; i++) await store.create(`/a/${i}`, `value ${i}`)
    await store.update('/a/1', 'new', store.get('/a/1')!.revision)
    await store.delete('/a/2', store.get('/a/2')!.revision)
    await store.create('/v', 'volatile', { volatile: true })
    const before = store.list('')
    await store.erase()
    expect(store.compactedRevision).toBe(before.revision)
    expect(store.list('')).toEqual(before)
    await world().between()
    expect(world().store.list('')).toEqual(before)
    expect((await world().store.create('/a/2', 'again')).ok).toBe(true)
  })
}

function describeWatches(world: World): void {
  test('a watch gives the past first, then the present', async () => {
    const a = await must(world().store.create('/a/1', 'one'))
    const b = await must(world().store.update('/a/1', 'two', a.revision))
    await must(world().store.create('/b', 'elsewhere'))
    await world().between()
    const { store } = world()
    const watch = store.watch('/a/', 1)
    const seen = take(watch, 4)
    const c = await must(store.delete('/a/1', b.revision))
    const d = await must(store.create('/a/2', 'four'))
    expect(await seen).toEqual([
      { type: 'put', revision: 2, entry: a, previous: undefined },
      { type: 'put', revision: 3, entry: b, previous: a },
      { type: 'delete', revision: 5, entry: c, previous: b },
      { type: 'put', revision: 6, entry: d, previous: undefined },
    ])
  })

  test('a watch from the future is silent until then', async () => {
    const { store } = world()
    const seen = take(store.watch('', store.revision + 2), 1)
    for (const key of ['/1', '/2', '/3']) await must(store.create(key, 'x'))
    expect((await seen)[0]!.entry.key).toBe('/3')
  })

  test('a closed watch ends, and so does every watch when the store closes', async () => {
    const { store } = world()
    const closed = store.watch('', 1)
    const open = store.watch('', 1)
    const ends = [drain(closed), drain(open)]
    closed.close()
    await must(store.create('/a', 'x'))
    await store.close()
    const [first, second] = await Promise.all(ends)
    expect(first).toEqual([])
    expect(second!.map(({ revision }) => revision)).toEqual([2])
  })

  test('leaving the loop over a watch closes it', async () => {
    const { store } = world()
    await must(store.create('/a', 'x'))
    const watch = store.watch('', 1)
    for await (const events of watch) {
      expect(events).toHaveLength(1)
      break
    }
    expect(await drain(watch)).toEqual([])
  })

  test('a watcher that does not read is cut off, and can resume', async () => {
    const { store } = world()
    const slow = store.watch('', 1)
    const fast = take(store.watch('', 1), WATCH_EVENTS_MAX + 1)
    const keys = Array.from({ length: WATCH_EVENTS_MAX + 1 }, (_, i) => `/k/${i}`)
    await Promise.all(keys.map((key) => store.create(key, 'x')))
    await expect(drain(slow)).rejects.toThrow(SlowWatcherError)
    expect(await fast).toHaveLength(keys.length)
    expect(await take(store.watch('', 1), keys.length)).toHaveLength(keys.length)
  })

  test('a watcher whose past is compacted while it reads is cut off', async () => {
    const { store } = world()
    const keys = Array.from({ length: 2_000 }, (_, i) => `/k/${i}`)
    await Promise.all(keys.map((key) => store.create(key, 'x')))
    const watch = store.watch('', 1)
    const reader = watch[Symbol.asyncIterator]()
    await reader.next()
    await store.compact(store.revision)
    await expect(drain(watch)).rejects.toThrow(SlowWatcherError)
  })
}

function describeVolatile(world: World): void {
  test('volatile keys are served like others and survive a clean stop', async () => {
    const { store } = world()
    const a = await must(store.create('/l/a', '1', { volatile: true }))
    const b = await must(store.update('/l/a', '2', a.revision, { volatile: true }))
    const c = await must(store.create('/l/c', '3'))
    await world().between()
    const after = world().store
    expect(after.get('/l/a')).toEqual(b)
    expect(after.list('/l/').entries).toEqual([b, c])
    expect(after.list('/l/', { atRevision: a.revision }).entries).toEqual([a])
    expect(after.list('/l/', { limit: 1 }).remaining).toBe(1)
    expect(after.count('/l/')).toBe(2)
    expect((await take(after.watch('/l/', 1), 3)).map(({ revision }) => revision)).toEqual([
      2, 3, 4,
    ])
  })

  test('a key may change between volatile and lasting', async () => {
    const a = await must(world().store.create('/n', '1'))
    const b = await must(world().store.update('/n', '2', a.revision, { volatile: true }))
    const c = await must(world().store.update('/n', '3', b.revision))
    const d = await must(world().store.update('/n', '4', c.revision, { volatile: true }))
    await world().store.compact(d.revision)
    expect(world().store.get('/n')).toEqual({ key: '/n', value: '4', created: 2, revision: 5 })
    await must(world().store.delete('/n', d.revision))
    await world().between()
    expect(world().store.get('/n')).toBeUndefined()
    await world().store.compact(world().store.revision)
    expect(world().store.get('/n')).toBeUndefined()
    expect(world().store.count('')).toBe(0)
  })
}

function describeExpiry(world: World): void {
  for (const volatile of [false, true]) {
    const kind = volatile ? 'volatile' : 'lasting'

    test(`a ${kind} key falls away when its time is up`, async () => {
      const made = await must(world().store.create('/e', 'x', { ttlMs: 60_000, volatile }))
      await world().between()
      const { store, clock } = world()
      await clock.advance(59_000)
      expect(store.get('/e')).toEqual(made)
      const seen = take(store.watch('', made.revision), 1)
      await clock.advance(2_000)
      expect(await seen).toMatchObject([{ type: 'delete', entry: { key: '/e', value: 'x' } }])
      await world().between()
      expect(world().store.get('/e')).toBeUndefined()
    })
  }

  test('a write with a time to live starts it anew, one without leaves it', async () => {
    const { store, clock } = world()
    const a = await must(store.create('/e', '1', { ttlMs: 60_000 }))
    await clock.advance(50_000)
    const b = await must(store.update('/e', '2', a.revision, { ttlMs: 60_000 }))
    await clock.advance(50_000)
    await must(store.update('/e', '3', b.revision))
    await clock.advance(9_000)
    expect(store.get('/e')?.value).toBe('3')
    await clock.advance(2_000)
    while (store.get('/e')) await turn()
  })

  test('keys of many times fall away each in its own', async () => {
    const { store, clock } = world()
    for (let i = 1; i <= 5; i++) await must(store.create(`/e/${i}`, 'x', { ttlMs: i * 10_000 }))
    for (let left = 4; left >= 0; left--) {
      await clock.advance(10_000)
      while (store.count('/e/') > left) await turn()
      expect(store.count('/e/')).toBe(left)
    }
  })
}

export async function must(writing: Promise<WriteResult>): Promise<Entry> {
  const result = await writing
  if (!result.ok) throw new Error(`lost a race against ${JSON.stringify(result.current)}`)
  return result.entry
}

/** Exactly `count` events; the watch is closed afterwards. */
export async function take(watch: StoreWatch, count: number): Promise<StoreEvent[]> {
  const seen: StoreEvent[] = []
  for await (const events of watch) {
    seen.push(...events)
    if (seen.length >= count) break
  }
  return seen
}

/** Everything until the watch ends. */
export async function drain(watch: StoreWatch): Promise<StoreEvent[]> {
  const seen: StoreEvent[] = []
  for await (const events of watch) seen.push(...events)
  return seen
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
