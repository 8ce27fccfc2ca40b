// Removes keys whose time is up, with one timer for the next one due.

import type { Clock } from '../lib/clock.ts'
import type { Engine } from './engine.ts'

/** When a removal fails, for want of space perhaps, the next attempt comes this much later. */
const RETRY_MS = 10_000

export class Expiry {
  readonly #clock: Clock
  readonly #engine: Engine
  readonly #remove: (key: string) => Promise<unknown>
  /** Versions that expire up to here have been seen; older ones may linger in the history. */
  #seenMs = 0
  #dueMs = Infinity
  #cancel: (() => void) | undefined
  #closed = false

  constructor(clock: Clock, engine: Engine, remove: (key: string) => Promise<unknown>) {
    this.#clock = clock
    this.#engine = engine
    this.#remove = remove
    this.arm()
  }

  /** Looks what is due next. Called after every commit that may have changed it. */
  arm(): void {
    if (this.#closed) return
    const dueMs = this.#engine.nextExpiry(this.#seen()) ?? Infinity
    if (dueMs === this.#dueMs) return
    this.#cancel?.()
    this.#dueMs = dueMs
    if (dueMs === Infinity) return
    this.#cancel = this.#clock.after(dueMs - this.#clock.nowMs(), () => void this.#run())
  }

  close(): void {
    this.#closed = true
    this.#cancel?.()
  }

  async #run(): Promise<void> {
    const untilMs = this.#clock.nowMs()
    this.#dueMs = Infinity
    try {
      const keys = this.#engine.expired(this.#seen(), untilMs)
      await Promise.all(keys.map((key) => this.#remove(key)))
      this.#seenMs = untilMs
      this.arm()
    } catch {
      // Whatever hindered the removal has been told to the writers who asked for something.
      if (!this.#closed) this.#cancel = this.#clock.after(RETRY_MS, () => void this.#run())
    }
  }

  /** The wall clock may have been set back; then everything is looked at again. */
  #seen(): number {
    return this.#clock.nowMs() < this.#seenMs ? 0 : this.#seenMs
  }
}
