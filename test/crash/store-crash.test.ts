// Kills a process that writes to a store, at any point of its work, again and again. Afterwards
// every write it had acknowledged is there, no revision was given twice, and the file is sound.

import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SystemClock } from '../../src/lib/clock.ts'
import { SeededRandom } from '../../src/lib/random.ts'
import { openStore } from '../../src/store/open.ts'
import type { Store, StoreEvent } from '../../src/store/store.ts'
import type { Said, Write } from './store-writer.ts'

const POINTS = 500
/** Stores under fire at the same time, one for each core of a small machine. */
const STORES = 2
/** Kills between two inspections; in between only the writer itself recovers. */
const KILLS = 5

/** What one writer did: acknowledged, and begun without anybody hearing of the end. */
type Life = { from: number; writes: Write[]; unknown: Write[] }

for (let number = 1; number <= STORES; number++) {
  const points = POINTS / STORES
  const title = `store ${number} keeps all it acknowledged through ${points} kills of its writer`
  test.concurrent(title, () => killRepeatedly(number, points), 300_000)
}

async function killRepeatedly(seed: number, points: number): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'crash-'))
  const path = join(dir, 'store.db')
  const random = new SeededRandom(seed)
  let highest = 1
  try {
    for (let point = 0; point < points; point += KILLS) {
      const lives: Life[] = []
      for (let kill = 0; kill < KILLS; kill++) {
        const life = await writeAndKill(path, seed * 1_000 + point + kill, pointOfDeath(random))
        expect(life.from).toBeGreaterThanOrEqual(highest)
        highest = checkRevisions(life)
        lives.push(life)
      }
      highest = await inspect(path, lives, highest)
    }
  } finally {
    await rm(dir, { recursive: true })
  }
}

/** After how many acknowledgements: mostly few, sometimes enough for the log to be copied back. */
function pointOfDeath(random: SeededRandom): number {
  const kind = random.next()
  if (kind < 0.3) return 1
  if (kind < 0.93) return Math.floor(1 + random.next() * 300)
  return Math.floor(1 + random.next() * 6_000)
}

/** Runs a writer, kills it after that many acknowledgements, and returns all it managed to say. */
async function writeAndKill(path: string, seed: number, count: number): Promise<Life> {
  const script = join(import.meta.dir, 'store-writer.ts')
  const writer = Bun.spawn([process.execPath, script, path, `${seed}`], {
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const decoder = new TextDecoder()
  let text = ''
  let seen = 0
  for await (const bytes of writer.stdout) {
    const chunk = decoder.decode(bytes, { stream: true })
    text += chunk
    seen += chunk.split('{"at"').length - 1
    if (seen >= count) writer.kill('SIGKILL')
  }
  await writer.exited
  if (seen < count) throw new Error(`the writer died by itself: ${await writer.stderr.text()}`)
  // The last line may be cut off; then nobody was told.
  return lifeOf(text.slice(0, text.lastIndexOf('\n')).split('\n'))
}

function lifeOf(lines: readonly string[]): Life {
  const life: Life = { from: 0, writes: [], unknown: [] }
  const wishes = new Map<string, Write>()
  for (const said of lines.map((line) => JSON.parse(line) as Said)) {
    if ('from' in said) life.from = said.from
    else if ('wants' in said) wishes.set(said.wants, { at: 0, key: said.wants, value: said.value })
    else if (wishes.delete(said.key)) life.writes.push(said)
  }
  life.unknown = [...wishes.values()]
  return life
}

/** Each is given once, after those of all earlier lives. Returns the highest. */
function checkRevisions({ writes, from }: Life): number {
  const revisions = new Set(writes.map(({ at }) => at))
  expect(revisions.size).toBe(writes.length)
  expect(Math.min(...revisions)).toBeGreaterThan(from)
  return Math.max(...revisions)
}

/** Opens what was left behind and compares it with what was acknowledged. */
async function inspect(path: string, lives: readonly Life[], highest: number): Promise<number> {
  const store = await openStore({ path, clock: new SystemClock() })
  expect(store.revision).toBeGreaterThanOrEqual(highest)
  await checkHistory(store, lives)
  checkState(store, lives)
  const { revision } = store
  await store.close()
  const file = new Database(path, { readonly: true })
  const check = file.prepare('PRAGMA integrity_check')
  expect(check.values()).toEqual([['ok']])
  check.finalize()
  file.close(true)
  return revision
}

/** What is acknowledged and still in the history is there as it was said. */
async function checkHistory(store: Store, lives: readonly Life[]): Promise<void> {
  const mark = await store.create('/lasting/mark', '')
  if (!mark.ok) throw new Error('the mark of an earlier inspection is still there')
  const events = await eventsUntil(store, mark.entry.revision)
  await store.delete('/lasting/mark', mark.entry.revision)
  for (const { at, key, value } of lives.flatMap(({ writes }) => writes)) {
    if (at <= store.compactedRevision || !key.startsWith('/lasting/')) continue
    const event = events.get(at)
    const found = event && [event.entry.key, event.type === 'delete' ? null : event.entry.value]
    expect([at, ...(found ?? [])]).toEqual([at, key, value])
  }
}

async function eventsUntil(store: Store, last: number): Promise<Map<number, StoreEvent>> {
  const events = new Map<number, StoreEvent>()
  for await (const batch of store.watch('/lasting/', store.compactedRevision)) {
    for (const event of batch) events.set(event.revision, event)
    if (events.has(last)) break
  }
  return events
}

/** The last acknowledged write of each key stands, or one that was begun after it. */
function checkState(store: Store, lives: readonly Life[]): void {
  const possible = new Map<string, (string | null)[]>()
  for (const { writes, unknown } of lives) {
    for (const { key, value } of writes) possible.set(key, [value])
    for (const { key, value } of unknown) possible.set(key, [...(possible.get(key) ?? []), value])
  }
  const acknowledged = new Set(lives.flatMap(({ writes }) => writes.map(({ key }) => key)))
  for (const key of acknowledged) {
    if (!key.startsWith('/lasting/')) continue
    const value = store.get(key)?.value ?? null
    if (!possible.get(key)!.includes(value))
      throw new Error(`${key} is ${value}, not one of ${possible.get(key)}`)
  }
}
