// A process that writes to a store until it is killed, and says on standard output what was
// acknowledged: one line of JSON each, written at once, so that nothing it says is lost with it.
//
//   bun store-writer.ts PATH SEED

import { writeSync } from 'node:fs'
import { SystemClock } from '../../src/lib/clock.ts'
import { SeededRandom } from '../../src/lib/random.ts'
import { openStore } from '../../src/store/open.ts'

/** First `from`, the newest revision at the start; then what it wants and what it got. */
export type Said = { from: number } | Wish | Write
/** A deletion has no value. */
export type Wish = { wants: string; value: string | null }
export type Write = { at: number; key: string; value: string | null }

const WRITERS = 32
const VOLATILE_WRITERS = 4
const KEYS_EACH = 12

if (import.meta.main) await main(process.argv[2]!, Number(process.argv[3]))

async function main(path: string, seed: number): Promise<void> {
  const random = new SeededRandom(seed)
  const store = await openStore({ path, clock: new SystemClock() })
  say({ from: store.revision })
  const write = async (writer: number) => {
    // Each writer has keys of its own, so that it never loses a race.
    const volatile = writer < VOLATILE_WRITERS
    const folder = `/${volatile ? 'volatile' : 'lasting'}/${writer}/`
    for (let i = 0; ; i++) {
      const key = folder + Math.floor(random.next() * KEYS_EACH)
      const current = store.get(key)
      const isDelete = current !== undefined && random.next() < 0.1
      const value = isDelete ? null : `${seed}.${i} ${'x'.repeat(random.next() * 600)}`
      say({ wants: key, value })
      const result =
        value === null
          ? await store.delete(key, current!.revision)
          : current
            ? await store.update(key, value, current.revision, { volatile })
            : await store.create(key, value, { volatile })
      if (!result.ok) throw new Error(`${key} belongs to one writer and yet stands elsewhere`)
      say({ at: result.entry.revision, key, value })
    }
  }
  const compact = async () => {
    for (;;) {
      await store.compact(store.revision - 3_000)
      await new Promise((resolve) => setTimeout(resolve, random.next() * 40))
    }
  }
  await Promise.all([...Array(WRITERS).keys()].map(write).concat(compact()))
}

function say(line: Said): void {
  writeSync(1, `${JSON.stringify(line)}\n`)
}
