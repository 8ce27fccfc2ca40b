// A log file that is rotated by size: 0.log, and beside it a few older ones named after their end.

import type { FileHandle } from 'node:fs/promises'
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Clock } from '../../lib/clock.ts'

export type Rotation = { bytesMax: number; filesMax: number }

export const DEFAULT_ROTATION: Rotation = { bytesMax: 10 * 1024 * 1024, filesMax: 5 }

/** Appends whole records; one writer per file. */
export class LogFile {
  readonly #path: string
  readonly #clock: Clock
  readonly #rotation: Rotation
  #file: FileHandle | undefined
  #bytes = 0
  /** Writes of the two streams take turns. */
  #last: Promise<void> = Promise.resolve()

  constructor(path: string, clock: Clock, rotation: Rotation) {
    this.#path = path
    this.#clock = clock
    this.#rotation = rotation
  }

  /** Makes the file, empty, when it is not there. Throws what the file system says. */
  async create(): Promise<void> {
    if (this.#file === undefined) await this.#open()
  }

  /** Resolves when the records are with the kernel. Throws what the file system says. */
  append(records: Uint8Array): Promise<void> {
    if (records.length === 0) return this.#last
    const mine = this.#last.then(() => this.#write(records))
    // The next writer must go on even if this one fails; this one's caller sees the failure.
    this.#last = mine.catch(() => {})
    return mine
  }

  async close(): Promise<void> {
    await this.#last
    await this.#file?.close()
    this.#file = undefined
  }

  async #write(records: Uint8Array): Promise<void> {
    const file = this.#file ?? (await this.#open())
    if (this.#bytes > 0 && this.#bytes + records.length > this.#rotation.bytesMax) {
      await this.#rotate(file)
      return this.#write(records)
    }
    // The position after a failed write is unknown to us but not to O_APPEND.
    const { bytesWritten } = await file.write(records)
    this.#bytes += bytesWritten
    if (bytesWritten < records.length) await this.#write(records.subarray(bytesWritten))
  }

  async #open(): Promise<FileHandle> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o755 })
    this.#file = await open(this.#path, 'a', 0o640)
    this.#bytes = (await this.#file.stat()).size
    return this.#file
  }

  async #rotate(file: FileHandle): Promise<void> {
    await file.close()
    this.#file = undefined
    const older = await this.#older()
    const stamp = rotationStamp(this.#clock.nowMs(), older)
    await rename(this.#path, `${this.#path}.${stamp}`)
    // This one has become the newest of the old; the new file takes one place itself.
    const surplus = older.length + 1 - (this.#rotation.filesMax - 1)
    for (const name of older.slice(0, Math.max(surplus, 0))) {
      await rm(join(dirname(this.#path), name), { force: true })
    }
  }

  /** Names of rotated files, oldest first. */
  async #older(): Promise<string[]> {
    const names = await readdir(dirname(this.#path))
    return names.filter((name) => name.startsWith(`${basename(this.#path)}.`)).toSorted()
  }
}

/** 20261121-131502 as the kubelet names rotated logs; a letter more within the same second. */
export function rotationStamp(nowMs: number, taken: readonly string[]): string {
  const [day, time] = new Date(nowMs).toISOString().split(/[T.]/)
  const stamp = `${day!.replaceAll('-', '')}-${time!.replaceAll(':', '')}`
  const same = taken.filter((name) => name.includes(`.${stamp}`)).length
  return same === 0 ? stamp : `${stamp}-${String(same).padStart(3, '0')}`
}

/** Removes a log with all its rotated files. */
export async function removeLog(path: string): Promise<void> {
  const names = await readdir(dirname(path)).catch((): string[] => []) // The pod's folder is gone.
  const own = names.filter(
    (name) => name === basename(path) || name.startsWith(`${basename(path)}.`),
  )
  for (const name of own) await rm(join(dirname(path), name), { force: true })
}
