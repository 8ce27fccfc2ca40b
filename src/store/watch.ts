// Delivers events to watchers in revision order, each exactly once.
//
//   history ─► replay, at the reader's pace ─┐
//                                            ├─► reader
//   commit ─► publish ─► [ buffer ] ─────────┘   (full: cut off with SlowWatcherError)
//
// A watch is either replaying or live, never both: it goes live in the same turn in which its
// replay has reached the newest published revision, so there is no gap and no repetition.

import { SlowWatcherError, type StoreEvent, type StoreWatch } from './store.ts'
import { nextTurn } from './turn.ts'

/** A reader this many events behind resumes from history more cheaply than we can buffer for it. */
export const WATCH_EVENTS_MAX = 10_000
/** The same in characters of values, so that big objects count for what they are. */
const WATCH_CHARS_MAX = 32 * 1024 * 1024

export type Replay = { events: readonly StoreEvent[]; through: number }

/** Where a watch reads what happened before it went live. */
export interface History {
  newestRevision(): number
  /** The next events of `prefix` after `from`; undefined when they are no longer all there. */
  replay(prefix: string, from: number): Replay | undefined
}

export class WatchHub {
  readonly #history: History
  readonly #watches = new Set<Watch>()
  readonly #live = new Map<string, Set<Watch>>()

  constructor(history: History) {
    this.#history = history
  }

  open(prefix: string, fromRevision: number): StoreWatch {
    const watch = new Watch(this.#history, prefix, fromRevision, {
      live: () => this.#join(prefix, watch),
      closed: () => this.#leave(prefix, watch),
    })
    this.#watches.add(watch)
    if (fromRevision >= this.#history.newestRevision()) watch.goLive()
    return watch
  }

  /** Hands events to everyone live. All watches of one prefix share one array. */
  publish(events: readonly StoreEvent[]): void {
    for (const [prefix, watches] of this.#live) {
      const matching = events.filter((event) => event.entry.key.startsWith(prefix))
      if (matching.length === 0) continue
      const chars = matching.reduce((sum, event) => sum + event.entry.value.length, 0)
      for (const watch of [...watches]) watch.push(matching, chars)
    }
  }

  /** Ends every watch after what it has buffered. */
  close(): void {
    for (const watch of [...this.#watches]) watch.end()
  }

  #join(prefix: string, watch: Watch): void {
    const watches = this.#live.get(prefix) ?? new Set()
    this.#live.set(prefix, watches.add(watch))
  }

  #leave(prefix: string, watch: Watch): void {
    this.#watches.delete(watch)
    const watches = this.#live.get(prefix)
    watches?.delete(watch)
    if (watches?.size === 0) this.#live.delete(prefix)
  }
}

type Batch = { events: readonly StoreEvent[]; chars: number }
type Hooks = { live: () => void; closed: () => void }

class Watch implements StoreWatch {
  readonly #history: History
  readonly #prefix: string
  readonly #hooks: Hooks
  /** Everything up to here was handed to the reader or is not wanted. */
  #position: number
  #state: 'replaying' | 'live' | 'ended' = 'replaying'
  #failure: Error | undefined
  #buffer: Batch[] = []
  #bufferedEvents = 0
  #bufferedChars = 0
  #wake: (() => void) | undefined

  constructor(history: History, prefix: string, fromRevision: number, hooks: Hooks) {
    this.#history = history
    this.#prefix = prefix
    this.#position = fromRevision
    this.#hooks = hooks
  }

  goLive(): void {
    this.#state = 'live'
    this.#hooks.live()
  }

  push(events: readonly StoreEvent[], chars: number): void {
    const newer = this.#newer(events)
    if (newer.length === 0) return
    this.#buffer.push({ events: newer, chars })
    this.#bufferedEvents += newer.length
    this.#bufferedChars += chars
    if (this.#bufferedEvents > WATCH_EVENTS_MAX || this.#bufferedChars > WATCH_CHARS_MAX) {
      this.#fail(new SlowWatcherError())
    }
    this.#wake?.()
  }

  /** No more events come; the reader still gets what is buffered. */
  end(): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#hooks.closed()
    this.#wake?.()
  }

  close(): void {
    this.#drop()
    this.end()
  }

  [Symbol.asyncIterator](): AsyncIterator<readonly StoreEvent[]> {
    return {
      next: () => this.#next(),
      return: () => {
        this.close()
        return Promise.resolve({ done: true, value: undefined })
      },
    }
  }

  async #next(): Promise<IteratorResult<readonly StoreEvent[]>> {
    for (;;) {
      const batch = this.#state === 'replaying' ? this.#replay() : this.#takeBuffered()
      if (batch !== undefined && batch.length > 0) return { done: false, value: batch }
      if (this.#failure) throw this.#failure
      if (this.#state === 'ended') return { done: true, value: undefined }
      if (this.#state === 'replaying') await nextTurn()
      else if (this.#buffer.length === 0) await this.#news()
    }
  }

  #replay(): readonly StoreEvent[] | undefined {
    const step = this.#history.replay(this.#prefix, this.#position)
    if (step === undefined) {
      this.#fail(new SlowWatcherError())
      return undefined
    }
    this.#position = step.through
    if (step.through >= this.#history.newestRevision()) this.goLive()
    return step.events
  }

  #takeBuffered(): readonly StoreEvent[] | undefined {
    const batch = this.#buffer.shift()
    if (batch === undefined) return undefined
    this.#bufferedEvents -= batch.events.length
    this.#bufferedChars -= batch.chars
    this.#position = batch.events.at(-1)!.revision
    return batch.events
  }

  #news(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    return promise
  }

  /** A watch may have been opened ahead of the newest revision. */
  #newer(events: readonly StoreEvent[]): readonly StoreEvent[] {
    if (events[0]!.revision > this.#position) return events
    return events.filter((event) => event.revision > this.#position)
  }

  #fail(error: Error): void {
    this.#failure = error
    this.#drop()
    this.end()
  }

  #drop(): void {
    this.#buffer = []
    this.#bufferedEvents = 0
    this.#bufferedChars = 0
  }
}
