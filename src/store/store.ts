// The contract of every store: keys, text and revisions. It knows nothing of kinds or ids.
//
//   write ─► revision assigned in the transaction ─► durable ─► promise resolves ─► watchers
//
// Revisions are one sequence for all keys and only ever grow, also over restarts. Watchers see
// every write exactly once, in revision order, and never before it is durable.
//
// Reads are synchronous: they are answered by what this process holds. Where several servers write,
// that may be behind; `current` catches up.

/** One key as it stood at a revision. `value` is the text of an object, without its revision. */
export type Entry = {
  readonly key: string
  readonly value: string
  /** Revision of the write that made the key. */
  readonly created: number
  /** Revision of the write that gave it this value. */
  readonly revision: number
}

/** A lost race is a result: `current` is what stands there instead, or undefined for nothing. */
export type WriteResult =
  | { readonly ok: true; readonly entry: Entry }
  | { readonly ok: false; readonly current: Entry | undefined }

export type WriteOptions = {
  /**
   * Served with full semantics, but written to disk rarely, in batches, or not at all: for
   * heartbeats and events. A crash may lose it; a clean stop does not.
   */
  volatile?: boolean
  /** Later versions of the key may be volatile; said here, the first of those costs no sync. */
  volatileLater?: boolean
  /** The key is removed this long after its last write with a time to live, in ms. */
  ttlMs?: number
}

export type ListOptions = {
  /** The state as it stood then; default: now. */
  atRevision?: number
  /** At most this many entries; `more` says whether others follow. Default: all. */
  limit?: number
  /** Start after this key, which need not exist. */
  afterKey?: string
}

export type ListResult = {
  /** The revision that this list is the state of. */
  readonly revision: number
  /** In key order. */
  readonly entries: readonly Entry[]
  readonly more: boolean
  /** Entries under the prefix after the last one returned; exact. */
  readonly remaining: number
}

export type StoreEvent = {
  readonly type: 'put' | 'delete'
  readonly revision: number
  /** For a deletion: the last value, with the revision of the deletion. */
  readonly entry: Entry
  /** What stood there before; undefined when the key is new. */
  readonly previous: Entry | undefined
}

export interface StoreWatch extends AsyncIterable<readonly StoreEvent[]> {
  /**
   * Batches of events in revision order. Ends when closed or when the store closes; throws
   * `SlowWatcherError` when this watcher fell too far behind and was cut off.
   */
  [Symbol.asyncIterator](): AsyncIterator<readonly StoreEvent[]>
  close(): void
}

export interface Store {
  /** The newest assigned revision. */
  readonly revision: number
  /** The oldest revision that lists and watches can still start from. */
  readonly compactedRevision: number
  /** What the file takes on the disk; for one in memory, there. */
  readonly sizeBytes: number

  /**
   * Brings what is read here up to everything that was acknowledged anywhere before this call, for
   * readers who want the newest. Undefined: it is, there is nothing to wait for, as always with a
   * single server. Rejects when the others cannot be asked.
   */
  current(signal: AbortSignal): Promise<void> | undefined
  get(key: string): Entry | undefined
  /** Throws `CompactedError` or `FutureRevisionError` for an `atRevision` that is not kept. */
  list(prefix: string, options?: ListOptions): ListResult
  count(prefix: string): number

  /** Fails when the key exists. Resolves once durable; throws `StoreFullError` on a full disk. */
  create(key: string, value: string, options?: WriteOptions): Promise<WriteResult>
  /** Fails unless the key stands at `expected`. */
  update(key: string, value: string, expected: number, options?: WriteOptions): Promise<WriteResult>
  /** Fails unless the key stands at `expected`. The entry returned is the deleted one. */
  delete(key: string, expected: number): Promise<WriteResult>

  /**
   * All events under `prefix` after `fromRevision`, those of the past first.
   * Throws `CompactedError` when they are no longer all there.
   */
  watch(prefix: string, fromRevision: number): StoreWatch

  /** Forgets history up to `revision`, in small steps. */
  compact(revision: number): Promise<void>
  /**
   * The same up to now, and once the store is closed nothing of it is left on the disk. It takes as
   * long as it takes to write everything anew: nothing for a store that is in use.
   */
  erase(): Promise<void>
  /** Makes everything durable, volatile keys too, and ends all watches. */
  close(): Promise<void>
}

export class CompactedError extends Error {
  override readonly name = 'CompactedError'
  readonly compactedRevision: number
  constructor(compactedRevision: number) {
    super(`the history before revision ${compactedRevision} is gone`)
    this.compactedRevision = compactedRevision
  }
}

export class FutureRevisionError extends Error {
  override readonly name = 'FutureRevisionError'
  readonly currentRevision: number
  constructor(currentRevision: number) {
    super(`the newest revision is ${currentRevision}`)
    this.currentRevision = currentRevision
  }
}

export class SlowWatcherError extends Error {
  override readonly name = 'SlowWatcherError'
  constructor() {
    super('the watcher fell too far behind')
  }
}

export class StoreFullError extends Error {
  override readonly name = 'StoreFullError'
  constructor(options?: ErrorOptions) {
    super('no space left for the data store: free some space and try again', options)
  }
}

/** The disk failed while syncing: what it holds is unknown until the store is opened again. */
export class StoreFailedError extends Error {
  override readonly name = 'StoreFailedError'
  constructor(options?: ErrorOptions) {
    super('the disk failed under the data store: nothing more is written until a restart', options)
  }
}
