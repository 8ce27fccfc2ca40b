// The load of the store's bench, in a process of its own so that its syncs can be slowed down:
//
//   bun store-load.ts PATH WRITES CLIENTS
//
// Each client writes one value of 256 B after the other to a random one of 32,000 keys, and waits
// until it is durable. It prints what the clients saw.

import { SystemClock } from '../../src/lib/clock.ts'
import { openStore } from '../../src/store/open.ts'

const KEYS = 32_000
const VALUE = 'x'.repeat(256)

const [path, writes, clients] = [process.argv[2]!, Number(process.argv[3]), Number(process.argv[4])]
const store = await openStore({ path, clock: new SystemClock() })
const revisions = new Map<string, number>()
const tookMs: number[] = []
let left = writes

/** Each client has keys of its own, so that no write is in vain. */
async function client(id: number): Promise<void> {
  while (left-- > 0) {
    const index = Math.floor((Math.random() * KEYS) / clients) * clients + id
    const key = `/registry/configmaps/default/k${String(index).padStart(8, '0')}`
    const startMs = performance.now()
    const known = revisions.get(key)
    const result = known ? await store.update(key, VALUE, known) : await store.create(key, VALUE)
    if (!result.ok) throw new Error(`${key} stands elsewhere`)
    revisions.set(key, result.entry.revision)
    tookMs.push(performance.now() - startMs)
  }
}

const startMs = performance.now()
await Promise.all([...Array(clients).keys()].map(client))
const seconds = (performance.now() - startMs) / 1000
tookMs.sort((a, b) => a - b)
const at = (part: number) => tookMs[Math.floor(tookMs.length * part)]!
console.log(
  JSON.stringify({
    perSecond: writes / seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1 - 1e-9),
  }),
)
await store.close()
