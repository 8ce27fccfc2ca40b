// Bodies on their way in: whichever way a request came, no more of it is kept than may be.

import { bodyTooLarge } from './call.ts'

/** What has come in of one body. */
export class BodyBuffer {
  readonly #bytesMax: number
  readonly #chunks: Uint8Array[] = []
  #bytes = 0

  /** `declared` is the Content-Length. Throws `BodyTooLargeError` when that alone is too much. */
  constructor(bytesMax: number, declared: string | undefined) {
    this.#bytesMax = bytesMax
    if (declared !== undefined && Number(declared) > bytesMax) throw bodyTooLarge(bytesMax)
  }

  /** Throws `BodyTooLargeError` and keeps nothing more. */
  add(chunk: Uint8Array): void {
    this.#bytes += chunk.length
    if (this.#bytes > this.#bytesMax) {
      this.#chunks.length = 0
      throw bodyTooLarge(this.#bytesMax)
    }
    this.#chunks.push(chunk)
  }

  join(): Uint8Array {
    return this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
  }
}
