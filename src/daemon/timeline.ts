// Where the time of a start goes, for people who wait for it.

import type { Clock } from '../lib/clock.ts'

export class Timeline {
  readonly #clock: Clock
  readonly #startMs: number
  #lastMs: number
  readonly #steps: { name: string; ms: number }[] = []

  constructor(clock: Clock) {
    this.#clock = clock
    this.#startMs = clock.monotonicMs()
    this.#lastMs = this.#startMs
  }

  /** Notes that `name` took the time since the last step. */
  done(name: string): void {
    const nowMs = this.#clock.monotonicMs()
    this.#steps.push({ name, ms: nowMs - this.#lastMs })
    this.#lastMs = nowMs
  }

  /** `store 12 ms, pki 40 ms`, in order; steps of less than a millisecond are left out. */
  summary(): { totalMs: number; steps: string } {
    const shown = this.#steps.filter(({ ms }) => ms >= 1)
    return {
      totalMs: Math.round(this.#lastMs - this.#startMs),
      steps: shown.map(({ name, ms }) => `${name} ${Math.round(ms)} ms`).join(', '),
    }
  }
}
