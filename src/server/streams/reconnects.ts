// Waiting for a node that is about to dial in again. After a restart of the server or of an agent
// it takes a moment until the tunnel stands; a person who asks for a log just then shall get it.

import { orAbort } from '../../lib/abort.ts'
import { type Clock, timeLimit } from '../../lib/clock.ts'

/** So long after its connection was lost, or after our start, a node is expected back. */
const EXPECTED_MS = 10_000
/** A request waits no longer than this for it. */
const WAIT_MS_MAX = 3_000

type Waiter<T> = { nodeName: string; coming: PromiseWithResolvers<T> }

/** `T` is what a node's coming brings. */
export class Reconnects<T> {
  readonly #clock: Clock
  readonly #startedMs: number
  readonly #lostMs = new Map<string, number>()
  readonly #waiters = new Set<Waiter<T>>()

  constructor(clock: Clock) {
    this.#clock = clock
    this.#startedMs = clock.monotonicMs()
  }

  lost(nodeName: string): void {
    for (const [name, atMs] of this.#lostMs) if (!this.#isRecent(atMs)) this.#lostMs.delete(name)
    this.#lostMs.set(nodeName, this.#clock.monotonicMs())
  }

  came(nodeName: string, what: T): void {
    this.#lostMs.delete(nodeName)
    for (const waiter of this.#waiters) {
      if (waiter.nodeName === nodeName) waiter.coming.resolve(what)
    }
  }

  /** Undefined when the node is not expected, or does not come in time. */
  async of(nodeName: string, signal: AbortSignal): Promise<T | undefined> {
    if (!this.#isRecent(this.#lostMs.get(nodeName) ?? this.#startedMs)) return undefined
    const waiter = { nodeName, coming: Promise.withResolvers<T>() }
    this.#waiters.add(waiter)
    const limit = timeLimit(this.#clock, WAIT_MS_MAX, signal)
    try {
      return await orAbort(waiter.coming.promise, limit.signal)
    } catch {
      // It did not come in time, or whoever asked has left.
      return undefined
    } finally {
      limit.done()
      this.#waiters.delete(waiter)
    }
  }

  #isRecent(atMs: number): boolean {
    return this.#clock.monotonicMs() - atMs < EXPECTED_MS
  }
}
