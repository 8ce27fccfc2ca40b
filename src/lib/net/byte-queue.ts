// The receiving half of a connection: bytes that have come and nobody has read, at most so many.

export type ByteQueueOptions = {
  /** More than this and `push` waits. */
  capacityBytes: number
  /** Called when the reader has taken bytes, with all it has taken so far. */
  onTaken?: (takenBytes: number) => void
  /** Called when the reader wants no more. */
  onCancel?: (reason: unknown) => void
}

export class ByteQueue {
  readonly readable: ReadableStream<Uint8Array>
  readonly #options: ByteQueueOptions
  #controller!: ReadableStreamDefaultController<Uint8Array>
  #pushedBytes = 0
  #closed = false
  #cancelled = false
  #room: PromiseWithResolvers<void> | undefined

  constructor(options: ByteQueueOptions) {
    this.#options = options
    this.readable = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller
        },
        pull: () => this.#taken(),
        cancel: (reason) => {
          this.#cancelled = true
          this.#close()
          options.onCancel?.(reason)
        },
      },
      new ByteLengthQueuingStrategy({ highWaterMark: options.capacityBytes }),
    )
  }

  /**
   * Resolves when there is room for more; rejects when the reader has cancelled. What comes after
   * `end` or `fail` is dropped.
   */
  push(bytes: Uint8Array): Promise<void> {
    if (this.#cancelled) return Promise.reject(new Error('nobody reads any more'))
    if (this.#closed || bytes.byteLength === 0) return DONE
    this.#pushedBytes += bytes.byteLength
    this.#controller.enqueue(bytes)
    if (this.#controller.desiredSize! > 0) return DONE
    this.#room ??= Promise.withResolvers<void>()
    return this.#room.promise
  }

  /** What has come and is not read. */
  get waitingBytes(): number {
    return this.#closed ? 0 : this.#options.capacityBytes - (this.#controller.desiredSize ?? 0)
  }

  end(): void {
    if (this.#closed) return
    this.#close()
    this.#controller.close()
  }

  fail(reason: unknown): void {
    if (this.#closed) return
    this.#close()
    this.#controller.error(reason)
  }

  #taken(): void {
    this.#wake()
    if (!this.#closed) this.#options.onTaken?.(this.#pushedBytes - this.waitingBytes)
  }

  #close(): void {
    this.#closed = true
    this.#wake()
  }

  #wake(): void {
    this.#room?.resolve()
    this.#room = undefined
  }
}

const DONE = Promise.resolve()
