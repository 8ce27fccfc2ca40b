// Byte streams laid end to end, and in memory.

import type { ByteStream } from '../byte-stream.ts'
import { ByteQueue } from './byte-queue.ts'

/** What one side of a pair may be ahead of the other. */
const PAIR_BYTES_MAX = 256 * 1024

/** Two ends of one connection inside this process. */
export function streamPair(capacityBytes = PAIR_BYTES_MAX): [ByteStream, ByteStream] {
  const left = new ByteQueue({ capacityBytes })
  const right = new ByteQueue({ capacityBytes })
  const end = (mine: ByteQueue, theirs: ByteQueue): ByteStream => ({
    readable: mine.readable,
    write: (bytes) => theirs.push(bytes),
    async end() {
      theirs.end()
    },
    abort(reason) {
      mine.fail(reason)
      theirs.fail(reason)
    },
  })
  return [end(left, right), end(right, left)]
}

/** Copies from `source` to `target` until the end, no faster than `target` takes it. */
export async function copyBytes(
  source: ReadableStream<Uint8Array>,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const reader = source.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      await write(value)
    }
  } catch (error) {
    await reader.cancel(error).catch(ignoreBrokenSource)
    throw error
  } finally {
    reader.releaseLock()
  }
}

/** The source may be what broke; there is nothing left to stop then. */
function ignoreBrokenSource(): void {}

/**
 * Joins two connections until both directions have ended. When one cannot be read any more, or
 * `signal` aborts, both are dropped. One that takes nothing any more may still have much to say:
 * what is meant for it is dropped until it has. Never rejects: most connections end broken.
 */
export async function joinStreams(a: ByteStream, b: ByteStream, signal: AbortSignal) {
  const drop = (reason: unknown) => {
    a.abort(reason)
    b.abort(reason)
  }
  const onAbort = () => drop(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  const flow = async (from: ByteStream, to: ByteStream) => {
    let takes = true
    const refuse = () => {
      takes = false
    }
    await copyBytes(from.readable, async (bytes) => {
      if (takes) await to.write(bytes).catch(refuse)
    })
    if (takes) await to.end()
  }
  if (signal.aborted) onAbort()
  await Promise.all([flow(a, b).catch(drop), flow(b, a).catch(drop)])
  signal.removeEventListener('abort', onAbort)
}
