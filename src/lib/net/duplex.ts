// A byte stream in the shape that node:tls and WebSockets take for a transport.

import { Duplex } from 'node:stream'
import type { ByteStream } from '../byte-stream.ts'

/** Reads as fast as it is read, writes as fast as `stream` takes it. */
export function duplexOf(stream: ByteStream): Duplex {
  const reader = stream.readable.getReader()
  return new Duplex({
    read() {
      reader.read().then(
        ({ done, value }) => this.push(done ? null : value),
        (error) => this.destroy(error),
      )
    },
    write(chunk: Uint8Array, _, done) {
      stream.write(chunk).then(() => done(), done)
    },
    // What was written in one go stays in one piece, so that those of several writers never mix.
    writev(chunks, done) {
      const bytes = Buffer.concat(chunks.map(({ chunk }) => chunk))
      stream.write(bytes).then(() => done(), done)
    },
    final(done) {
      stream.end().then(() => done(), done)
    },
    destroy(error, done) {
      stream.abort(error ?? new Error('connection closed'))
      done(error)
    },
  })
}
