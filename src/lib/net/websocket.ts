// WebSocket messages over a byte stream (RFC 6455), either side, after the handshake.
//
// Reading is as fast as the caller asks for messages, so a slow receiver stops the sender.

import { createHash } from 'node:crypto'
import type { ByteStream } from '../byte-stream.ts'
import type { Random } from '../random.ts'
import { ByteReader, concatBytes } from './byte-reader.ts'

export type Message = { readonly text: boolean; readonly data: Uint8Array }

/** A single message may not fill the memory. kubectl sends 32 KiB, the tunnel 64 KiB. */
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024
const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const CONTINUATION = 0
const TEXT = 1
const BINARY = 2
const CLOSE = 8
const PING = 9
const PONG = 10

/** The value of Sec-WebSocket-Accept for a Sec-WebSocket-Key. */
export function acceptKey(key: string): string {
  return createHash('sha1').update(`${key}${ACCEPT_SUFFIX}`).digest('base64')
}

export class WebSocketStream {
  readonly #stream: ByteStream
  readonly #reader: ByteReader
  readonly #masks: Random | undefined
  #closing = false

  /** `masks` is given on the client's side: clients must mask what they send. */
  constructor(stream: ByteStream, masks?: Random) {
    this.#stream = stream
    this.#masks = masks
    this.#reader = new ByteReader(stream.readable)
  }

  /** The next message; undefined when the other side has closed. Throws when it breaks rules. */
  async receive(): Promise<Message | undefined> {
    let text = false
    let data: Uint8Array = EMPTY
    for (;;) {
      const frame = await this.#frame()
      if (frame === undefined) return undefined
      if (frame.opcode === CLOSE) {
        await this.close(1000, '').catch(ignoreGone)
        return undefined
      }
      if (frame.opcode === PING) await this.#send(PONG, frame.payload)
      if (frame.opcode >= CLOSE) continue
      if (frame.opcode !== CONTINUATION) text = frame.opcode === TEXT
      data = data.byteLength === 0 ? frame.payload : concatBytes([data, frame.payload])
      if (data.byteLength > MESSAGE_BYTES_MAX) throw new Error('message is too long')
      if (frame.final) return { text, data }
    }
  }

  /** Resolves when there is room for more. */
  send(data: Uint8Array, text = false): Promise<void> {
    return this.#send(text ? TEXT : BINARY, data)
  }

  /** Keeps the connection alive; the answer shows in nothing but the other side's bytes. */
  ping(): Promise<void> {
    return this.#send(PING, EMPTY)
  }

  /** Says good-bye, once, and that we will write no more. */
  async close(code: number, reason: string): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    const words = Buffer.from(reason).subarray(0, 123)
    await this.#send(CLOSE, concatBytes([Buffer.from([code >> 8, code & 255]), words]))
    await this.#stream.end()
  }

  /** Drops the connection without a word. */
  abort(reason: unknown): void {
    this.#stream.abort(reason)
  }

  async #frame() {
    const start = await this.#reader.exactly(2)
    if (start === undefined) return undefined
    const opcode = start[0]! & 15
    const masked = (start[1]! & 128) !== 0
    const length = await this.#length(start[1]! & 127)
    if (length > MESSAGE_BYTES_MAX) throw new Error('frame is too long')
    if ((start[0]! & 112) !== 0) throw new Error('frame with unknown flags')
    const mask = masked ? await this.#exactly(4) : undefined
    const payload = await this.#exactly(length)
    return {
      final: (start[0]! & 128) !== 0,
      opcode,
      payload: mask === undefined ? payload : withMask(payload, mask),
    }
  }

  async #length(short: number): Promise<number> {
    if (short < 126) return short
    const bytes = Buffer.from(await this.#exactly(short === 126 ? 2 : 8))
    return short === 126 ? bytes.readUInt16BE() : Number(bytes.readBigUInt64BE())
  }

  async #exactly(length: number): Promise<Uint8Array> {
    if (length === 0) return EMPTY
    const bytes = await this.#reader.exactly(length)
    if (bytes === undefined) throw new Error('connection ended in the middle of a message')
    return bytes
  }

  #send(opcode: number, payload: Uint8Array): Promise<void> {
    const mask = this.#masks?.bytes(4)
    const body = mask === undefined ? payload : withMask(payload, mask)
    const start = frameStart(opcode, payload.byteLength, mask !== undefined)
    // One write for a frame: whoever else writes comes before or after, never between.
    return this.#stream.write(concatBytes(mask === undefined ? [start, body] : [start, mask, body]))
  }
}

const EMPTY = new Uint8Array(0)

/** The other side may be gone before it hears that we go; that is what we wanted. */
function ignoreGone(): void {}

function frameStart(opcode: number, length: number, masked: boolean): Uint8Array {
  const flag = masked ? 128 : 0
  if (length < 126) return Buffer.from([128 | opcode, flag | length])
  const start = Buffer.alloc(length < 65_536 ? 4 : 10)
  start[0] = 128 | opcode
  if (length < 65_536) {
    start[1] = flag | 126
    start.writeUInt16BE(length, 2)
  } else {
    start[1] = flag | 127
    start.writeBigUInt64BE(BigInt(length), 2)
  }
  return start
}

/** Masks or unmasks: the two are the same. */
function withMask(payload: Uint8Array, mask: Uint8Array): Uint8Array {
  const result = new Uint8Array(payload.byteLength)
  for (let i = 0; i < payload.byteLength; i++) result[i] = payload[i]! ^ mask[i & 3]!
  return result
}

/** The messages of a WebSocket as a plain connection: where one message ends means nothing. */
export function bytesOver(socket: WebSocketStream): ByteStream {
  const next = async () => {
    for (;;) {
      const message = await socket.receive()
      if (message === undefined || message.data.byteLength > 0) return message
    }
  }
  const readable = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const message = await next()
        if (message === undefined) controller.close()
        else controller.enqueue(message.data)
      },
      cancel: (reason) => socket.abort(reason),
    },
    { highWaterMark: 0 },
  )
  return {
    readable,
    write: (bytes) => socket.send(bytes),
    end: () => socket.close(1000, ''),
    abort: (reason) => socket.abort(reason),
  }
}
