// Makes what SQLite has committed durable, without holding up the only thread there is.
//
//   commit (into the operating system's cache) ─► fdatasync of the log on another thread ─► durable
//
// SQLite itself would wait for the disk inside COMMIT, and with it every read, probe and heartbeat
// of this process: 20 ms on an SD card, seconds on a tired one. So it runs with synchronous=NORMAL,
// under which it keeps the file sound but leaves the sync of the log to us, and nobody is told of a
// write before that sync has returned. What is acknowledged is as durable as with FULL.
//
// The log goes back into the file in the same manner, in two strokes:
//
//   1. writers go on    pin the log ─► sync it ─► copy it into the file ─► sync that ─► let go
//   2. writers wait     the same once more with the little that came meanwhile, and a new log
//
// So the log stays small. The order of syncs is the one SQLite keeps itself: the log before the
// file, the file before a new log, the head of that before the rest.

import { closeSync, fdatasync, openSync } from 'node:fs'
import type { Log } from '../lib/log.ts'
import { LogPin } from './readers.ts'
import { isFull, type Tables } from './sqlite.ts'
import { nextTurn } from './turn.ts'

/** The log goes back into the file when it has this many pages of 4 KiB. */
const LOG_PAGES_MAX = 2_000
/** Transactions between two looks at the length of the log. */
const MEASURE_EVERY = 16

export interface Disk {
  /** Resolves when everyone who is ready to write now has asked for it: they share a sync. */
  gather(): Promise<void>
  /** While there is one, nothing may be written; to be asked in the same breath as writing. */
  readonly busy: Promise<void> | undefined
  /** To be called after every transaction. */
  noteWritten(): void
  /** Resolves once everything committed before the call is durable. */
  sync(): Promise<void>
  /** Waits for what is under way. To be called before SQLite closes. */
  finish(): Promise<void>
  /** To be called after SQLite has closed. */
  close(): void
}

/**
 * For a store in memory. It settles within one turn, so that simulated time does not pass it by.
 */
export const noDisk: Disk = {
  gather: () => Promise.resolve(),
  busy: undefined,
  noteWritten() {},
  sync: () => Promise.resolve(),
  finish: () => Promise.resolve(),
  close() {},
}

/** Resolves when the data of an open file is safe on disk. */
export type SyncFile = (file: number) => Promise<void>

export type LogFileOptions = {
  path: string
  tables: Tables
  log: Log
  syncFile: SyncFile
}

export class LogFile implements Disk {
  readonly #tables: Tables
  readonly #notes: Log
  readonly #syncFile: SyncFile
  readonly #logFile: number
  /** Closing it would drop SQLite's locks on the file, so it stays open longer than SQLite. */
  readonly #mainFile: number
  readonly #pin: LogPin
  #transactions = 0
  #copying: Promise<void> | undefined
  #busy: Promise<void> | undefined
  #failure: unknown

  /** The log must exist: SQLite makes it with the first access to the file. */
  constructor({ path, tables, log, syncFile }: LogFileOptions) {
    this.#tables = tables
    this.#notes = log
    this.#syncFile = syncFile
    this.#logFile = openSync(`${path}-wal`, 'r')
    this.#mainFile = openSync(path, 'r')
    this.#pin = new LogPin(path)
  }

  get busy(): Promise<void> | undefined {
    return this.#busy
  }

  gather(): Promise<void> {
    return nextTurn()
  }

  noteWritten(): void {
    if (this.#copying || ++this.#transactions % MEASURE_EVERY !== 0) return
    if (this.#tables.logPages() >= LOG_PAGES_MAX) this.#copying = this.#copyLog()
  }

  async sync(): Promise<void> {
    await this.#syncFile(this.#logFile)
    if (this.#failure !== undefined) throw this.#failure
  }

  async finish(): Promise<void> {
    await this.#copying
    this.#pin.close()
  }

  close(): void {
    closeSync(this.#logFile)
    closeSync(this.#mainFile)
  }

  /** Never rejects: a disk that fails here is reported to whoever writes next. */
  async #copyLog(): Promise<void> {
    try {
      await this.#copyMost()
      this.#busy = this.#copyRest()
      await this.#busy
    } catch (error) {
      if (isFull(error)) this.#notes.warn('no space to shorten the log of the data store')
      else this.#failure = error
    } finally {
      this.#busy = undefined
      this.#copying = undefined
    }
  }

  async #copyMost(): Promise<void> {
    this.#pin.hold()
    // Only what is safe in the log may overwrite anything in the file; the pin is the limit.
    await this.#syncFile(this.#logFile)
    try {
      this.#tables.copyLog()
    } catch (error) {
      this.#pin.release()
      throw error
    }
    // If this fails the pin stays, and with it the log from which a restart recovers.
    await this.#syncFile(this.#mainFile)
    this.#pin.release()
  }

  async #copyRest(): Promise<void> {
    await this.#syncFile(this.#logFile)
    this.#tables.copyLog()
    await this.#syncFile(this.#mainFile)
    if (this.#tables.logPages() > 0) return
    // Left to the next writer, SQLite would sync the head of the new log while all wait.
    this.#tables.restartLog()
    await this.#syncFile(this.#logFile)
  }
}

/** On another thread. */
export function syncData(file: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fdatasync(file, (error) => (error ? reject(error) : resolve()))
  })
}
