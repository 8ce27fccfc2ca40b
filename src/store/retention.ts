// How much history is kept: enough for watchers to resume and for lists to be paged through, but
// bounded by age and by bytes. Decides; the store does the forgetting.

import type { Clock } from '../lib/clock.ts'
import type { StoreEvent } from './store.ts'

export type RetentionOptions = {
  /** Nothing younger is forgotten, unless `charsMax` demands it. */
  keepMs: number
  /** Bound on the superseded values that are kept, in characters. */
  charsMax: number
}

/**
 * Five minutes as upstream keeps; 64 Mi characters are a burst of about 60,000 updates of 1 KiB.
 */
export const RETENTION: RetentionOptions = { keepMs: 5 * 60_000, charsMax: 64 * 1024 * 1024 }

/** History is forgotten in about this many portions for each bound. */
const PORTIONS = 8

/** A stretch of history that is forgotten together. */
export type Portion = { firstMs: number; lastMs: number; lastRevision: number; chars: number }

/** What to forget now, and when to look again; `dueMs` undefined means: when there is news. */
export function planRetention(
  portions: readonly Portion[],
  nowMs: number,
  { keepMs, charsMax }: RetentionOptions,
): { forgetCount: number; dueMs: number | undefined } {
  let chars = portions.reduce((sum, portion) => sum + portion.chars, 0)
  let forgetCount = 0
  for (const portion of portions) {
    if (portion.lastMs + keepMs > nowMs && chars <= charsMax) break
    chars -= portion.chars
    forgetCount++
  }
  const next = portions[forgetCount]
  return { forgetCount, dueMs: next && next.lastMs + keepMs }
}

export class Retention {
  readonly #clock: Clock
  readonly #options: RetentionOptions
  readonly #forget: (revision: number) => Promise<void>
  #portions: Portion[] = []
  #cancel: (() => void) | undefined
  #forgetting = false
  #closed = false

  constructor(
    clock: Clock,
    options: RetentionOptions,
    forget: (revision: number) => Promise<void>,
  ) {
    this.#clock = clock
    this.#options = options
    this.#forget = forget
  }

  /** Notes what has become history. */
  note(events: readonly StoreEvent[], revision: number): void {
    if (events.length === 0) return
    const nowMs = this.#clock.monotonicMs()
    const last = this.#lastPortion(nowMs)
    last.lastMs = nowMs
    last.lastRevision = revision
    for (const { previous } of events) last.chars += previous?.value.length ?? 0
    if (this.#cancel === undefined || last.chars * PORTIONS > this.#options.charsMax) this.#look()
  }

  close(): void {
    this.#closed = true
    this.#cancel?.()
  }

  #lastPortion(nowMs: number): Portion {
    const { keepMs, charsMax } = this.#options
    const last = this.#portions.at(-1)
    const isOpen =
      last && nowMs - last.firstMs < keepMs / PORTIONS && last.chars < charsMax / PORTIONS
    if (isOpen) return last
    const portion = { firstMs: nowMs, lastMs: nowMs, lastRevision: 0, chars: 0 }
    this.#portions.push(portion)
    return portion
  }

  #look(): void {
    if (this.#closed || this.#forgetting) return
    const nowMs = this.#clock.monotonicMs()
    const plan = planRetention(this.#portions, nowMs, this.#options)
    const forgotten = this.#portions.splice(0, plan.forgetCount).at(-1)
    this.#cancel?.()
    this.#cancel = undefined
    if (forgotten) return this.#start(forgotten.lastRevision)
    if (plan.dueMs === undefined) return
    this.#cancel = this.#clock.after(plan.dueMs - nowMs, () => {
      this.#cancel = undefined
      this.#look()
    })
  }

  #start(revision: number): void {
    this.#forgetting = true
    const done = () => {
      this.#forgetting = false
      this.#look()
    }
    // A failure is one of the disk; the portion is forgotten together with the next one.
    this.#forget(revision).then(done, done)
  }
}
