// WebSocket messages on either side of a connection, by the package `ws`.
//
//   accept / connect ─► receive, send … ─► close ─► what still comes is dropped ─► over
//
// Reading is as fast as the caller asks for messages, so a slow receiver stops the sender. A side
// that closes keeps reading until the other has closed too: bytes left unread would make the
// operating system reset the connection, and take from the other side what it has not read yet.

import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocket, WebSocketServer } from 'ws-real'
import type { ByteStream } from '../byte-stream.ts'
import type { Clock } from '../clock.ts'
import type { MessagePipe } from './mux.ts'

/** What the other side said last; 1006 when it was lost without a word. */
export type Close = { readonly code: number; readonly reason: string }

export type Message = { readonly text: boolean; readonly data: Uint8Array }

/** A single message may not fill the memory. kubectl sends 32 KiB, the tunnel 64 KiB. */
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024
/** In how many pieces it may come: each costs more than its bytes. */
const FRAGMENTS_MAX = 16 * 1024
/** What may be sent and not yet taken by the connection before a sender has to wait. */
const SEND_AHEAD_BYTES = 256 * 1024
/** What may have come and not be asked for before the other side has to wait. */
const READ_AHEAD_BYTES = 128 * 1024
/** What a message costs besides its bytes: empty ones fill the memory too. */
const MESSAGE_COST_BYTES = 64

/** What a refusal may say: a Status is short. */
const REFUSAL_CHARS_MAX = 16 * 1024

/** Ours agree on no compression: most of what they carry is encrypted, compressed, or short. */
const LIMITS = {
  perMessageDeflate: false,
  maxPayload: MESSAGE_BYTES_MAX,
  maxFragments: FRAGMENTS_MAX,
} as const

/** A request for a WebSocket: names of headers in lower case. */
export type HandshakeRequest = {
  readonly method: string
  header(name: string): string | undefined
}

/** The other side did not agree to a WebSocket. */
export class HandshakeError extends Error {
  override readonly name = 'HandshakeError'
}

export type AcceptOptions = {
  /** One that the client has offered; none is named when it is undefined. */
  protocol?: string | undefined
  /** What has come after the request already. */
  head?: Uint8Array
}

/** Answers 101. Throws HandshakeError, with nothing written, when the request is malformed. */
export function acceptWebSocket(
  socket: Duplex,
  request: HandshakeRequest,
  { protocol, head }: AcceptOptions = {},
): WebSocketStream {
  const server = new WebSocketServer({ ...LIMITS, noServer: true, clientTracking: false })
  const names = ['upgrade', 'sec-websocket-key', 'sec-websocket-version']
  const headers = Object.fromEntries(names.map((name) => [name, request.header(name)]))
  // The choice is made already: the only one on offer is the one that is taken.
  if (protocol !== undefined) headers['sec-websocket-protocol'] = protocol
  let result: WebSocketStream | HandshakeError = new HandshakeError('client has gone')
  server.on('wsClientError', ({ message }) => {
    result = new HandshakeError(message)
  })
  const asked = { method: request.method, headers, url: '/' } as unknown as IncomingMessage
  server.handleUpgrade(asked, socket, Buffer.from(head ?? []), (ws) => {
    result = new WebSocketStream(ws)
  })
  if (result instanceof HandshakeError) throw result
  return result
}

export type ConnectOptions = {
  /** `host:port`, as the Host header names it. */
  authority: string
  path: string
  protocols?: readonly string[]
  headers?: Record<string, string>
  /**
   * Masks hide from what lies between how bytes are chosen. Encrypted from end to end, there is
   * nobody between, and a mask of zeros costs nothing.
   */
  encrypted?: boolean
  /** Of one message; a message of more ends the connection. */
  messageBytesMax?: number
}

/** Asks for a WebSocket on `socket`. Rejects with HandshakeError when the other side refuses. */
export function connectWebSocket(
  socket: Duplex,
  options: ConnectOptions,
): Promise<WebSocketStream> {
  const { authority, path, protocols = [], headers = {}, encrypted = false } = options
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(`ws://${authority}${path}`, [...protocols], {
      ...LIMITS,
      maxPayload: options.messageBytesMax ?? MESSAGE_BYTES_MAX,
      headers,
      createConnection: () => socket as never,
      ...(encrypted ? { generateMask: (mask: Buffer) => void mask.fill(0) } : {}),
    })
    const stream = new WebSocketStream(ws)
    ws.once('open', () => resolve(stream))
    ws.once('unexpected-response', (_, answer) => {
      void refusalOf(answer).then((message) => {
        reject(new HandshakeError(message))
        ws.terminate()
      })
    })
    ws.once('error', (error) => reject(new HandshakeError(error.message, { cause: error })))
    ws.once('close', () => reject(new HandshakeError('connection closed')))
  })
}

/** `server answered 403 Forbidden: why`; the reason is what a Status says. Never rejects. */
async function refusalOf(answer: IncomingMessage): Promise<string> {
  const line = `server answered ${answer.statusCode} ${answer.statusMessage}`
  let text = ''
  try {
    for await (const bytes of answer) {
      text += bytes
      if (text.length > REFUSAL_CHARS_MAX) return line
    }
    const { message } = JSON.parse(text)
    return typeof message === 'string' ? `${line}: ${message}` : line
  } catch {
    // No Status, or the connection is gone: the line says enough.
    return line
  }
}

export class WebSocketStream {
  readonly #ws: WebSocket
  readonly #inbox = new Inbox()
  readonly #closed = Promise.withResolvers<void>()
  readonly #writers = new Set<(reason: Error) => void>()
  #closing = false
  #closedWith: Close | undefined
  #isHeard = true

  constructor(ws: WebSocket) {
    this.#ws = ws
    ws.on('pong', () => {
      this.#isHeard = true
    })
    ws.on('message', (data: Buffer, isBinary) => {
      this.#isHeard = true
      if (this.#closing) return
      this.#inbox.put({ text: !isBinary, data })
      if (this.#inbox.isFull) ws.pause()
    })
    ws.on('error', (error) => this.#inbox.end(error))
    ws.on('close', (code, reason) => {
      this.#closedWith = { code, reason: reason.toString() }
      const isBroken = code === CLOSED_WITHOUT_A_WORD
      this.#inbox.end(isBroken ? new Error('connection ended without a close') : undefined)
      for (const give of this.#writers) give(new Error('connection closed'))
      this.#closed.resolve()
    })
  }

  /** The sub-protocol that both sides agreed on; empty when there is none. */
  get protocol(): string {
    return this.#ws.protocol
  }

  /** How it was closed, once it is. */
  get closedWith(): Close | undefined {
    return this.#closedWith
  }

  /**
   * Asks the other side every so often whether it is there, and breaks when nothing came since:
   * who vanished with his network closes nothing. While we leave unread what comes, an answer
   * would not be seen either, and nobody is blamed.
   */
  endWhenSilent(clock: Clock, everyMs: number): void {
    const ask = () => {
      if (!this.#isHeard && !this.#ws.isPaused) {
        this.abort(new Error('the other side fell silent'))
        return
      }
      this.#isHeard = false
      if (this.#ws.readyState === WebSocket.OPEN) this.#ws.ping()
      cancel = clock.after(everyMs, ask)
    }
    let cancel = clock.after(everyMs, ask)
    void this.#closed.promise.then(() => cancel())
  }

  /** The next message; undefined when the other side has closed. Throws when it breaks. */
  async receive(): Promise<Message | undefined> {
    const message = await this.#inbox.take()
    if (this.#ws.isPaused && this.#inbox.isLow) this.#ws.resume()
    return message
  }

  /** Resolves when there is room for more. */
  send(data: Uint8Array, text = false): Promise<void> {
    const ws = this.#ws
    if (ws.readyState !== WebSocket.OPEN) return Promise.reject(new Error('connection closed'))
    const options = { binary: !text }
    if (ws.bufferedAmount + data.byteLength <= SEND_AHEAD_BYTES) {
      ws.send(data, options)
      return DONE
    }
    return new Promise((resolve, reject) => {
      this.#writers.add(reject)
      ws.send(data, options, (error) => {
        this.#writers.delete(reject)
        if (error) reject(error)
        else resolve()
      })
    })
  }

  /**
   * Says good-bye, once, and resolves when the other side has done so too, or does not within half
   * a minute. What it has sent before that is dropped.
   */
  close(code: number, reason: string): Promise<void> {
    if (!this.#closing) {
      this.#closing = true
      this.#inbox.end(undefined)
      this.#ws.close(code, Buffer.from(reason).subarray(0, 123))
      this.#ws.resume()
    }
    return this.#closed.promise
  }

  /** Drops the connection without a word. */
  abort(reason: unknown): void {
    this.#inbox.end(reason)
    this.#ws.terminate()
  }
}

const DONE = Promise.resolve()
/** RFC 6455, 7.1.5: the code of a connection that was lost. */
const CLOSED_WITHOUT_A_WORD = 1006

/** Messages that have come and nobody has asked for, then the end. */
class Inbox {
  #messages: Message[] = []
  #nextIndex = 0
  #bytes = 0
  #end: { readonly error: unknown } | undefined
  #waiter: (() => void) | undefined

  get isFull(): boolean {
    return this.#bytes >= READ_AHEAD_BYTES
  }

  get isLow(): boolean {
    return this.#bytes <= READ_AHEAD_BYTES / 2
  }

  put(message: Message): void {
    if (this.#end !== undefined) return
    this.#messages.push(message)
    this.#bytes += message.data.byteLength + MESSAGE_COST_BYTES
    this.#waiter?.()
  }

  /** What was put before is taken before; undefined is an end without an error. */
  end(error: unknown): void {
    this.#end ??= { error }
    this.#waiter?.()
  }

  async take(): Promise<Message | undefined> {
    while (this.#nextIndex === this.#messages.length && this.#end === undefined) {
      await new Promise<void>((resolve) => {
        this.#waiter = resolve
      })
      this.#waiter = undefined
    }
    const message = this.#messages[this.#nextIndex]
    if (message !== undefined) {
      this.#nextIndex++
      this.#bytes -= message.data.byteLength + MESSAGE_COST_BYTES
      if (this.#nextIndex === this.#messages.length) {
        this.#messages = []
        this.#nextIndex = 0
      }
      return message
    }
    if (this.#end?.error !== undefined) throw this.#end.error
    return undefined
  }
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

/** The messages of `socket` for a Mux. */
export function messagesOver(socket: WebSocketStream): MessagePipe {
  return {
    send: (message) => socket.send(message),
    receive: async () => (await socket.receive())?.data,
    close: (reason) => socket.abort(reason),
  }
}
