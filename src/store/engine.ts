// Decides and performs writes inside one transaction. Synchronous; knows nothing of promises,
// watchers or disks.
//
// Writes see each other at once, whether durable or not; readers are asked for a revision and pass
// one that is durable. Reads and conflict checks thereby share one set of statements.

import { assert } from '../lib/assert.ts'
import type { Ledger } from './ledger.ts'
import { Pages } from './pages.ts'
import type { Area, Range, Tables, Version } from './sqlite.ts'
import type { Entry, ListResult, StoreEvent, WriteOptions, WriteResult } from './store.ts'

export type Write =
  | { kind: 'create'; key: string; value: string; options: WriteOptions }
  | { kind: 'update'; key: string; value: string; expected: number; options: WriteOptions }
  | { kind: 'delete'; key: string; expected: number }
  | { kind: 'expire'; key: string }

export type Committed = {
  /** One for each write, in order. */
  results: WriteResult[]
  /** What happened, in order. */
  events: StoreEvent[]
  /** Versions that went to disk. */
  appendedRows: number
  /** Size of the values that went to memory alone. */
  volatileChars: number
  /** Something must be synced before anybody hears of it. */
  touchedDisk: boolean
}

/** SQLite's own. */
const PAGE_BYTES = 4096
const NEWEST = Number.MAX_SAFE_INTEGER

export class Engine {
  readonly #tables: Tables
  readonly #ledger: Ledger
  readonly #pages = new Pages()
  #assigned: number

  constructor(tables: Tables, ledger: Ledger) {
    this.#tables = tables
    this.#ledger = ledger
    this.#assigned = ledger.lastRevision
  }

  /** The newest revision given away, durable or not. */
  get assigned(): number {
    return this.#assigned
  }

  get sizeBytes(): number {
    return this.#tables.pages().total * PAGE_BYTES
  }

  /** Performs all writes in order, or none and throws. A lost race is no reason to throw. */
  commit(writes: readonly Write[], nowMs: number): Committed {
    const before = { assigned: this.#assigned, ledger: this.#ledger.snapshot }
    const done: Committed = {
      results: [],
      events: [],
      appendedRows: 0,
      volatileChars: 0,
      touchedDisk: false,
    }
    try {
      this.#tables.transaction(() => {
        for (const write of writes) done.results.push(this.#perform(write, nowMs, done))
        const hasNotes = this.#ledger.save()
        done.touchedDisk = hasNotes || done.appendedRows > 0
      })
      return done
    } catch (error) {
      this.#assigned = before.assigned
      this.#ledger.restore(before.ledger)
      throw error
    }
  }

  get(key: string, revision: number): Entry | undefined {
    const version = this.#tables.at(key, revision)
    return version && !version.deleted ? entryOf(version) : undefined
  }

  list(prefix: string, revision: number, limit: number | undefined, afterKey: string): ListResult {
    const range = after(rangeOf(prefix), afterKey)
    const entries = this.#tables.page(range, revision, limit ?? -1)
    if (limit === undefined || entries.length < limit) {
      return { revision, entries, more: false, remaining: 0 }
    }
    const lastKey = entries.at(-1)?.key ?? afterKey
    const known = this.#pages.remaining({ prefix, revision, lastKey: afterKey })
    const remaining =
      known === undefined
        ? this.#tables.count(after(range, lastKey), revision)
        : known - entries.length
    this.#pages.note({ prefix, revision, lastKey }, remaining)
    return { revision, entries, more: remaining > 0, remaining }
  }

  nextExpiry(afterMs: number): number | undefined {
    return this.#tables.nextExpiry(afterMs)
  }

  /** Keys whose newest version falls due in that time. */
  expired(afterMs: number, untilMs: number): string[] {
    const keys = this.#tables.expired(afterMs, untilMs)
    return keys.filter((key) => isDue(this.#tables.at(key, NEWEST), untilMs))
  }

  count(prefix: string, revision: number): number {
    return this.#tables.count(rangeOf(prefix), revision)
  }

  /** The events of `prefix` after `from` up to `through`, in order. */
  events(prefix: string, from: number, through: number): StoreEvent[] {
    const versions = this.#tables.history(from, through, rangeOf(prefix))
    return versions.map((version) => {
      const previous = this.#tables.at(version.key, version.revision - 1)
      return eventBetween(version, previous && !previous.deleted ? previous : undefined)
    })
  }

  #perform(write: Write, nowMs: number, done: Committed): WriteResult {
    const newest = this.#tables.at(write.key, NEWEST)
    const current = newest && !newest.deleted ? newest : undefined
    if (!mayProceed(write, current, nowMs)) {
      return { ok: false, current: current && entryOf(current) }
    }
    const revision = ++this.#assigned
    const version = nextVersion(write, current, revision, nowMs)
    this.#insert(version, this.#areaFor(write), done)
    if ('options' in write && write.options.volatileLater) {
      this.#ledger.noteVolatile(write.key, revision)
    }
    const event = eventBetween(version, current)
    done.events.push(event)
    return { ok: true, entry: event.entry }
  }

  #insert(version: Version, area: Area, done: Committed): void {
    this.#tables.insert(area, version)
    if (area === 'main') {
      done.appendedRows++
    } else {
      done.volatileChars += version.value.length
      this.#ledger.noteVolatile(version.key, version.revision)
    }
  }

  /**
   * Whether a write must reach the disk. An expiry need not, as it comes true again by itself, nor
   * the deletion of a key that the disk has never seen.
   */
  #areaFor(write: Write): Area {
    if (write.kind === 'expire') return 'memory'
    if (write.kind === 'delete') return this.#tables.isOnDisk(write.key) ? 'main' : 'memory'
    return write.options.volatile ? 'memory' : 'main'
  }
}

function mayProceed(write: Write, current: Version | undefined, nowMs: number): boolean {
  if (write.kind === 'create') return current === undefined
  if (write.kind === 'expire') return isDue(current, nowMs)
  return current?.revision === write.expected
}

function isDue(version: Version | undefined, nowMs: number): boolean {
  return version !== undefined && version.expires !== null && version.expires <= nowMs
}

function nextVersion(
  write: Write,
  current: Version | undefined,
  revision: number,
  nowMs: number,
): Version {
  const { key } = write
  const created = current?.created ?? revision
  if (write.kind === 'delete' || write.kind === 'expire') {
    return { revision, key, created, deleted: 1, expires: null, value: '' }
  }
  const { ttlMs } = write.options
  const expires = ttlMs === undefined ? (current?.expires ?? null) : Math.ceil(nowMs + ttlMs)
  return { revision, key, created, deleted: 0, expires, value: write.value }
}

function eventBetween(version: Version, previous: Version | undefined): StoreEvent {
  const { revision } = version
  const before = previous && entryOf(previous)
  if (!version.deleted) return { type: 'put', revision, entry: entryOf(version), previous: before }
  assert(before !== undefined, `the deletion at revision ${revision} follows nothing`)
  return { type: 'delete', revision, entry: { ...before, revision }, previous: before }
}

/** No key holds a character below "!", so what starts here comes right after `key`. */
function after({ from, to }: Range, key: string): Range {
  return { from: key < from ? from : `${key}\x01`, to }
}

function entryOf({ key, value, created, revision }: Version): Entry {
  return { key, value, created, revision }
}

/** Everything that starts with `prefix`: DEL sorts after every character a key may hold. */
function rangeOf(prefix: string): Range {
  return { from: prefix === '' ? '!' : prefix, to: `${prefix}\x7f` }
}
