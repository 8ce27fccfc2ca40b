// Delays that double from `firstMs` to `maxMs`, remembered for each key.

import type { Clock } from './clock.ts'

export type BackoffOptions = {
  firstMs: number
  maxMs: number
  /** Forget a key when it has not failed for this long. Default: never. */
  forgetMs?: number
}

export class Backoff {
  readonly #clock: Clock
  readonly #options: BackoffOptions
  readonly #failures = new Map<string, { count: number; atMs: number }>()

  constructor(clock: Clock, options: BackoffOptions) {
    this.#clock = clock
    this.#options = options
  }

  /** Notes one more failure of `key` and returns how long to wait, in ms. */
  next(key: string): number {
    const nowMs = this.#clock.monotonicMs()
    const seen = this.#failures.get(key)
    const forgotten = seen && nowMs - seen.atMs > (this.#options.forgetMs ?? Infinity)
    const count = seen && !forgotten ? seen.count + 1 : 0
    this.#failures.set(key, { count, atMs: nowMs })
    return Math.min(this.#options.firstMs * 2 ** count, this.#options.maxMs)
  }

  /** Failures of `key` in a row. */
  failureCount(key: string): number {
    const seen = this.#failures.get(key)
    return seen ? seen.count + 1 : 0
  }

  reset(key: string): void {
    this.#failures.delete(key)
  }
}
