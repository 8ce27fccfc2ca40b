// Keeps only the newest letter for one reader. Ten letters during a long job cost one extra look.

import type { Clock } from './clock.ts'

export class Mailbox<T> {
  readonly #clock: Clock
  #newest: T | undefined
  #unread = false
  #wake: (() => void) | undefined
  #cancelTimer: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Replaces whatever lies in the box and wakes the reader. */
  put(letter: T): void {
    this.#newest = letter
    this.nudge()
  }

  /** Wakes the reader with the letter it already knows. */
  nudge(): void {
    this.#unread = true
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#wake?.()
  }

  /**
   * Wakes the reader in `ms`, unless something else does before. A later call replaces an earlier.
   */
  nudgeIn(ms: number): void {
    this.#cancelTimer?.()
    this.#cancelTimer = this.#clock.after(ms, () => this.nudge())
  }

  /** The newest letter, without waiting or marking it as read. */
  peek(): T | undefined {
    return this.#newest
  }

  /** Waits until there is news since the last call, then returns the newest letter. */
  async newest(signal: AbortSignal): Promise<T> {
    // Also when there is news: a reader that nudges itself would never hear of the end otherwise.
    signal.throwIfAborted()
    while (!this.#unread || this.#newest === undefined) {
      signal.throwIfAborted()
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      const onAbort = () => resolve()
      signal.addEventListener('abort', onAbort, { once: true })
      await promise
      signal.removeEventListener('abort', onAbort)
    }
    this.#unread = false
    return this.#newest
  }

  /** Stops a pending timer. */
  close(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }
}
