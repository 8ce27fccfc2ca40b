// Keys that want work: each at most once in the queue, each with at most one worker.
//
//   add ─► waiting ─► (take) ─► working ─► (done) ─┬─► gone
//             ▲                     │ add          │
//             └── delayed           └─► dirty ─────┴─► waiting
//
// A key that is added while a worker has it is worked on again afterwards, never at the same time.

import { Backoff } from '../lib/backoff.ts'
import type { Clock } from '../lib/clock.ts'
import { NOBODY, type QueueObserver } from './queue-metrics.ts'

/** As upstream's item rate limiter: 5 ms, doubling to about a quarter of an hour. */
const RETRY_FIRST_MS = 5
const RETRY_MAX_MS = 1000 * 1000

export class WorkQueue {
  readonly #clock: Clock
  readonly #backoff: Backoff
  readonly #observer: QueueObserver
  /** Since when each key waits, and since when somebody works on it. */
  readonly #waiting = new Map<string, number>()
  readonly #working = new Map<string, number>()
  readonly #dirty = new Set<string>()
  readonly #delayed = new Map<string, { dueMs: number; cancel: () => void }>()
  readonly #takers: ((key: string) => void)[] = []

  constructor(clock: Clock, observer: QueueObserver = NOBODY) {
    this.#clock = clock
    this.#observer = observer
    this.#backoff = new Backoff(clock, { firstMs: RETRY_FIRST_MS, maxMs: RETRY_MAX_MS })
  }

  add(key: string): void {
    this.#undelay(key)
    if (this.#working.has(key)) {
      this.#dirty.add(key)
      return
    }
    const nowMs = this.#clock.monotonicMs()
    if (!this.#waiting.has(key)) {
      this.#observer.added()
      this.#waiting.set(key, nowMs)
    }
    const taker = this.#takers.shift()
    if (taker === undefined) return
    this.#begin(key, nowMs)
    taker(key)
  }

  /** Adds `key` after `ms`. Of several delays the earliest counts; an `add` overtakes them all. */
  addAfter(key: string, ms: number): void {
    if (ms <= 0) {
      this.add(key)
      return
    }
    const dueMs = this.#clock.monotonicMs() + ms
    const pending = this.#delayed.get(key)
    if (pending !== undefined && pending.dueMs <= dueMs) return
    this.#undelay(key)
    const cancel = this.#clock.after(ms, () => this.add(key))
    this.#delayed.set(key, { dueMs, cancel })
  }

  /** Adds a key whose work failed, later each time. Returns the delay in ms. */
  retry(key: string): number {
    const ms = this.#backoff.next(key)
    this.#observer.retried()
    this.addAfter(key, ms)
    return ms
  }

  /** The work succeeded: the next failure begins with the shortest delay again. */
  forget(key: string): void {
    this.#backoff.reset(key)
  }

  failureCount(key: string): number {
    return this.#backoff.failureCount(key)
  }

  /** Waits for a key. The caller owns it until `done`. Rejects when `signal` aborts. */
  async take(signal: AbortSignal): Promise<string> {
    signal.throwIfAborted()
    for (const [key, sinceMs] of this.#waiting) {
      this.#begin(key, sinceMs)
      return key
    }
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    this.#takers.push(resolve)
    const onAbort = () => {
      const index = this.#takers.indexOf(resolve)
      if (index >= 0) this.#takers.splice(index, 1)
      reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    return promise.finally(() => signal.removeEventListener('abort', onAbort))
  }

  done(key: string): void {
    const startedMs = this.#working.get(key)
    if (startedMs !== undefined) {
      this.#observer.done((this.#clock.monotonicMs() - startedMs) / 1000)
    }
    this.#working.delete(key)
    if (this.#dirty.delete(key)) this.add(key)
  }

  /** Nothing waits and nobody works; delays may still be pending. */
  get isIdle(): boolean {
    return this.#waiting.size === 0 && this.#working.size === 0
  }

  /** How many keys wait. */
  get depth(): number {
    return this.#waiting.size
  }

  workingSeconds(): number[] {
    const nowMs = this.#clock.monotonicMs()
    return [...this.#working.values()].map((startedMs) => (nowMs - startedMs) / 1000)
  }

  /** Drops all timers. */
  close(): void {
    for (const key of [...this.#delayed.keys()]) this.#undelay(key)
  }

  #begin(key: string, sinceMs: number): void {
    const nowMs = this.#clock.monotonicMs()
    this.#waiting.delete(key)
    this.#working.set(key, nowMs)
    this.#observer.taken((nowMs - sinceMs) / 1000)
  }

  #undelay(key: string): void {
    this.#delayed.get(key)?.cancel()
    this.#delayed.delete(key)
  }
}
