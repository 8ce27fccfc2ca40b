// Decides and performs writes inside one transaction. Synchronous; knows nothing of promises,
// watchers or disks.
//
// Writes see each other at once, whether durable or not; readers are asked for a revision and pass
// one that is durable. Reads and conflict checks thereby share one set of statements.

import { assert } from '../lib/assert.ts'
import { type Area, FORMAT, type Notes, type Range, type Tables, type Version } from './sqlite.ts'
import type { Entry, ListResult, StoreEvent, WriteOptions, WriteResult } from './store.ts'

export type Write =
  | { kind: 'create'; key: string; value: string; options: WriteOptions }
  | { kind: 'update'; key: string; value: string; expected: number; options: WriteOptions }
  | { kind: 'delete'; key: string; expected: number }
  | { kind: 'expire'; key: string }

export type Committed = {
  results: WriteResult[]
  events: StoreEvent[]
  /** Something was written to disk, which must be synced before anybody hears of it. */
  touchedDisk: boolean
  /** Size of the values written to memory alone. */
  volatileChars: number
}

/** An empty store is at revision 1: on the wire 0 means "any". */
const FIRST_REVISION = 1
/** Revisions noted on disk ahead of volatile writes: at ten a second one note in about three hours. */
const RESERVED_BLOCK = 100_000
/** More folders than this with volatile keys count as one, the root. */
const VOLATILE_FOLDERS_MAX = 256
/** Versions read by one step of a replay or compaction: some milliseconds of work. */
const STEP_ROWS_MAX = 500
const NEWEST = Number.MAX_SAFE_INTEGER

export class Engine {
  readonly #tables: Tables
  readonly #notes: Notes
  /** Those that may have rows in the volatile table. */
  #folders = new Set<string>()
  #assigned: number
  #touchedDisk = false
  #volatileChars = 0
  #notesChanged = false

  constructor(tables: Tables) {
    this.#tables = tables
    const notes = tables.readNotes()
    this.#notes = notes ?? {
      format: FORMAT,
      compacted: FIRST_REVISION,
      reserved: FIRST_REVISION,
      volatile: [],
      lost: { before: 0, folders: [] },
    }
    this.#assigned = Math.max(tables.newestOnDisk(), this.#notes.reserved)
    this.#admitLosses()
  }

  /** The newest revision given away, durable or not. */
  get assigned(): number {
    return this.#assigned
  }

  get compacted(): number {
    return this.#notes.compacted
  }

  /** The oldest revision from which everything under `prefix` is known. */
  knownFrom(prefix: string): number {
    const { before, folders } = this.#notes.lost
    const isHurt = before > this.compacted && folders.some((folder) => overlap(folder, prefix))
    return isHurt ? before : this.compacted
  }

  /** After a crash: volatile keys may have had versions that nobody remembers. */
  #admitLosses(): void {
    const { volatile, lost } = this.#notes
    if (volatile.length === 0) return
    const folders = [...new Set([...lost.folders, ...volatile])]
    this.#notes.lost = { before: this.#assigned, folders }
    this.#folders = new Set(volatile)
  }

  /** Performs all writes in order, or none and throws. A lost race is no reason to throw. */
  commit(writes: readonly Write[], nowMs: number): Committed {
    return this.#transaction(() => {
      const events: StoreEvent[] = []
      const results = writes.map((write) => this.#perform(write, nowMs, events))
      if (this.#notesChanged) this.#saveNotes()
      return { results, events, touchedDisk: this.#touchedDisk, volatileChars: this.#volatileChars }
    })
  }

  /**
   * Forgets one step of the history up to `target`; `compacted` tells how far it came. It need not
   * be synced: a crash brings back at most what nobody asks for.
   */
  compactStep(target: number): void {
    this.#transaction(() => {
      const { compacted } = this.#notes
      const end = this.#stepEnd(compacted, target)
      const onDisk = this.#tables.keysBetween('main', compacted, end)
      const keys = new Set([...onDisk, ...this.#tables.keysBetween('volatile', compacted, end)])
      for (const key of keys) this.#compactKey(key, end)
      this.#notes.compacted = end
      // Of volatile keys alone the disk need not hear: that would be a write for every heartbeat.
      if (onDisk.length > 0) this.#saveNotes()
    })
  }

  /** Moves the oldest volatile versions to disk. Returns whether there are more. */
  settleStep(): boolean {
    return this.#transaction(() => {
      const end = this.#tables.stepEnd('volatile', 0, NEWEST, STEP_ROWS_MAX)
      const keys = this.#tables.keysBetween('volatile', 0, end)
      this.#tables.settle(end)
      // Some of what arrives on disk lies before the point up to which the disk is compact already.
      for (const key of keys) this.#compactKey(key, this.compacted)
      if (end < NEWEST) return true
      this.#folders.clear()
      this.#saveNotes()
      return false
    })
  }

  /** For a clean stop, after everything has settled: the next start goes on at the next revision. */
  noteEnd(): void {
    this.#transaction(() => {
      this.#notes.reserved = this.#assigned
      this.#saveNotes()
    })
  }

  /** Keeps the newest version of `key` up to `revision` and those after it. */
  #compactKey(key: string, revision: number): void {
    const tables = this.#tables
    const newest = this.#versionAt(key, revision)
    const main = tables.at('main', key, revision)
    if (newest === undefined) return
    tables.forgetBefore('volatile', key, newest.revision)
    // A crash forgets the volatile table, so there must remain on disk what was the newest there.
    if (main) tables.forgetBefore('main', key, main.revision)
    if (main?.deleted) tables.forget('main', main.revision)
    // A volatile deletion hides a living version on disk and has to stay until it is settled.
    const hidesNothing = main === undefined || main.deleted === 1
    const isVolatile = newest.revision !== main?.revision
    if (newest.deleted && isVolatile && hidesNothing) tables.forget('volatile', newest.revision)
  }

  #transaction<T>(body: () => T): T {
    const before = { assigned: this.#assigned, compacted: this.#notes.compacted }
    this.#touchedDisk = false
    this.#volatileChars = 0
    try {
      return this.#tables.transaction(body)
    } catch (error) {
      this.#assigned = before.assigned
      this.#notes.compacted = before.compacted
      this.#notesChanged ||= this.#touchedDisk
      throw error
    }
  }

  get(key: string, revision: number): Entry | undefined {
    const version = this.#versionAt(key, revision)
    return version && !version.deleted ? entryOf(version) : undefined
  }

  list(prefix: string, revision: number, limit: number | undefined, afterKey: string): ListResult {
    const range = rangeOf(prefix)
    const both = this.#mayBeVolatile(prefix)
    // No key holds a character below "!", so this is the first text after `afterKey`.
    if (afterKey >= range.from) range.from = `${afterKey}\x01`
    const entries = this.#tables.page(both, range, revision, limit ?? -1)
    const isFull = limit !== undefined && entries.length === limit
    if (isFull && limit > 0) range.from = `${entries.at(-1)!.key}\x01`
    const remaining = isFull ? this.#tables.count(both, range, revision) : 0
    return { revision, entries, more: remaining > 0, remaining }
  }

  nextExpiry(afterMs: number): number | undefined {
    return this.#tables.nextExpiry(afterMs)
  }

  /** Keys whose newest version falls due in that time. */
  expired(afterMs: number, untilMs: number): string[] {
    const keys = this.#tables.expired(afterMs, untilMs)
    return keys.filter((key) => isDue(this.#versionAt(key, NEWEST), untilMs))
  }

  count(prefix: string, revision: number): number {
    return this.#tables.count(this.#mayBeVolatile(prefix), rangeOf(prefix), revision)
  }

  /** One step of the events under `prefix` after `from`; `through` tells how far it went. */
  replay(prefix: string, from: number, to: number) {
    const through = this.#stepEnd(from, to)
    const versions = this.#tables.history(from, through, rangeOf(prefix))
    return { through, events: versions.map((version) => this.#eventOf(version)) }
  }

  #perform(write: Write, nowMs: number, events: StoreEvent[]): WriteResult {
    const newest = this.#versionAt(write.key, NEWEST)
    const current = newest && !newest.deleted ? newest : undefined
    if (!mayProceed(write, current, nowMs)) {
      return { ok: false, current: current && entryOf(current) }
    }
    const revision = ++this.#assigned
    const version = nextVersion(write, current, revision, nowMs)
    this.#insert(this.#areaFor(write), version)
    const event = eventBetween(version, current)
    events.push(event)
    return { ok: true, entry: event.entry }
  }

  #insert(area: Area, version: Version): void {
    this.#tables.insert(area, version)
    if (area === 'main') this.#touchedDisk = true
    else this.#noteVolatile(version)
  }

  /**
   * Whether a write must reach the disk. An expiry need not, as it comes true again by itself, nor
   * the deletion of a key that the disk has never seen.
   */
  #areaFor(write: Write): Area {
    if (write.kind === 'expire') return 'volatile'
    if (write.kind !== 'delete') return write.options.volatile ? 'volatile' : 'main'
    const onDisk = this.#tables.at('main', write.key, NEWEST)
    return onDisk === undefined || onDisk.deleted ? 'volatile' : 'main'
  }

  #noteVolatile({ key, revision, value }: Version): void {
    const notes = this.#notes
    this.#volatileChars += value.length
    if (revision > notes.reserved) {
      notes.reserved = revision + RESERVED_BLOCK
      this.#notesChanged = true
    }
    const folder = this.#folders.size < VOLATILE_FOLDERS_MAX ? folderOf(key) : ''
    if (this.#folders.has(folder) || this.#folders.has('')) return
    this.#folders.add(folder)
    this.#notesChanged = true
  }

  #saveNotes(): void {
    this.#tables.writeNotes({ ...this.#notes, volatile: [...this.#folders] })
    this.#notesChanged = false
    this.#touchedDisk = true
  }

  #versionAt(key: string, revision: number): Version | undefined {
    const main = this.#tables.at('main', key, revision)
    if (!this.#folders.has(folderOf(key)) && !this.#folders.has('')) return main
    const volatile = this.#tables.at('volatile', key, revision)
    if (main === undefined || volatile === undefined) return main ?? volatile
    return main.revision > volatile.revision ? main : volatile
  }

  #mayBeVolatile(prefix: string): boolean {
    for (const folder of this.#folders) {
      if (overlap(folder, prefix)) return true
    }
    return false
  }

  #stepEnd(from: number, to: number): number {
    return Math.min(
      this.#tables.stepEnd('main', from, to, STEP_ROWS_MAX),
      this.#tables.stepEnd('volatile', from, to, STEP_ROWS_MAX),
    )
  }

  #eventOf(version: Version): StoreEvent {
    const previous = this.#versionAt(version.key, version.revision - 1)
    return eventBetween(version, previous && !previous.deleted ? previous : undefined)
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

function entryOf({ key, value, created, revision }: Version): Entry {
  return { key, value, created, revision }
}

/** Everything that starts with `prefix`: DEL sorts after every character a key may hold. */
function rangeOf(prefix: string): Range {
  return { from: prefix === '' ? '!' : prefix, to: `${prefix}\x7f` }
}

function overlap(folder: string, prefix: string): boolean {
  return folder.startsWith(prefix) || prefix.startsWith(folder)
}

function folderOf(key: string): string {
  return key.slice(0, key.lastIndexOf('/') + 1)
}
