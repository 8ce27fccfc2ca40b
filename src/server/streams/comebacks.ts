// Waiting for a node that is about to dial in again. After a restart of the server or of an agent
// it takes a moment until the tunnel stands; a person who asks for a log just then shall get it.

import { type Clock, timeLimit } from '../../lib/clock.ts'

/** So long after its connection was lost, or after our start, a node is expected back. */
const EXPECTED_MS = 10_000
/** A request waits no longer than this for it. */
const WAIT_MS_MAX = 3_000

/** `T` is what a node's coming brings. */
export class Comebacks<T> {
  readonly #clock: Clock
  readonly #startedMs: number
  readonly #lostMs = new Map<string, number>()
  readonly #awaited = new Map<string, PromiseWithResolvers<T>>()

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
    this.#awaited.get(nodeName)?.resolve(what)
    this.#awaited.delete(nodeName)
  }

  /** Undefined when the node is not expected, or does not come in time. */
  async of(nodeName: string, signal: AbortSignal): Promise<T | undefined> {
    if (!this.#isRecent(this.#lostMs.get(nodeName) ?? this.#startedMs)) return undefined
    const coming = this.#awaited.get(nodeName) ?? Promise.withResolvers<T>()
    this.#awaited.set(nodeName, coming)
    const limit = timeLimit(this.#clock, WAIT_MS_MAX, signal)
    const over = Promise.withResolvers<undefined>()
    limit.signal.addEventListener('abort', () => over.resolve(undefined), { once: true })
    try {
      return await Promise.race([coming.promise, over.promise])
    } finally {
      limit.done()
    }
  }

  #isRecent(atMs: number): boolean {
    return this.#clock.monotonicMs() - atMs < EXPECTED_MS
  }
}
