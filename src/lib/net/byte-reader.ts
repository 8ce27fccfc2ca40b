// Reads a stream in pieces of the caller's choosing: so many bytes, up to a mark, or as they come.

/** Of the two declarations of ReadableStreamDefaultReader in sight, the part that both have. */
type Source = {
  read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>
  cancel(reason: unknown): Promise<void>
}

export class ByteReader {
  readonly #source: Source
  #rest: Uint8Array = EMPTY
  /** Room of our own behind `#rest`, so that many small pieces are not copied again for each. */
  #room: Uint8Array = EMPTY
  #ended = false

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#source = stream.getReader()
  }

  /** The next bytes, at least one; undefined at the end. */
  async some(): Promise<Uint8Array | undefined> {
    if (this.#rest.byteLength === 0) await this.#more()
    if (this.#rest.byteLength === 0) return undefined
    return this.#take(this.#rest.byteLength)
  }

  /** At most `max` bytes, at least one; undefined at the end. */
  async upTo(max: number): Promise<Uint8Array | undefined> {
    if (this.#rest.byteLength === 0) await this.#more()
    if (this.#rest.byteLength === 0) return undefined
    return this.#take(Math.min(max, this.#rest.byteLength))
  }

  /** Exactly `length` bytes. Undefined when the stream ends before the first; throws in between. */
  async exactly(length: number): Promise<Uint8Array | undefined> {
    while (this.#rest.byteLength < length) {
      if (await this.#more()) continue
      if (this.#rest.byteLength === 0) return undefined
      throw new Error('connection ended in the middle of a message')
    }
    return this.#take(length)
  }

  /** Up to and without `mark`, which is skipped. Undefined at the end of the stream. */
  async until(mark: string, bytesMax: number): Promise<string | undefined> {
    let searched = 0
    for (;;) {
      const found = indexOf(this.#rest, mark, searched)
      if (found >= 0) {
        const text = Buffer.from(this.#take(found)).toString('latin1')
        this.#take(mark.length)
        return text
      }
      if (this.#rest.byteLength > bytesMax) throw new Error(`no end within ${bytesMax} bytes`)
      searched = Math.max(0, this.#rest.byteLength - mark.length + 1)
      if (await this.#more()) continue
      if (this.#rest.byteLength === 0) return undefined
      throw new Error('connection ended in the middle of a message')
    }
  }

  /** Everything that is left, as a stream of its own. This reader is not to be used any more. */
  remaining(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const bytes = await this.some()
          if (bytes === undefined) controller.close()
          else controller.enqueue(bytes)
        },
        cancel: (reason) => this.cancel(reason),
      },
      { highWaterMark: 0 },
    )
  }

  async cancel(reason: unknown): Promise<void> {
    await this.#source.cancel(reason).catch(ignoreBrokenSource)
  }

  #take(length: number): Uint8Array {
    const taken = this.#rest.subarray(0, length)
    this.#rest = this.#rest.subarray(length)
    return taken
  }

  async #more(): Promise<boolean> {
    if (this.#ended) return false
    const { done, value } = await this.#source.read()
    if (done || value === undefined) {
      this.#ended = true
      return false
    }
    this.#append(value)
    return true
  }

  #append(bytes: Uint8Array): void {
    const rest = this.#rest
    if (rest.byteLength === 0) {
      this.#rest = bytes
      this.#room = EMPTY
      return
    }
    const length = rest.byteLength + bytes.byteLength
    if (bytes.byteLength > this.#room.byteLength) {
      const larger = new Uint8Array(2 * length)
      larger.set(rest)
      this.#rest = larger.subarray(0, rest.byteLength)
      this.#room = larger.subarray(rest.byteLength)
    }
    // What was taken lies before, and is never written to again.
    this.#room.set(bytes)
    this.#room = this.#room.subarray(bytes.byteLength)
    this.#rest = new Uint8Array(this.#rest.buffer, this.#rest.byteOffset, length)
  }
}

const EMPTY = new Uint8Array(0)

/** The source may be what broke; there is nothing left to stop then. */
function ignoreBrokenSource(): void {}

function indexOf(bytes: Uint8Array, mark: string, from: number): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(mark, from, 'latin1')
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts)
}
