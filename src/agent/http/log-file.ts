// Reads a container's log file, and goes on as it grows and is rotated. Never polls: the folder is
// watched (inotify), and the runtime says when the container has ended.

import { type FSWatcher, watch } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'

const READ_BYTES = 64 * 1024
const NEWLINE = 10

export type FollowOptions = {
  /** Is the container running still? Asked when everything has been read. */
  isRunning(signal: AbortSignal): Promise<boolean>
  /** Calls `changed` when `isRunning` may have; returns how to stop. */
  onChange(changed: () => void): () => void
}

export type ReadOptions = {
  /** Lines from the end; undefined for all. */
  tailLines: number | undefined
  /** Undefined: ends at the end of the file. */
  follow: FollowOptions | undefined
  /** A new file begins: it was rotated. */
  onRotated(): void
}

/** The bytes of the file at `path`. Throws when there is none. */
export async function* readLog(
  path: string,
  options: ReadOptions,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { follow } = options
  const news = follow === undefined ? undefined : watchFor(path, follow)
  let file = await open(path, 'r')
  try {
    let offset = await tailOffset(file, options.tailLines)
    for (;;) {
      signal.throwIfAborted()
      news?.reset()
      // Asked before reading: what it wrote until it ended is then read below for certain.
      const wasRunning = await follow?.isRunning(signal)
      for (;;) {
        const bytes = await readAt(file, offset)
        if (bytes === undefined) break
        offset += bytes.byteLength
        yield bytes
        signal.throwIfAborted()
      }
      const next = news === undefined ? undefined : await openIfReplaced(path, file)
      if (next !== undefined) {
        await file.close()
        file = next
        offset = 0
        options.onRotated()
      } else if (!wasRunning) return
      else await news?.wait(signal)
    }
  } finally {
    news?.close()
    await file.close()
  }
}

async function readAt(file: FileHandle, offset: number): Promise<Uint8Array | undefined> {
  const { bytesRead, buffer } = await file.read(
    Buffer.allocUnsafe(READ_BYTES),
    0,
    READ_BYTES,
    offset,
  )
  return bytesRead === 0 ? undefined : buffer.subarray(0, bytesRead)
}

/** Where the last `lines` lines begin. */
async function tailOffset(file: FileHandle, lines: number | undefined): Promise<number> {
  if (lines === undefined) return 0
  const { size } = await file.stat()
  if (lines === 0) return size
  let found = 0
  let end = size
  while (end > 0) {
    const start = Math.max(0, end - READ_BYTES)
    const { buffer } = await file.read(Buffer.alloc(end - start), 0, end - start, start)
    for (let i = end - start - 1; i >= 0; i--) {
      // The line end at the very end belongs to the last line.
      if (buffer[i] !== NEWLINE || start + i === size - 1) continue
      found++
      if (found === lines) return start + i + 1
    }
    end = start
  }
  return 0
}

/** The file at `path`, if it is another than `file` by now. */
async function openIfReplaced(path: string, file: FileHandle): Promise<FileHandle | undefined> {
  let next: FileHandle
  try {
    next = await open(path, 'r')
  } catch {
    // Between the old file's renaming and the new one's creation, or after the pod's removal.
    return undefined
  }
  const [there, here] = await Promise.all([next.stat(), file.stat()])
  if (there.ino !== here.ino) return next
  await next.close()
  return undefined
}

type News = { reset(): void; wait(signal: AbortSignal): Promise<void>; close(): void }

/** Remembers that something happened since `reset`, and waits for it otherwise. */
function watchFor(path: string, { onChange }: FollowOptions): News {
  let happened = false
  let wake: (() => void) | undefined
  const notice = () => {
    happened = true
    wake?.()
  }
  const watcher: FSWatcher = watch(dirname(path), notice)
  // The folder goes with its pod; that the container ended is told by the runtime.
  watcher.on('error', notice)
  const stopListening = onChange(notice)
  return {
    reset() {
      happened = false
    },
    async wait(signal) {
      if (happened || signal.aborted) return
      const { promise, resolve } = Promise.withResolvers<void>()
      wake = resolve
      signal.addEventListener('abort', notice, { once: true })
      await promise
      signal.removeEventListener('abort', notice)
    },
    close() {
      watcher.close()
      stopListening()
    },
  }
}
