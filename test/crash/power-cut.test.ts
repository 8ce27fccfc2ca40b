// Cuts the power: of what was not synced, some sectors reach the disk and others do not, in any
// order. What was acknowledged before the cut is there afterwards, and the file is sound.
//
// The disk is a pair of files in memory that only ever receives what was synced. A cut takes them
// and adds random sectors of what was written since.

import { Database } from 'bun:sqlite'
import { afterEach, beforeEach, expect, test } from 'bun:test'
import { fdatasyncSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SystemClock } from '../../src/lib/clock.ts'
import { SeededRandom } from '../../src/lib/random.ts'
import { openStore } from '../../src/store/open.ts'
import type { Store } from '../../src/store/store.ts'

const SECTOR_BYTES = 512
const CUTS = 25
const FILE_SYNCS = 6
const WRITERS = 24
const KEYS_EACH = 20

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'power-'))
})
afterEach(() => rm(dir, { recursive: true }))

for (const seed of [1, 2, 3]) {
  test(`nothing acknowledged is lost when the power is cut, seed ${seed}`, async () => {
    const random = new SeededRandom(seed)
    const path = join(dir, 'store.db')
    const disk = new Disk(path, random)
    const store = await openStore({ path, clock: new SystemClock(), syncFile: disk.sync })
    disk.begin()
    const traffic = new Traffic(store, random)
    // The log must go back into the file often enough for the test to mean anything.
    for (let cut = 0; cut < CUTS || disk.fileSyncs < FILE_SYNCS; cut++) {
      await sleep(15 + random.next() * 30)
      const image = join(dir, `cut-${cut}`, 'store.db')
      disk.cut(image)
      await inspect(image, new Map(traffic.acknowledged))
      await rm(join(dir, `cut-${cut}`), { recursive: true })
      if (random.next() < 0.3) await store.compact(store.revision - 200)
    }
    await traffic.stop()
    await store.close()
  }, 120_000)
}

class Disk {
  readonly #path: string
  readonly #random: SeededRandom
  readonly #safe = new Map<string, Buffer>()
  fileSyncs = 0

  constructor(path: string, random: SeededRandom) {
    this.#path = path
    this.#random = random
  }

  /** Everything written so far is safe. */
  begin(): void {
    for (const suffix of ['', '-wal']) this.#safe.set(suffix, readFileSync(this.#path + suffix))
  }

  readonly sync = async (file: number): Promise<void> => {
    const suffix = readlinkSync(`/proc/self/fd/${file}`).slice(this.#path.length)
    const content = readFileSync(this.#path + suffix)
    fdatasyncSync(file)
    await sleep(this.#random.next() * 2)
    // What was written while the disk was busy belongs to the next sync.
    this.#safe.set(suffix, content)
    if (suffix === '') this.fileSyncs++
  }

  /** Writes what would be found after a power cut right now. */
  cut(image: string): void {
    mkdirSync(join(image, '..'))
    const reached = this.#random.next()
    writeFileSync(image, this.#tear('', reached))
    writeFileSync(`${image}-wal`, this.#tear('-wal', reached))
  }

  /** The safe content with that part of the newer sectors, at random. */
  #tear(suffix: string, reached: number): Buffer {
    const safe = this.#safe.get(suffix)!
    const now = readFileSync(this.#path + suffix)
    const torn = Buffer.alloc(Math.max(safe.length, now.length))
    safe.copy(torn)
    for (let at = 0; at < now.length; at += SECTOR_BYTES) {
      if (this.#random.next() < reached) now.copy(torn, at, at, at + SECTOR_BYTES)
    }
    return torn
  }
}

/** Writers that never stop, and what they were told. */
class Traffic {
  readonly acknowledged = new Map<string, { revision: number; value: string }>()
  readonly #writers: Promise<unknown>
  #stopped = false

  constructor(store: Store, random: SeededRandom) {
    const writers = Array.from({ length: WRITERS }, (_, writer) =>
      this.#write(store, random, `/k/${writer}/`),
    )
    this.#writers = Promise.all(writers)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#writers
  }

  async #write(store: Store, random: SeededRandom, folder: string): Promise<void> {
    for (let i = 0; !this.#stopped; i++) {
      const key = folder + Math.floor(random.next() * KEYS_EACH)
      const value = `${i} ${'x'.repeat(random.next() * 20_000)}`
      const current = store.get(key)
      const result = current
        ? await store.update(key, value, current.revision)
        : await store.create(key, value)
      if (!result.ok) throw new Error(`${key} belongs to one writer and yet stands elsewhere`)
      this.acknowledged.set(key, result.entry)
    }
  }
}

async function inspect(path: string, acknowledged: Traffic['acknowledged']): Promise<void> {
  const store = await openStore({ path, clock: new SystemClock() })
  for (const [key, { revision, value }] of acknowledged) {
    const found = store.get(key)
    expect([key, found?.revision ?? 0]).not.toEqual([key, 0])
    expect(found!.revision).toBeGreaterThanOrEqual(revision)
    if (found!.revision === revision) expect(found!.value === value).toBe(true)
  }
  await store.close()
  const file = new Database(path, { readonly: true })
  const check = file.prepare('PRAGMA integrity_check')
  expect(check.values()).toEqual([['ok']])
  check.finalize()
  file.close(true)
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
