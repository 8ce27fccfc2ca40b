// Work that nobody waits for, in steps of some milliseconds: indexing what was appended, forgetting
// history, settling volatile keys on disk. Each step is a transaction; none needs a sync, because a
// crash that takes it back leaves a store that only has the same work to do again.

import type { Ledger } from './ledger.ts'
import type { Tables } from './sqlite.ts'

/** Versions handled by one step. */
export const STEP_ROWS_MAX = 500
/** Versions that may wait for their place in the index: indexing them takes some 10 ms. */
const TAIL_ROWS_MAX = 2_000
/**
 * Free pages are used again, so they are given back only when they are many and a quarter of all.
 */
const FREE_PAGES_MIN = 1_024
const FREE_PART = 4
const SHRINK_PAGES = 200
const NEWEST = Number.MAX_SAFE_INTEGER

export class Upkeep {
  readonly #tables: Tables
  readonly #ledger: Ledger
  #tailRows = 0

  constructor(tables: Tables, ledger: Ledger) {
    this.#tables = tables
    this.#ledger = ledger
    this.#tailRows = tables.recoverTail(ledger.indexed)
  }

  /** Notes that versions were appended on disk; returns whether it is time to index them. */
  noteAppended(rows: number): boolean {
    this.#tailRows += rows
    return this.#tailRows >= TAIL_ROWS_MAX
  }

  indexTail(newestRevision: number): void {
    if (this.#tailRows === 0) return
    this.#transaction(() => {
      this.#tables.indexTail()
      this.#ledger.noteIndexed(newestRevision)
    })
    this.#tailRows = 0
  }

  /** The last step: everything lies on disk and in the index, and the next start knows where. */
  finish(newestRevision: number): void {
    this.indexTail(newestRevision)
    this.#transaction(() => this.#ledger.noteEnd(newestRevision))
  }

  /** Forgets history up to `target`; the ledger tells how far it came. Needs an empty tail. */
  compactStep(target: number): void {
    this.#transaction(() => {
      const { compacted } = this.#ledger
      const end = this.stepEnd(compacted, target)
      const touchedDisk = this.#tables.compact(compacted, end)
      this.#ledger.noteCompacted(end, touchedDisk)
    })
  }

  /** Moves the oldest volatile versions to disk. Returns whether there are more. */
  settleStep(): boolean {
    const end = this.#tables.stepEnd('memory', 0, NEWEST, STEP_ROWS_MAX)
    this.#transaction(() => {
      const keys = this.#tables.volatileKeys(end)
      this.#tables.settle(end)
      // What arrives on disk may lie before the point up to which the disk is compact already.
      this.#tables.compactKeys(keys, this.#ledger.compacted)
      this.#ledger.noteCompacted(this.#ledger.compacted, true)
      if (end === NEWEST) this.#ledger.noteSettled()
    })
    return end < NEWEST
  }

  /** Gives free pages back to the file system. Returns whether it is worth going on. */
  shrinkStep(): boolean {
    const { free, total } = this.#tables.pages()
    if (free < FREE_PAGES_MIN || free * FREE_PART < total) return false
    this.#tables.shrink(SHRINK_PAGES)
    return true
  }

  /** What was forgotten lies in free pages, and in the corners of others, until this. */
  erase(): void {
    this.#tables.rewrite()
  }

  /** How far one step goes from `from` towards `to`. */
  stepEnd(from: number, to: number): number {
    return Math.min(
      this.#tables.stepEnd('main', from, to, STEP_ROWS_MAX),
      this.#tables.stepEnd('memory', from, to, STEP_ROWS_MAX),
    )
  }

  #transaction(body: () => void): void {
    const before = this.#ledger.snapshot
    try {
      this.#tables.transaction(() => {
        body()
        this.#ledger.save()
      })
    } catch (error) {
      this.#ledger.restore(before)
      throw error
    }
  }
}
