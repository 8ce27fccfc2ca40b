// Many byte streams over one pipe of messages, each with a window of its own.
//
//   open ──► accept        a stream exists, its purpose in the opening frame
//   data ──►               never more than the other side has granted
//        ◄── window        granted as the reader takes bytes, so a slow reader stops its writer
//   end  ──►  ◄── end      each direction ends by itself
//   reset ──►              both directions at once, with a reason
//
// A stream that nobody reads holds at most one window of memory. Pings find dead pipes.

import type { ByteStream } from '../byte-stream.ts'
import type { Clock } from '../clock.ts'
import { ByteQueue } from './byte-queue.ts'

/** Messages in order, without loss, until it breaks. */
export interface MessagePipe {
  /** Resolves when there is room for more. */
  send(message: Uint8Array): Promise<void>
  /** Undefined when the other side has closed. */
  receive(): Promise<Uint8Array | undefined>
  close(reason: unknown): void
}

export type MuxOptions = {
  /** The two sides of one pipe differ in this, so that their stream numbers never meet. */
  initiator: boolean
  clock: Clock
  /** Decides about a stream that the other side opens: rejects, or says what to do with it. */
  accept(purpose: string, signal: AbortSignal): Promise<(stream: ByteStream) => void>
}

/** What a stream may be ahead of its reader. Fast enough for 100 Mbit/s over 20 ms. */
const WINDOW_BYTES = 256 * 1024
/** Small enough that an interactive stream need not wait long behind a large one. */
const DATA_BYTES_MAX = 64 * 1024
/** More than a node ever has; a fault on the other side must not fill the memory. */
const STREAMS_MAX = 2048
const PURPOSE_BYTES_MAX = 4096
const PING_MS = 15_000
const DEAD_MS = 45_000

const OPEN = 1
const ACCEPT = 2
const DATA = 3
const WINDOW = 4
const END = 5
const RESET = 6
const PING = 7
const PONG = 8

const tooShort = () => new Error('message of the tunnel is too short')

export class Mux {
  readonly #pipe: MessagePipe
  readonly #options: MuxOptions
  readonly #streams = new Map<number, MuxStream>()
  readonly #stop = new AbortController()
  #nextId: number
  #heardAtMs: number

  constructor(pipe: MessagePipe, options: MuxOptions) {
    this.#pipe = pipe
    this.#options = options
    this.#nextId = options.initiator ? 1 : 2
    this.#heardAtMs = options.clock.monotonicMs()
  }

  /** Carries messages until the pipe breaks, is closed, or `signal` aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const onAbort = () => this.#pipe.close(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    const cancelPing = this.#pingLater()
    let failure: unknown = new Error('tunnel closed')
    try {
      for (;;) {
        const message = await this.#pipe.receive()
        if (message === undefined) break
        this.#heardAtMs = this.#options.clock.monotonicMs()
        await this.#handle(message)
      }
    } catch (error) {
      failure = error
    }
    signal.removeEventListener('abort', onAbort)
    cancelPing()
    this.#stop.abort(failure)
    this.#pipe.close(failure)
    for (const stream of this.#streams.values()) stream.broken(failure)
    this.#streams.clear()
  }

  /** Ends everything; `run` returns. */
  close(reason: unknown): void {
    this.#pipe.close(reason)
  }

  /** Opens a stream; rejects with the reason of the other side when that refuses. */
  async open(purpose: string, signal: AbortSignal): Promise<ByteStream> {
    signal.throwIfAborted()
    this.#stop.signal.throwIfAborted()
    if (this.#streams.size >= STREAMS_MAX) throw new Error('too many streams in this tunnel')
    const stream = this.#newStream(this.#nextId)
    this.#nextId += 2
    const onAbort = () => stream.abort(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      await this.#send(OPEN, stream.id, Buffer.from(purpose))
      await stream.accepted
      return stream
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  #newStream(id: number): MuxStream {
    const stream: MuxStream = new MuxStream(id, {
      send: (type, payload) => this.#send(type, id, payload),
      forget: () => void this.#streams.delete(id),
    })
    this.#streams.set(id, stream)
    return stream
  }

  async #handle(message: Uint8Array): Promise<void> {
    if (message.byteLength < 5) throw tooShort()
    const frame = Buffer.from(message.buffer, message.byteOffset, message.byteLength)
    const type = frame[0]!
    const id = frame.readUInt32BE(1)
    const payload = frame.subarray(5)
    if (type === PING) await this.#send(PONG, 0, EMPTY)
    else if (type === OPEN) this.#opened(id, payload)
    // Frames of a stream that is gone here are on their way still; they mean nothing now.
    else this.#streams.get(id)?.handle(type, payload)
  }

  #opened(id: number, payload: Buffer): void {
    const ours = (id & 1) === (this.#options.initiator ? 1 : 0)
    if (ours || this.#streams.has(id) || payload.byteLength > PURPOSE_BYTES_MAX) {
      throw new Error('other side of the tunnel broke its rules')
    }
    const refuse = (reason: unknown) =>
      this.#send(RESET, id, Buffer.from(textOf(reason))).catch(ignoreBrokenPipe)
    if (this.#streams.size >= STREAMS_MAX) {
      void refuse('too many streams in this tunnel')
      return
    }
    const stream = this.#newStream(id)
    const accept = async () => {
      const handle = await this.#options.accept(payload.toString(), stream.signal)
      if (stream.signal.aborted) return
      await this.#send(ACCEPT, id, EMPTY)
      handle(stream)
    }
    void accept().catch((error) => stream.abort(error))
  }

  #send(type: number, id: number, payload: Uint8Array): Promise<void> {
    const frame = Buffer.allocUnsafe(5 + payload.byteLength)
    frame[0] = type
    frame.writeUInt32BE(id, 1)
    frame.set(payload, 5)
    return this.#pipe.send(frame)
  }

  /** Returns how to stop. */
  #pingLater(): () => void {
    const { clock } = this.#options
    let cancel = () => {}
    const tick = () => {
      const silentMs = clock.monotonicMs() - this.#heardAtMs
      if (silentMs >= DEAD_MS) {
        this.#pipe.close(new Error(`nothing heard for ${Math.round(silentMs / 1000)} s`))
        return
      }
      if (silentMs >= PING_MS) void this.#send(PING, 0, EMPTY).catch(ignoreBrokenPipe)
      cancel = clock.after(PING_MS, tick)
    }
    cancel = clock.after(PING_MS, tick)
    return () => cancel()
  }
}

const EMPTY = new Uint8Array(0)

/** `run` finds out by itself, and tells every stream. */
function ignoreBrokenPipe(): void {}

const textOf = (reason: unknown) => (reason instanceof Error ? reason.message : String(reason))

type StreamOwner = {
  send(type: number, payload: Uint8Array): Promise<void>
  forget(): void
}

class MuxStream implements ByteStream {
  readonly id: number
  readonly accepted: Promise<void>
  readonly readable: ReadableStream<Uint8Array>
  readonly #owner: StreamOwner
  readonly #queue: ByteQueue
  readonly #accepted = Promise.withResolvers<void>()
  readonly #gone = new AbortController()
  #grantBytes = WINDOW_BYTES
  #grantedTakenBytes = 0
  #receivedBytes = 0
  #wake: (() => void) | undefined
  #lastWrite: Promise<void> = Promise.resolve()
  #endSent = false
  #endReceived = false
  #discards = false

  constructor(id: number, owner: StreamOwner) {
    this.id = id
    this.#owner = owner
    this.accepted = this.#accepted.promise
    // Nobody waits for the streams that the other side opens.
    this.accepted.catch(ignoreBrokenPipe)
    this.#queue = new ByteQueue({
      capacityBytes: WINDOW_BYTES,
      onTaken: (takenBytes) => this.#grant(takenBytes),
      onCancel: (reason) => this.#cancelled(reason),
    })
    this.readable = this.#queue.readable
  }

  /** Aborts when the stream is over, however that came. */
  get signal(): AbortSignal {
    return this.#gone.signal
  }

  /** In the order of the calls. */
  write(bytes: Uint8Array): Promise<void> {
    const write = this.#lastWrite.then(() => this.#write(bytes))
    this.#lastWrite = write.catch(ignoreBrokenPipe)
    return write
  }

  async end(): Promise<void> {
    await this.#lastWrite
    if (this.#endSent || this.#gone.signal.aborted) return
    this.#endSent = true
    await this.#owner.send(END, EMPTY)
    this.#finishIfBothEnded()
  }

  abort(reason: unknown): void {
    if (this.#gone.signal.aborted) return
    void this.#owner.send(RESET, Buffer.from(textOf(reason))).catch(ignoreBrokenPipe)
    this.broken(reason)
  }

  broken(reason: unknown): void {
    this.#owner.forget()
    this.#gone.abort(reason)
    this.#queue.fail(reason)
    this.#accepted.reject(reason)
    this.#wake?.()
  }

  handle(type: number, payload: Buffer): void {
    switch (type) {
      case ACCEPT:
        this.#accepted.resolve()
        break
      case DATA:
        this.#received(payload)
        break
      case WINDOW:
        if (payload.byteLength < 4) throw tooShort()
        this.#grantBytes += payload.readUInt32BE(0)
        this.#wake?.()
        break
      case END:
        this.#endReceived = true
        this.#queue.end()
        this.#finishIfBothEnded()
        break
      case RESET:
        this.broken(new Error(payload.toString() || 'reset by the other side'))
        break
    }
  }

  /** A reset would take from the other side what it has not read yet of what we have written. */
  #cancelled(reason: unknown): void {
    if (!this.#endSent) return this.abort(reason)
    this.#discards = true
    this.#grant(this.#receivedBytes)
  }

  #received(bytes: Buffer): void {
    this.#receivedBytes += bytes.byteLength
    if (this.#discards) {
      this.#grant(this.#receivedBytes)
      return
    }
    if (this.#receivedBytes > this.#grantedTakenBytes + WINDOW_BYTES) {
      this.abort(new Error('more data than the window allows'))
      return
    }
    // Within the window there is always room; a reader that has gone has reset the stream.
    void this.#queue.push(bytes).catch(ignoreBrokenPipe)
  }

  /** Half a window at a time: a frame for each chunk would be twice as many messages. */
  #grant(takenBytes: number): void {
    const moreBytes = takenBytes - this.#grantedTakenBytes
    if (moreBytes < WINDOW_BYTES / 2 || this.#endReceived || this.#gone.signal.aborted) return
    this.#grantedTakenBytes = takenBytes
    const payload = Buffer.alloc(4)
    payload.writeUInt32BE(moreBytes)
    void this.#owner.send(WINDOW, payload).catch(ignoreBrokenPipe)
  }

  async #write(bytes: Uint8Array): Promise<void> {
    let offset = 0
    while (offset < bytes.byteLength) {
      this.#gone.signal.throwIfAborted()
      if (this.#endSent) throw new Error('stream has ended')
      if (this.#grantBytes === 0) {
        await this.#granted()
        continue
      }
      const length = Math.min(this.#grantBytes, DATA_BYTES_MAX, bytes.byteLength - offset)
      this.#grantBytes -= length
      await this.#owner.send(DATA, bytes.subarray(offset, offset + length))
      offset += length
    }
  }

  #granted(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined
        resolve()
      }
    })
  }

  #finishIfBothEnded(): void {
    if (!this.#endSent || !this.#endReceived) return
    this.#owner.forget()
    this.#gone.abort(new Error('stream has ended'))
  }
}
