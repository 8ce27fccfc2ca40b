// What the store remembers about itself: how far history is compact and indexed, which revisions
// are taken, and what a crash may cost.
//
// Volatile writes take revisions that the disk never sees. So that none is given twice after a
// crash, they are reserved on disk in blocks, and the next start goes on behind the last block. And
// so that nobody resumes across a past that is forgotten, the folders of such keys are noted.

import type { Notes, Tables } from './sqlite.ts'

const FORMAT = 1
/** An empty store is at revision 1: on the wire 0 means "any". */
const FIRST_REVISION = 1
/** Revisions noted ahead of volatile writes: at ten a second one note in about three hours. */
const RESERVED_BLOCK = 100_000
/** More folders than this with volatile keys count as one, the root. */
const VOLATILE_FOLDERS_MAX = 256
/** A restored store does not know how far the lost one had come: this far in a month of bursts. */
const RESTORED_JUMP = 1_000_000_000

export class Ledger {
  readonly #tables: Tables
  #notes: Notes
  #changed = false

  constructor(tables: Tables) {
    this.#tables = tables
    const notes = tables.readNotes()
    if (notes && notes.format > FORMAT) throw new NewerFormatError()
    this.#notes = notes ?? {
      format: FORMAT,
      compacted: FIRST_REVISION,
      indexed: 0,
      reserved: FIRST_REVISION,
      volatile: [],
      lost: { before: 0, folders: [] },
    }
    this.#admitLosses()
  }

  get compacted(): number {
    return this.#notes.compacted
  }

  get indexed(): number {
    return this.#notes.indexed
  }

  /** The newest revision that may have been given away before this start. */
  get lastRevision(): number {
    return Math.max(this.#tables.newestOnDisk(), this.#notes.reserved)
  }

  /** The oldest revision from which everything under `prefix` is known. */
  knownFrom(prefix: string): number {
    const { compacted, lost } = this.#notes
    if (lost.before <= compacted) return compacted
    return lost.folders.some((folder) => overlap(folder, prefix)) ? lost.before : compacted
  }

  /** Notes that a revision went, or some day will go, to a volatile write of `key`. */
  noteVolatile(key: string, revision: number): void {
    if (revision > this.#notes.reserved) this.#change({ reserved: revision + RESERVED_BLOCK })
    const folders = this.#notes.volatile
    const folder = folders.length < VOLATILE_FOLDERS_MAX ? folderOf(key) : ''
    if (folders.includes(folder) || folders.includes('')) return
    this.#change({ volatile: [...folders, folder] })
  }

  /**
   * When only volatile versions were forgotten the disk need not hear: a heartbeat writes nothing.
   */
  noteCompacted(compacted: number, touchedDisk: boolean): void {
    if (touchedDisk) this.#change({ compacted })
    else this.#notes = { ...this.#notes, compacted }
  }

  noteIndexed(indexed: number): void {
    this.#change({ indexed })
  }

  /** Every volatile version lies on disk. */
  noteSettled(): void {
    this.#change({ volatile: [] })
  }

  /**
   * Everything lies on disk and nothing more comes: the next start goes on at the next revision.
   */
  noteEnd(revision: number): void {
    this.#change({ reserved: revision })
  }

  /** The store is a copy of an earlier state: what came since is forgotten, also by whom it met. */
  noteRestored(): void {
    const before = this.lastRevision + RESTORED_JUMP
    this.#change({ reserved: before, volatile: [], lost: { before, folders: [''] } })
  }

  /** Writes the notes when they have changed. Returns whether they had. Within a transaction. */
  save(): boolean {
    if (!this.#changed) return false
    this.#tables.writeNotes(this.#notes)
    this.#changed = false
    return true
  }

  /** For undoing: what `restore` takes when the transaction fails. */
  get snapshot(): LedgerSnapshot {
    return { notes: this.#notes, changed: this.#changed }
  }

  restore({ notes, changed }: LedgerSnapshot): void {
    this.#notes = notes
    this.#changed = changed
  }

  #change(part: Partial<Notes>): void {
    this.#notes = { ...this.#notes, ...part }
    this.#changed = true
  }

  /** Only a crash leaves volatile folders behind: some of their versions nobody remembers. */
  #admitLosses(): void {
    const { volatile, lost } = this.#notes
    if (volatile.length === 0) return
    const folders = [...new Set([...lost.folders, ...volatile])]
    this.#change({ lost: { before: this.lastRevision, folders } })
  }
}

export class NewerFormatError extends Error {
  override readonly name = 'NewerFormatError'
  constructor() {
    super('it was written by a newer version of kedge: install that one again')
  }
}

export type LedgerSnapshot = { notes: Notes; changed: boolean }

function overlap(folder: string, prefix: string): boolean {
  return folder.startsWith(prefix) || prefix.startsWith(folder)
}

function folderOf(key: string): string {
  return key.slice(0, key.lastIndexOf('/') + 1)
}
