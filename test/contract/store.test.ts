// The store's contract for every kind of store: in memory, on disk, and on disk with a clean stop
// between any two steps.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SimClock } from '../../src/lib/clock.ts'
import { SeededRandom } from '../../src/lib/random.ts'
import { EncryptedStore } from '../../src/server/encryption/encrypted-store.ts'
import { ValueCipher } from '../../src/server/encryption/value-cipher.ts'
import { openStore } from '../../src/store/open.ts'
import type { Store } from '../../src/store/store.ts'
import { type StoreWorld, storeContract } from './store.contract.ts'
import { storeFuzz } from './store.fuzz.ts'

async function inMemory(): Promise<StoreWorld> {
  const clock = new SimClock()
  const store = await openStore({ path: ':memory:', clock })
  return { store, clock, between: async () => {}, close: () => store.close() }
}

async function onDisk(reopens: boolean): Promise<StoreWorld> {
  const dir = await mkdtemp(join(tmpdir(), 'store-'))
  const clock = new SimClock()
  const open = () => openStore({ path: join(dir, 'store.db'), clock })
  let store: Store = await open()
  return {
    get store() {
      return store
    },
    clock,
    async between() {
      if (!reopens) return
      await store.close()
      store = await open()
    },
    async close() {
      await store.close()
      await rm(dir, { recursive: true })
    },
  }
}

/** A store whose every value is encrypted: nobody above it can tell. */
async function encrypted(): Promise<StoreWorld> {
  const world = await inMemory()
  const random = new SeededRandom(1)
  const cipher = new ValueCipher([{ name: 'k', secret: random.bytes(32) }], random)
  return { ...world, store: new EncryptedStore(world.store, cipher, ['']) }
}

for (const [name, open] of [
  ['a store in memory', inMemory],
  ['a store on disk', () => onDisk(false)],
  ['a store with encrypted values', encrypted],
  ['a store on disk, reopened between steps', () => onDisk(true)],
] as const) {
  storeContract(name, open)
  storeFuzz(name, open)
}
