// A byte stream in the shape that node:tls takes for a transport.

import { Duplex } from 'node:stream'
import type { ByteStream } from '../../lib/byte-stream.ts'

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
    final(done) {
      stream.end().then(() => done(), done)
    },
    destroy(error, done) {
      stream.abort(error ?? new Error('connection closed'))
      done(error)
    },
  })
}
