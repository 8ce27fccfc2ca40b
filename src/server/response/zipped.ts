// A document that is packed while it comes into being.

import { once } from 'node:events'
import { createGzip, type Gzip } from 'node:zlib'
import type { Push, Sink } from '../transport/call.ts'

/** Writes `body` to `sink`, packed: fast rather than small, as upstream does. */
export async function pushZipped(body: Push, sink: Sink): Promise<void> {
  const gzip = createGzip({ level: 1 })
  const ended = once(gzip, 'end')
  const zipping = new ZippedSink(gzip, sink)
  const leave = () => gzip.destroy(new Error('the reader has gone'))
  sink.signal.addEventListener('abort', leave, { once: true })
  try {
    await Promise.race([ended, body.push(zipping)])
    gzip.end()
    await ended
  } finally {
    sink.signal.removeEventListener('abort', leave)
    gzip.destroy()
  }
}

class ZippedSink implements Sink {
  readonly signal: AbortSignal
  readonly #gzip: Gzip
  readonly #sink: Sink
  #isFull = false

  constructor(gzip: Gzip, sink: Sink) {
    this.signal = sink.signal
    this.#gzip = gzip
    this.#sink = sink
    gzip.on('data', (bytes: Buffer) => {
      if (!sink.write(bytes)) this.#isFull = true
    })
  }

  write(bytes: Uint8Array): boolean {
    return this.#gzip.write(bytes) && !this.#isFull
  }

  async drained(): Promise<void> {
    if (this.#gzip.writableNeedDrain) await once(this.#gzip, 'drain')
    if (!this.#isFull) return
    this.#isFull = false
    await this.#sink.drained()
  }
}
