// The last good copy of a store beside it, made once a day while the store is in use. A card that
// dies slowly damages files; then the store goes back to this copy by itself.

import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { SyncFile } from './disk.ts'
import { Copy } from './readers.ts'
import { nextTurn } from './turn.ts'

const DAY_MS = 24 * 3600 * 1000
/** After a start there is other work to do, and a store that fails soon is not worth a copy. */
const FIRST_MS = 10 * 60_000
/** Copied at once: some milliseconds of work. */
const STEP_ROWS_MAX = 500

const snapshotPath = (path: string) => `${path}.snapshot`

export type SnapshotOptions = {
  path: string
  clock: Clock
  log: Log
  syncFile: SyncFile
}

export class Snapshots {
  readonly #options: SnapshotOptions
  readonly #openedAtMs: number
  #takenAtMs: number
  #taking: Promise<void> | undefined
  #closed = false

  constructor(options: SnapshotOptions) {
    this.#options = options
    this.#openedAtMs = options.clock.monotonicMs()
    const ageMs = ageOf(snapshotPath(options.path), options.clock)
    this.#takenAtMs = this.#openedAtMs - ageMs
  }

  /** Takes a copy in the background when it is time. Called when something was written anyway. */
  takeIfDue(): void {
    const nowMs = this.#options.clock.monotonicMs()
    const isDue = nowMs - this.#takenAtMs >= DAY_MS && nowMs - this.#openedAtMs >= FIRST_MS
    if (!isDue || this.#taking || this.#closed) return
    this.#takenAtMs = nowMs
    this.#taking = this.#take().finally(() => {
      this.#taking = undefined
    })
  }

  /** Removes the copy; the next one is taken as if there had never been one. */
  forget(): void {
    rmSync(snapshotPath(this.#options.path), { force: true })
    this.#takenAtMs = -Infinity
  }

  /** Stops what is under way. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#taking
  }

  async #take(): Promise<void> {
    const { path, log, syncFile } = this.#options
    const draft = `${snapshotPath(path)}.new`
    try {
      rmSync(draft, { force: true })
      closeSync(openSync(draft, 'w', 0o600))
      if (!(await this.#copy(draft))) return
      const file = openSync(draft, 'r')
      await syncFile(file).finally(() => closeSync(file))
      renameSync(draft, snapshotPath(path))
      log.info('took a snapshot of the data store')
    } catch (error) {
      rmSync(draft, { force: true })
      log.warn('could not take a snapshot of the data store', { error })
    }
  }

  /** Returns whether it came to the end. */
  async #copy(draft: string): Promise<boolean> {
    const copy = new Copy(this.#options.path, draft)
    try {
      while (copy.step(STEP_ROWS_MAX)) {
        await nextTurn()
        if (this.#closed) return false
      }
      copy.commit()
      return true
    } finally {
      copy.close()
    }
  }
}

/**
 * Puts the snapshot in the place of a damaged store, which is kept beside it for whoever wants to
 * look. Returns when the snapshot was taken, in ms since 1970; undefined when there is none.
 */
export function restoreSnapshot(path: string): number | undefined {
  const snapshot = snapshotPath(path)
  if (!existsSync(snapshot)) return undefined
  const takenAtMs = statSync(snapshot).mtimeMs
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(path + suffix)) renameSync(path + suffix, `${path}.damaged${suffix}`)
  }
  renameSync(snapshot, path)
  const folder = openSync(dirname(path), 'r')
  fsyncSync(folder)
  closeSync(folder)
  return takenAtMs
}

function ageOf(file: string, clock: Clock): number {
  return existsSync(file) ? clock.nowMs() - statSync(file).mtimeMs : Infinity
}
