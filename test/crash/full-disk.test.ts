// A disk without space: writes are refused with a clear error, reads go on, nothing is lost, and
// everything works again by itself when there is space.

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { rmSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SystemClock } from '../../src/lib/clock.ts'
import { openStore } from '../../src/store/open.ts'
import { type Store, StoreFullError } from '../../src/store/store.ts'

const canMount = process.getuid?.() === 0 && Bun.which('mount') !== null
if (!canMount) console.log('skipped: tests of a full disk (root and mount are needed)')
const clock = new SystemClock()

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'full-'))
  if (canMount) await Bun.$`mount -t tmpfs -o size=8m tmpfs ${dir}`
})
afterEach(async () => {
  if (canMount) await Bun.$`umount ${dir}`
  await rm(dir, { recursive: true })
})

/** Writes until there is no space; returns what was acknowledged. */
async function fill(store: Store, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for (let round = 0; round < 1_000; round++) {
    const batch = Array.from({ length: 8 }, (_, i) => `${prefix}${round}-${i}`)
    const written = await Promise.allSettled(batch.map((key) => store.create(key, filler(key))))
    keys.push(...batch.filter((_, i) => written[i]!.status === 'fulfilled'))
    const refused = written.filter((result) => result.status === 'rejected')
    for (const { reason } of refused) expect(reason).toBeInstanceOf(StoreFullError)
    if (refused.length > 0) return keys
  }
  throw new Error('the disk never got full')
}

const filler = (key: string) => `${key} ${'x'.repeat(10_000)}`

function checkAll(store: Store, keys: readonly string[]): void {
  for (const key of keys) expect(store.get(key)?.value === filler(key)).toBe(true)
  expect(store.count('/k/')).toBe(keys.length)
}

test.skipIf(!canMount)(
  'a full disk refuses writes, serves reads and mends itself',
  async () => {
    const ballast = join(dir, 'ballast')
    writeFileSync(ballast, Buffer.alloc(3 * 1024 * 1024))
    const path = join(dir, 'store.db')
    const store = await openStore({ path, clock })
    const keys = await fill(store, '/k/a')
    checkAll(store, keys)
    expect(store.list('/k/', { limit: 3 }).remaining).toBe(keys.length - 3)
    expect(await store.create(keys[0]!, 'x')).toMatchObject({ ok: false })
    const heartbeat = await store.create('/leases/a', '1', { volatile: true }).catch(String)
    expect(heartbeat).toBeDefined()

    rmSync(ballast)
    const more = await fill(store, '/k/b')
    expect(more.length).toBeGreaterThan(10)
    checkAll(store, [...keys, ...more])
    await store.close()

    writeFileSync(ballast, '')
    const again = await openStore({ path, clock })
    checkAll(again, [...keys, ...more])
    await again.close()
  },
  30_000,
)

test.skipIf(!canMount)('one write that is too big does not take the others with it', async () => {
  const store = await openStore({ path: join(dir, 'store.db'), clock })
  const [small, big, alsoSmall] = await Promise.allSettled([
    store.create('/k/small', 'x'),
    store.create('/k/big', 'x'.repeat(9 * 1024 * 1024)),
    store.create('/k/small-too', 'x'),
  ])
  expect(small).toMatchObject({ status: 'fulfilled', value: { ok: true } })
  expect(big).toMatchObject({ status: 'rejected', reason: expect.any(StoreFullError) })
  expect(alsoSmall).toMatchObject({ status: 'fulfilled', value: { ok: true } })
  expect(store.revision).toBe(3)
  await store.close()
})
