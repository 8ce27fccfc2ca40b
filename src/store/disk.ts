// Makes what SQLite has committed durable, without holding up the only thread there is.
//
//   commit (into the operating system's cache) ─► fdatasync of the log on another thread ─► durable
//
// SQLite itself would wait for the disk inside COMMIT, and with it every read, probe and heartbeat
// of this process: 20 ms on an SD card, seconds on a tired one. So it runs with synchronous=NORMAL,
// under which it keeps the file sound but leaves the sync of the log to us, and nobody is told of a
// write before that sync has returned. What is acknowledged is as durable as with FULL.

import { closeSync, fdatasync, openSync } from 'node:fs'

export interface Disk {
  /** Resolves once everything committed before the call is durable. Rejects at most once. */
  sync(): Promise<void>
  /** Groups writes: resolves when everyone who is ready to write has asked for it. */
  turn(): Promise<void>
  close(): void
}

/** For a store in memory. It settles within one turn, so that simulated time does not pass it by. */
export const noDisk: Disk = {
  sync: () => Promise.resolve(),
  turn: () => Promise.resolve(),
  close() {},
}

export class LogFile implements Disk {
  readonly #file: number

  /** The log must exist: SQLite makes it with the first write after opening. */
  constructor(path: string) {
    this.#file = openSync(path, 'r')
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fdatasync(this.#file, (error) => (error ? reject(error) : resolve()))
    })
  }

  turn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve))
  }

  close(): void {
    closeSync(this.#file)
  }
}
