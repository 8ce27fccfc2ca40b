// Calls that come over a socket, through node:http or node:http2, which have the same face.

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import { Readable } from 'node:stream'
import type { Clock } from '../../lib/clock.ts'
import type { RequestEnv } from '../contract.ts'
import { Query } from '../request/query.ts'
import { BodyBuffer } from './body.ts'
import {
  type Answer,
  BODY_MS_MAX,
  bodyTooSlow,
  type Call,
  decodePath,
  isPush,
  type Push,
  type Sink,
} from './call.ts'
import { cutOff, limitReading, type SocketResponse, whenWritten } from './written.ts'

export type SocketRequest = IncomingMessage | Http2ServerRequest

export class SocketCall implements Call {
  readonly method: string
  readonly path: string
  readonly rawPath: string
  readonly query: Query
  readonly env: RequestEnv
  readonly #request: SocketRequest
  readonly #response: SocketResponse
  readonly #headers: IncomingHttpHeaders
  readonly #clock: Clock
  #gone: AbortController | undefined

  constructor(request: SocketRequest, response: SocketResponse, env: RequestEnv, clock: Clock) {
    const url = request.url ?? '/'
    const at = url.indexOf('?')
    this.method = request.method ?? 'GET'
    this.rawPath = at < 0 ? url : url.slice(0, at)
    this.path = decodePath(this.rawPath) ?? this.rawPath
    this.query = new Query(at < 0 ? '' : url.slice(at + 1))
    this.env = env
    this.#clock = clock
    this.#request = request
    this.#response = response
    this.#headers = request.headers
  }

  header(name: string): string | undefined {
    const value = this.#headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }

  *headers(): Iterable<readonly [string, string]> {
    const raw = this.#request.rawHeaders
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i]!.toLowerCase()
      if (!name.startsWith(':')) yield [name, raw[i + 1]!]
    }
  }

  /** Made only when somebody asks: most requests are over before they could be given up. */
  get signal(): AbortSignal {
    if (this.#gone === undefined) {
      const gone = new AbortController()
      this.#gone = gone
      if (this.#response.destroyed) gone.abort()
      else this.#response.once('close', () => gone.abort())
    }
    return this.#gone.signal
  }

  body(bytesMax: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const request = this.#request as IncomingMessage
      const cancel = this.#clock.after(BODY_MS_MAX, () => {
        reject(bodyTooSlow())
        // Once that is said, what may still come is of no use to anybody.
        this.#response.once('finish', () => cutOff(this.#response))
      })
      request.on('close', cancel)
      // What is too much is read and dropped, so that the answer reaches a client that still sends.
      request.on('error', reject).resume()
      const body = new BodyBuffer(bytesMax, request.headers['content-length'])
      request.on('data', (chunk: Buffer) => {
        try {
          body.add(chunk)
        } catch (error) {
          reject(error)
        }
      })
      request.on('end', () => {
        cancel()
        resolve(body.join())
      })
      request.on('aborted', () => reject(new Error('the client has gone')))
    })
  }

  bodyStream(): ReadableStream<Uint8Array> {
    return Readable.toWeb(this.#request as IncomingMessage) as ReadableStream<Uint8Array>
  }
}

/** Resolves when the answer is written as far as it goes. */
export async function writeAnswer(
  response: SocketResponse,
  answer: Answer,
  { method, signal }: Call,
  clock: Clock,
) {
  const { code, headers, body } = answer
  const target = response as ServerResponse
  if (answer.whenWritten !== undefined) whenWritten(response, answer.whenWritten)
  if (typeof body === 'string' || body instanceof Uint8Array) {
    headers['content-length'] = String(Buffer.byteLength(body))
    // Over HTTP/1.1 head and body would be two TLS records and two system calls, the dearest part
    // of a small answer. HTTP/2 joins its frames itself.
    const socket = target.req.httpVersionMajor === 1 ? target.socket : null
    socket?.cork()
    target.writeHead(code, headers)
    target.end(method === 'HEAD' ? undefined : body)
    socket?.uncork()
    if (body.length > SMALL_BYTES) limitReading(response, body.length, clock)
  } else {
    delete headers['transfer-encoding']
    target.writeHead(code, headers)
    const sink = new SocketSink(target, signal, clock)
    if (isPush(body)) await writePush(target, body, sink)
    else await writeStream(target, body, sink)
  }
}

/** What fits into the socket at once. */
const SMALL_BYTES = 16 * 1024
/** Somebody who takes nothing for so long, although there is something, reads no more. */
const STALL_MS_MAX = 60_000

async function writePush(response: ServerResponse, body: Push, sink: SocketSink) {
  response.flushHeaders?.()
  try {
    await body.push(sink)
  } catch (error) {
    // A document that breaks off must not look like one that is complete.
    if (body.isDocument) response.destroy()
    throw error
  } finally {
    sink.flush()
    response.end()
  }
}

/**
 * Joins what is written in one turn into one write, and so into one TLS record: a burst of events
 * costs one system call for each watcher and not one for each event.
 */
class SocketSink implements Sink {
  readonly signal: AbortSignal
  readonly #response: ServerResponse
  readonly #clock: Clock
  #pending: Uint8Array[] = []
  #isFull = false

  constructor(response: ServerResponse, signal: AbortSignal, clock: Clock) {
    this.#response = response
    this.#clock = clock
    this.signal = signal
  }

  write(bytes: Uint8Array): boolean {
    if (this.signal.aborted) return false
    if (this.#pending.length === 0) queueMicrotask(() => this.flush())
    this.#pending.push(bytes)
    return !this.#isFull
  }

  flush(): void {
    const pending = this.#pending
    if (pending.length === 0 || this.signal.aborted) return
    this.#pending = []
    const joined = pending.length === 1 ? pending[0]! : Buffer.concat(pending)
    this.#isFull = !this.#response.write(joined)
  }

  drained(): Promise<void> {
    this.flush()
    if (!this.#isFull || this.signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const cancel = this.#clock.after(STALL_MS_MAX, () => cutOff(this.#response))
      const done = () => {
        cancel()
        this.#isFull = false
        this.#response.off('drain', done)
        this.signal.removeEventListener('abort', done)
        resolve()
      }
      this.#response.once('drain', done)
      this.signal.addEventListener('abort', done, { once: true })
    })
  }
}

async function writeStream(
  response: ServerResponse,
  body: ReadableStream<Uint8Array>,
  sink: SocketSink,
) {
  response.flushHeaders?.()
  const { signal } = sink
  const reader = body.getReader()
  const cancel = () => void reader.cancel().catch(() => {})
  signal.addEventListener('abort', cancel, { once: true })
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      if (!sink.write(value)) await sink.drained()
    }
  } finally {
    signal.removeEventListener('abort', cancel)
    sink.flush()
    response.end()
  }
}
