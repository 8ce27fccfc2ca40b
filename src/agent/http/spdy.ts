// SPDY/3.1 as client-go speaks it: the client opens streams, the server answers each, bytes flow
// both ways. Over a raw connection after an upgrade, or inside a WebSocket.
//
// Windows are neither kept nor asked for: moby/spdystream sends no WINDOW_UPDATE, so a side that
// insists on them stands still after 64 KiB. What stops a fast client is that we do not read: one
// stream that nobody empties holds up its connection, as it does upstream.

import type { ByteStream } from '../../lib/byte-stream.ts'
import type { Clock } from '../../lib/clock.ts'
import { ByteQueue } from '../../lib/net/byte-queue.ts'
import { ByteReader } from '../../lib/net/byte-reader.ts'
import { EmptyHeaderWriter, HeaderReader } from './spdy-headers.ts'

const SYN_STREAM = 1
const SYN_REPLY = 2
const RST_STREAM = 3
const PING = 6
const GOAWAY = 7
const FLAG_FIN = 1

const CANCEL = 5
const REFUSED_STREAM = 3

const FRAME_BYTES_MAX = 1024 * 1024
const DATA_BYTES_MAX = 32 * 1024
const STREAM_BYTES_MAX = 256 * 1024
/** kubectl opens two for each connection that it forwards. */
const STREAMS_MAX = 2048
/** A client that has not gone by then is not waited for. */
const CLOSE_MS_MAX = 30_000
/** How often a client that says nothing more is asked whether it still listens. */
const LISTENS_MS = 10_000

export class SpdyConnection {
  readonly #stream: ByteStream
  readonly #reader: ByteReader
  readonly #headers = new HeaderReader()
  readonly #answers = new EmptyHeaderWriter()
  readonly #streams = new Map<number, SpdyStream>()
  readonly #onStream: (stream: SpdyStream) => void
  readonly #clock: Clock
  readonly #over = Promise.withResolvers<void>()
  readonly #said = Promise.withResolvers<void>()
  #wake: () => void = () => {}
  #isClosing = false
  #lastId = 0

  /** `onStream` gets every stream that the client opens, after it was answered. */
  constructor(stream: ByteStream, clock: Clock, onStream: (stream: SpdyStream) => void) {
    this.#stream = stream
    this.#clock = clock
    this.#reader = new ByteReader(stream.readable)
    this.#onStream = onStream
  }

  /** Resolves when nothing more will come from the client; it may listen still. */
  get saidAll(): Promise<void> {
    return this.#said.promise
  }

  /**
   * Reads until the client is gone or `close`. Never rejects; all streams have ended then. A client
   * that has ended its half of the connection is not gone: what it is told still is of use to it.
   */
  async run(): Promise<void> {
    let failure: unknown
    try {
      while (await this.#frame()) {
        // Everything happens in #frame.
      }
      for (const stream of [...this.#streams.values()]) stream.ended()
      this.#said.resolve()
      while (this.#streams.size > 0 && !this.#isClosing) await this.#stillListens()
      await this.#stream.end()
    } catch (error) {
      failure = error
      this.#stream.abort(error)
    }
    this.#said.resolve()
    const reason = failure ?? new Error('connection closed')
    for (const stream of this.#streams.values()) stream.broken(reason)
    this.#streams.clear()
    this.#headers.close()
    this.#over.resolve()
  }

  /**
   * Says that nothing more will come, and ends the connection when the client has done so, or does
   * not within half a minute. What it still sends is read and dropped: bytes left unread would make
   * the operating system reset the connection, and take from the client what it has not read yet.
   */
  async close(): Promise<void> {
    this.#isClosing = true
    for (const stream of this.#streams.values()) stream.drop()
    const payload = Buffer.alloc(8)
    payload.writeUInt32BE(this.#lastId, 0)
    await this.#control(GOAWAY, 0, payload)
    this.#wake()
    const cancel = this.#clock.after(CLOSE_MS_MAX, () => this.#over.resolve())
    await this.#over.promise
    cancel()
    await this.#stream.end()
  }

  /**
   * Waits until a stream is over, and now and then writes a ping: to a client that has gone
   * altogether that fails, sooner or later.
   */
  async #stillListens(): Promise<void> {
    const changed = Promise.withResolvers<boolean>()
    this.#wake = () => changed.resolve(true)
    const cancel = this.#clock.after(LISTENS_MS, () => changed.resolve(false))
    const isChanged = await changed.promise
    cancel()
    if (!isChanged) await this.#control(PING, 0, PING_OF_OURS)
  }

  async #frame(): Promise<boolean> {
    const bytes = await this.#reader.exactly(8)
    if (bytes === undefined) return false
    const start = Buffer.from(bytes)
    const length = start.readUIntBE(5, 3)
    if (length > FRAME_BYTES_MAX) throw new Error('frame is too long')
    const payload = Buffer.from(length === 0 ? [] : ((await this.#reader.exactly(length)) ?? []))
    if (payload.byteLength < length) throw new Error('connection ended in the middle of a frame')
    const first = start.readUInt32BE(0)
    const flags = start[4]!
    if (first < 0x8000_0000) await this.#data(first, flags, payload)
    else await this.#handle(first & 0xffff, flags, payload)
    return true
  }

  async #data(id: number, flags: number, payload: Buffer): Promise<void> {
    const stream = this.#streams.get(id)
    if (stream === undefined) return
    await stream.received(payload)
    if ((flags & FLAG_FIN) !== 0) stream.ended()
  }

  async #handle(type: number, flags: number, payload: Buffer): Promise<void> {
    switch (type) {
      case SYN_STREAM:
        return this.#opened(payload, flags)
      case RST_STREAM:
        this.#streams.get(wordOf(payload))?.broken(new Error('stream was reset'))
        break
      case PING:
        return this.#control(PING, 0, payload)
      default:
        // SETTINGS, WINDOW_UPDATE, GOAWAY and HEADERS change nothing for us.
        break
    }
  }

  async #opened(payload: Buffer, flags: number): Promise<void> {
    const id = wordOf(payload) & 0x7fff_ffff
    // The block must be read even if the stream is refused: the next one builds on it.
    const headers = await this.#headers.read(payload.subarray(10))
    if (this.#streams.size >= STREAMS_MAX || this.#streams.has(id)) {
      return this.#reset(id, REFUSED_STREAM)
    }
    this.#lastId = Math.max(this.#lastId, id)
    const stream: SpdyStream = new SpdyStream(id, headers, {
      data: (bytes, fin) => this.#send(id, fin ? FLAG_FIN : 0, bytes),
      reset: () => this.#reset(id, CANCEL),
      forget: () => {
        this.#streams.delete(id)
        this.#wake()
      },
    })
    this.#streams.set(id, stream)
    if ((flags & FLAG_FIN) !== 0) stream.ended()
    const answer = Buffer.alloc(4)
    answer.writeUInt32BE(id)
    await this.#control(SYN_REPLY, 0, Buffer.concat([answer, this.#answers.next()]))
    this.#onStream(stream)
  }

  #reset(id: number, status: number): Promise<void> {
    const payload = Buffer.alloc(8)
    payload.writeUInt32BE(id, 0)
    payload.writeUInt32BE(status, 4)
    return this.#control(RST_STREAM, 0, payload)
  }

  #control(type: number, flags: number, payload: Uint8Array): Promise<void> {
    return this.#write((0x8003_0000 | type) >>> 0, flags, payload)
  }

  #send(id: number, flags: number, payload: Uint8Array): Promise<void> {
    return this.#write(id, flags, payload)
  }

  /** One write for a frame, so that those of several streams never mix. */
  #write(first: number, flags: number, payload: Uint8Array): Promise<void> {
    const frame = Buffer.allocUnsafe(8 + payload.byteLength)
    frame.writeUInt32BE(first, 0)
    frame[4] = flags
    frame.writeUIntBE(payload.byteLength, 5, 3)
    frame.set(payload, 8)
    return this.#stream.write(frame)
  }
}

/** Numbers of a server's pings are even. */
const PING_OF_OURS = Buffer.from([0, 0, 0, 2])

/** The number that a frame begins with. */
function wordOf(payload: Buffer): number {
  if (payload.byteLength < 4) throw new Error('frame is too short')
  return payload.readUInt32BE(0)
}

type StreamOwner = {
  data(bytes: Uint8Array, fin: boolean): Promise<void>
  reset(): Promise<void>
  forget(): void
}

export class SpdyStream implements ByteStream {
  readonly id: number
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  readonly #owner: StreamOwner
  readonly #queue: ByteQueue
  #ended = false
  #endReceived = false
  #broken = false

  constructor(id: number, headers: ReadonlyMap<string, string>, owner: StreamOwner) {
    this.id = id
    this.headers = headers
    this.#owner = owner
    this.#queue = new ByteQueue({ capacityBytes: STREAM_BYTES_MAX })
  }

  get readable(): ReadableStream<Uint8Array> {
    return this.#queue.readable
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.byteLength; offset += DATA_BYTES_MAX) {
      if (this.#broken || this.#ended) throw new Error('stream is closed')
      await this.#owner.data(bytes.subarray(offset, offset + DATA_BYTES_MAX), false)
    }
  }

  async end(): Promise<void> {
    if (this.#broken || this.#ended) return
    this.#ended = true
    await this.#owner.data(new Uint8Array(0), true)
    this.#forgetIfOver()
  }

  abort(reason: unknown): void {
    if (this.#broken) return
    void this.#owner.reset().catch(ignoreBroken)
    this.broken(reason)
  }

  /** What nobody wants to read is dropped: the connection has other streams. */
  received(bytes: Uint8Array): Promise<void> {
    return this.#queue.push(bytes).catch(ignoreBroken)
  }

  /** Nothing more is read. */
  drop(): void {
    this.#queue.end()
  }

  ended(): void {
    this.#endReceived = true
    this.#queue.end()
    this.#forgetIfOver()
  }

  broken(reason: unknown): void {
    this.#broken = true
    this.#queue.fail(reason)
    this.#owner.forget()
  }

  #forgetIfOver(): void {
    if (this.#ended && this.#endReceived) this.#owner.forget()
  }
}

/** `run` finds out by itself, if it is the connection that is broken. */
function ignoreBroken(): void {}
