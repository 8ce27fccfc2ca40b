// The store: a queue of writes before the engine, a hub of watchers behind it.
//
//   create, update, delete ─► queue ─► one transaction ─► one sync ─► published: results, events
//                                        (engine)          (disk)      reads, watches
//
// Everyone who writes in one turn of the event loop, or while the disk is busy, shares a
// transaction and a sync. Readers see the state at the newest published revision and no other, so
// nothing is ever seen that a power cut could take back.

import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Disk } from './disk.ts'
import type { Committed, Engine, Write } from './engine.ts'
import { Expiry } from './expiry.ts'
import type { Ledger } from './ledger.ts'
import { Recent } from './recent.ts'
import { Retention, type RetentionOptions } from './retention.ts'
import type { Snapshots } from './snapshot.ts'
import { isFull } from './sqlite.ts'
import {
  CompactedError,
  type Entry,
  FutureRevisionError,
  type ListOptions,
  type ListResult,
  type Store,
  StoreFailedError,
  StoreFullError,
  type StoreWatch,
  type WriteOptions,
  type WriteResult,
} from './store.ts'
import { nextTurn } from './turn.ts'
import type { Upkeep } from './upkeep.ts'
import { type Replay, WatchHub } from './watch.ts'

/** Writes in one transaction; at some 20 µs each this is the longest that readers wait for one. */
const BATCH_WRITES_MAX = 1_000
/** Volatile keys reach the disk this seldom, and only beside a write that goes there anyway. */
const SETTLE_EVERY_MS = 15 * 60_000
/** Values that volatile writes may pile up in memory before they go to disk out of turn. */
const VOLATILE_CHARS_MAX = 16 * 1024 * 1024
const KEY = /^[\x21-\x7e]{1,4096}$/

export type SqliteStoreParts = {
  engine: Engine
  ledger: Ledger
  upkeep: Upkeep
  disk: Disk
  snapshots: Snapshots | undefined
  clock: Clock
  log: Log
  retention: RetentionOptions
  /** Called once when the disk has failed in a way that only a restart can mend. */
  onFailure: (error: StoreFailedError) => void
  /** Closes what lies below. */
  closeFiles: () => void
}

type Pending = {
  write: Write
  resolve: (result: WriteResult) => void
  reject: (error: Error) => void
}

export class SqliteStore implements Store {
  readonly #parts: SqliteStoreParts
  readonly #hub: WatchHub
  readonly #expiry: Expiry
  readonly #retention: Retention
  readonly #recent = new Recent()
  #queue: Pending[] = []
  #writing: Promise<void> | undefined
  #compacting: Promise<void> = Promise.resolve()
  #closing: Promise<void> | undefined
  #published: number
  #refusal: Error | undefined
  #settledAtMs: number
  #volatileChars = 0

  constructor(parts: SqliteStoreParts) {
    const { engine, clock } = parts
    this.#parts = parts
    this.#published = engine.assigned
    this.#settledAtMs = clock.monotonicMs()
    this.#hub = new WatchHub({
      newestRevision: () => this.#published,
      replay: (prefix, from) => this.#replay(prefix, from),
    })
    this.#expiry = new Expiry(clock, engine, (key) => this.#write({ kind: 'expire', key }))
    this.#retention = new Retention(clock, parts.retention, (revision) => this.compact(revision))
  }

  get revision(): number {
    return this.#published
  }

  /** Nobody else writes. */
  current(): undefined {}

  get compactedRevision(): number {
    return this.#parts.ledger.compacted
  }

  get sizeBytes(): number {
    return this.#parts.engine.sizeBytes
  }

  get(key: string): Entry | undefined {
    return this.#recent.get(key, () => this.#parts.engine.get(key, this.#published))
  }

  list(prefix: string, options: ListOptions = {}): ListResult {
    const revision = options.atRevision ?? this.#published
    if (revision > this.#published) throw new FutureRevisionError(this.#published)
    this.#assertKnown(prefix, revision)
    return this.#parts.engine.list(prefix, revision, options.limit, options.afterKey ?? '')
  }

  count(prefix: string): number {
    return this.#parts.engine.count(prefix, this.#published)
  }

  create(key: string, value: string, options: WriteOptions = {}): Promise<WriteResult> {
    return this.#write({ kind: 'create', key, value, options })
  }

  update(
    key: string,
    value: string,
    expected: number,
    options: WriteOptions = {},
  ): Promise<WriteResult> {
    return this.#write({ kind: 'update', key, value, expected, options })
  }

  delete(key: string, expected: number): Promise<WriteResult> {
    return this.#write({ kind: 'delete', key, expected })
  }

  watch(prefix: string, fromRevision: number): StoreWatch {
    this.#assertKnown(prefix, fromRevision)
    return this.#hub.open(prefix, fromRevision)
  }

  compact(revision: number): Promise<void> {
    const compacting = this.#compacting.then(() => this.#compactTo(revision))
    // The next one does not care how this one ended; whoever asked for it does.
    this.#compacting = compacting.catch(() => {})
    return compacting
  }

  async erase(): Promise<void> {
    await this.compact(this.#published)
    await this.#tidy((upkeep) => upkeep.erase())
    this.#parts.snapshots?.forget()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #compactTo(revision: number): Promise<void> {
    const target = Math.min(revision, this.#published)
    while (this.#refusal === undefined && this.compactedRevision < target) {
      await this.#tidy((upkeep) => {
        upkeep.indexTail(this.#parts.engine.assigned)
        upkeep.compactStep(target)
      })
      await nextTurn()
    }
    while (this.#refusal === undefined && (await this.#tidy((upkeep) => upkeep.shrinkStep()))) {
      await nextTurn()
    }
  }

  async #close(): Promise<void> {
    const failed = this.#refusal !== undefined
    this.#refusal = new ClosedError()
    this.#expiry.close()
    this.#retention.close()
    await this.#writing
    await this.#compacting
    this.#hub.close()
    if (!failed) await this.#settleForGood()
    await this.#parts.snapshots?.close()
    await this.#parts.disk.finish()
    this.#parts.closeFiles()
  }

  #write(write: Write): Promise<WriteResult> {
    if (this.#refusal) return Promise.reject(this.#refusal)
    if (!KEY.test(write.key)) return Promise.reject(new BadKeyError(write.key))
    return new Promise((resolve, reject) => {
      this.#queue.push({ write, resolve, reject })
      this.#writing ??= this.#drain()
    })
  }

  /** Runs while there is something to write. Never rejects: every fault goes to its writers. */
  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      await this.#parts.disk.gather()
      const batch = this.#queue.splice(0, BATCH_WRITES_MAX)
      await this.#commit(batch)
    }
    this.#writing = undefined
  }

  async #commit(batch: readonly Pending[]): Promise<void> {
    const { engine, clock, disk } = this.#parts
    let committed: Committed
    while (disk.busy) await disk.busy
    try {
      committed = engine.commit(
        batch.map(({ write }) => write),
        clock.nowMs(),
      )
    } catch (error) {
      // One write that is too big for the space left must not take the others with it.
      if (isFull(error) && batch.length > 1) return this.#commitOneByOne(batch)
      for (const { reject } of batch) reject(asStoreError(error))
      return
    }
    try {
      disk.noteWritten()
      if (committed.touchedDisk) await disk.sync()
    } catch (error) {
      this.#fail(error, batch)
      return
    }
    this.#publish(batch, committed)
    await this.#afterCommit(committed)
  }

  async #commitOneByOne(batch: readonly Pending[]): Promise<void> {
    for (const pending of batch) await this.#commit([pending])
  }

  #publish(batch: readonly Pending[], { results, events }: Committed): void {
    this.#published = this.#parts.engine.assigned
    this.#recent.note(events)
    this.#hub.publish(events)
    for (const [i, { resolve }] of batch.entries()) resolve(results[i]!)
  }

  async #afterCommit({ events, touchedDisk, appendedRows, volatileChars }: Committed) {
    const { upkeep, engine, snapshots, log } = this.#parts
    this.#retention.note(events, this.#published)
    this.#expiry.arm()
    this.#volatileChars += volatileChars
    try {
      const isIndexingDue = upkeep.noteAppended(appendedRows)
      if (isIndexingDue) await this.#tidy(() => upkeep.indexTail(engine.assigned))
      if (this.#isSettlingDue(touchedDisk)) await this.#settle()
      if (touchedDisk) snapshots?.takeIfDue()
    } catch (error) {
      // It is tried again with the next write; what was written before is none the worse.
      log.warn('the data store could not tidy up', { error })
    }
  }

  #isSettlingDue(touchedDisk: boolean): boolean {
    if (this.#volatileChars > VOLATILE_CHARS_MAX) return true
    const age = this.#parts.clock.monotonicMs() - this.#settledAtMs
    return touchedDisk && this.#volatileChars > 0 && age >= SETTLE_EVERY_MS
  }

  /** Runs a step of work that need not be synced. */
  async #tidy<T>(step: (upkeep: Upkeep) => T): Promise<T> {
    const { disk, upkeep } = this.#parts
    while (disk.busy) await disk.busy
    const result = step(upkeep)
    disk.noteWritten()
    return result
  }

  /** Moves the volatile keys to disk, in steps. It need not be synced: they may be lost. */
  async #settle(): Promise<void> {
    while (await this.#tidy((upkeep) => upkeep.settleStep())) await nextTurn()
    this.#settledAtMs = this.#parts.clock.monotonicMs()
    this.#volatileChars = 0
  }

  /**
   * A failed sync leaves it open what the disk holds, and asking again proves nothing. So nobody
   * gets an answer, nothing is written any more, and a restart reads what is really there.
   */
  #fail(cause: unknown, batch: readonly Pending[]): void {
    const error = new StoreFailedError({ cause })
    this.#refusal ??= error
    for (const { reject } of [...batch, ...this.#queue.splice(0)]) reject(error)
    this.#parts.onFailure(error)
  }

  async #settleForGood(): Promise<void> {
    const { engine, disk, log } = this.#parts
    try {
      await this.#settle()
      await this.#tidy((upkeep) => upkeep.finish(engine.assigned))
      await disk.sync()
    } catch (error) {
      log.warn('the data store could not write its volatile keys to disk', { error })
    }
  }

  #assertKnown(prefix: string, revision: number): void {
    const known = this.#parts.ledger.knownFrom(prefix)
    if (revision < known) throw new CompactedError(known)
  }

  #replay(prefix: string, from: number): Replay | undefined {
    const { engine, ledger, upkeep } = this.#parts
    if (from < ledger.knownFrom(prefix)) return undefined
    const through = upkeep.stepEnd(from, this.#published)
    return { through, events: engine.events(prefix, from, through) }
  }
}

export class ClosedError extends Error {
  override readonly name = 'ClosedError'
  constructor() {
    super('the data store is closed')
  }
}

export class BadKeyError extends Error {
  override readonly name = 'BadKeyError'
  constructor(key: string) {
    super(`a key must be 1 to 4096 characters of printable ASCII: ${JSON.stringify(key)}`)
  }
}

function asStoreError(error: unknown): Error {
  if (isFull(error)) return new StoreFullError({ cause: error })
  return new Error('write to the data store', { cause: error })
}
