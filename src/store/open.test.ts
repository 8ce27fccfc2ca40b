import { afterEach, beforeEach, expect, test } from 'bun:test'
import {
  copyFile,
  mkdtemp,
  open as openFile,
  readFile,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SimClock } from '../lib/clock.ts'
import { UserError } from '../lib/user-error.ts'
import { openStore } from './open.ts'
import { CompactedError, type Store, StoreFailedError } from './store.ts'

let dir: string
let path: string
const clock = new SimClock()
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'store-'))
  path = join(dir, 'db', 'store.db')
})
afterEach(() => rm(dir, { recursive: true }))

/** A sync that waits until it is let through. */
function gatedSync() {
  const waiting: PromiseWithResolvers<void>[] = []
  const syncFile = () => {
    const gate = Promise.withResolvers<void>()
    waiting.push(gate)
    return gate.promise
  }
  return { syncFile, waiting }
}

async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

test('nobody hears of a write before it is safe on disk', async () => {
  const { syncFile, waiting } = gatedSync()
  const store = await openStore({ path, clock, syncFile })
  let heard = ''
  const watch = store.watch('', 1)[Symbol.asyncIterator]()
  const writing = Promise.all([
    store.create('/a', '1').then(() => (heard += 'result ')),
    store.create('/a', '2').then(() => (heard += 'lost race ')),
    watch.next().then(() => (heard += 'event ')),
  ])
  await turns()
  expect(waiting).toHaveLength(1)
  expect([heard, store.revision, store.get('/a'), store.count('')]).toEqual(['', 1, undefined, 0])
  expect(store.list('').entries).toEqual([])
  waiting[0]!.resolve()
  await writing
  expect(heard.split(' ').toSorted()).toEqual(['', 'event', 'lost', 'race', 'result'])
  expect(store.get('/a')?.value).toBe('1')
  const closing = store.close()
  while (waiting.length < 2) await turns(1)
  waiting[1]!.resolve()
  await closing
})

test('all who write while the disk is busy share the next sync', async () => {
  const { syncFile, waiting } = gatedSync()
  const store = await openStore({ path, clock, syncFile })
  const first = store.create('/0', 'x')
  await turns()
  const others = Array.from({ length: 50 }, (_, i) => store.create(`/${i + 1}`, 'x'))
  await turns()
  waiting[0]!.resolve()
  await first
  await turns()
  expect(waiting).toHaveLength(2)
  waiting[1]!.resolve()
  await Promise.all(others)
  const closing = store.close()
  while (waiting.length < 3) await turns(1)
  waiting[2]!.resolve()
  await closing
})

test('a disk that fails to sync is never asked again, and nobody is told of success', async () => {
  let syncCount = 0
  const failures: Error[] = []
  const syncFile = async () => {
    syncCount++
    throw new Error('EIO')
  }
  const onFailure = (error: Error) => void failures.push(error)
  const store = await openStore({ path, clock, syncFile, onFailure })
  await expect(store.create('/a', '1')).rejects.toThrow(StoreFailedError)
  await expect(store.create('/b', '1')).rejects.toThrow(StoreFailedError)
  expect(failures).toHaveLength(1)
  expect(store.get('/a')).toBeUndefined()
  await store.close()
  expect(syncCount).toBe(1)
})

test('volatile keys alone cause no sync, once their folder is known', async () => {
  let syncCount = 0
  const syncFile = async () => void syncCount++
  const store = await openStore({ path, clock, syncFile })
  let revision = 0
  for (let i = 0; i < 500; i++) {
    const writing =
      i === 0
        ? store.create('/leases/a', 'x', { volatile: true })
        : store.update('/leases/a', 'x', revision, { volatile: true })
    const result = await writing
    if (result.ok) revision = result.entry.revision
    await clock.advance(10_000)
  }
  expect(revision).toBe(501)
  expect(syncCount).toBe(1)
  await store.close()
})

test('volatile versions of a key that was written for them cost no sync at all', async () => {
  let syncCount = 0
  const store = await openStore({ path, clock, syncFile: async () => void syncCount++ })
  await store.create('/nodes/a', 'x', { volatileLater: true })
  const written = syncCount
  const first = await store.update('/nodes/a', 'y', store.revision, { volatile: true })
  expect(first).toMatchObject({ ok: true, entry: { value: 'y' } })
  expect(syncCount).toBe(written)
  const image = await crashImage()
  await store.close()
  const after = await openStore({ path: image, clock })
  expect(after.get('/nodes/a')?.value).toBe('x')
  expect(() => after.watch('/nodes/', 2)).toThrow(CompactedError)
  await after.close()
})

test('the file is for its owner only, and there is one process for it', async () => {
  const store = await openStore({ path, clock })
  await store.create('/a', '1')
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect((await stat(`${path}-wal`)).mode & 0o777).toBe(0o600)
  expect((await stat(join(dir, 'db'))).mode & 0o777).toBe(0o700)
  await expect(openStore({ path, clock })).rejects.toThrow(UserError)
  await store.close()
  const again = await openStore({ path, clock })
  expect(again.get('/a')?.value).toBe('1')
  await again.close()
})

/** What a kill leaves behind: the files as they are, taken by another process. */
async function crashImage(): Promise<string> {
  const image = join(dir, 'image', 'store.db')
  await Bun.$`mkdir -p ${join(dir, 'image')} && cp ${path} ${image} && cp ${path}-wal ${image}-wal`
  return image
}

test('a crash may take volatile writes, but gives no revision twice and hides no gap', async () => {
  const store = await openStore({ path, clock })
  await store.create('/pods/a', '1')
  await store.create('/leases/a', '1', { volatile: true })
  await store.create('/pods/b', '2')
  const lost = await store.create('/leases/b', '2', { volatile: true })
  const after = await openStore({ path: await crashImage(), clock })
  expect(after.revision).toBeGreaterThanOrEqual(store.revision)
  expect(after.count('/pods/')).toBe(2)
  expect(after.count('/leases/')).toBe(0)
  expect(() => after.watch('/leases/', 3)).toThrow(CompactedError)
  expect(() => after.watch('', 3)).toThrow(CompactedError)
  expect(() => after.list('/leases/', { atRevision: 3 })).toThrow(CompactedError)
  const resumed = await after.watch('/pods/', 2)[Symbol.asyncIterator]().next()
  expect(resumed.value).toMatchObject([{ revision: 4, entry: { key: '/pods/b' } }])
  const next = await after.create('/leases/b', '3', { volatile: true })
  expect(next.ok && lost.ok && next.entry.revision > lost.entry.revision).toBe(true)
  expect(() => after.watch('/leases/', after.revision)).not.toThrow()
  await after.close()
  await store.close()
})

test('what expires without a trace on disk is gone after a crash too', async () => {
  const clock = new SimClock()
  const store = await openStore({ path, clock })
  await store.create('/e', '1', { ttlMs: 1_000 })
  await clock.advance(2_000)
  while (store.get('/e')) await turns(1)
  const after = await openStore({ path: await crashImage(), clock })
  await clock.advance(1)
  while (after.get('/e')) await turns(1)
  await after.close()
  await store.close()
})

async function damage(file: string): Promise<void> {
  const handle = await openFile(file, 'r+')
  await handle.write(Buffer.alloc(8_192, 0x5a), 0, 8_192, 4_096)
  await handle.close()
}

async function filled(clock: SimClock): Promise<Store> {
  const store = await openStore({ path, clock })
  for (let i = 0; i < 100; i++) await store.create(`/k/${i}`, 'x'.repeat(500))
  return store
}

test('a damaged file without a snapshot is refused in one line and left as it is', async () => {
  await (await filled(clock)).close()
  await damage(path)
  const before = await readFile(path)
  await expect(openStore({ path, clock })).rejects.toThrow(`the data store ${path} is damaged`)
  expect((await readFile(path)).equals(before)).toBe(true)
  await writeFile(
    path,
    'not a database, but a text that is long enough to be taken for one'.repeat(99),
  )
  await expect(openStore({ path, clock })).rejects.toThrow('is damaged')
})

test('a damaged file gives way to the snapshot of the day before', async () => {
  const clock = new SimClock(Date.now())
  const store = await filled(clock)
  await clock.advance(11 * 60_000)
  await store.create('/k/late', '1')
  const file = `${path}.snapshot`
  while (!(await Bun.file(file).exists())) await turns()
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  await store.create('/k/later', '1')
  const { revision } = store
  await store.close()
  await damage(path)
  const after = await openStore({ path, clock })
  expect(after.count('/k/')).toBe(101)
  expect(after.get('/k/99')?.value).toBe('x'.repeat(500))
  expect(after.revision).toBeGreaterThan(revision)
  expect(() => after.watch('', revision)).toThrow(CompactedError)
  expect((await after.create('/k/new', '1')).ok).toBe(true)
  await after.close()
  expect(await Bun.file(`${path}.damaged`).exists()).toBe(true)
})

test('an unfinished snapshot is no snapshot', async () => {
  await (await filled(clock)).close()
  await copyFile(path, `${path}.snapshot.new`)
  await damage(path)
  await expect(openStore({ path, clock })).rejects.toThrow('is damaged')
})
