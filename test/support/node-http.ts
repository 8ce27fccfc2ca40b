// The node's HTTP API with a process and ports under the control of a test, and the least of a client
// of each protocol.

import type { NodeHttp } from '../../src/agent/http/pods-on-node.ts'
import { serveNode } from '../../src/agent/http/server.ts'
import type { Pod } from '../../src/api/schema/generated/types.ts'
import type { ByteStream } from '../../src/lib/byte-stream.ts'
import { SimClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { ByteQueue } from '../../src/lib/net/byte-queue.ts'
import { ByteReader } from '../../src/lib/net/byte-reader.ts'
import { formatHead, readHead } from '../../src/lib/net/http1.ts'
import { streamPair } from '../../src/lib/net/pipe.ts'
import type { WebSocketStream } from '../../src/lib/net/websocket.ts'
import type { ExecSession } from '../../src/runtime/contract.ts'
import { dialWebSocket } from './websocket.ts'

export const never = new AbortController().signal
export const text = (bytes: Uint8Array | string) => Buffer.from(bytes).toString()

export const POD = {
  metadata: { namespace: 'd', name: 'p', uid: 'u' },
  spec: { containers: [{ name: 'c', image: 'i', tty: false }] },
} as unknown as Pod

/** A process under the control of the test. */
export class FakeProcess implements ExecSession {
  readonly #out = new ByteQueue({ capacityBytes: 1 << 20 })
  readonly #err = new ByteQueue({ capacityBytes: 1 << 20 })
  readonly #exit = Promise.withResolvers<number>()
  readonly stdout = this.#out.readable
  readonly stderr = this.#err.readable
  readonly exitCode = this.#exit.promise
  readonly input: string[] = []
  readonly sizes: string[] = []
  closed = false
  /** Called when the input has ended. */
  onInputEnd = () => {}
  async write(bytes: Uint8Array) {
    this.input.push(text(bytes))
  }
  async endInput() {
    this.onInputEnd()
  }
  resize(columns: number, rows: number) {
    this.sizes.push(`${columns}x${rows}`)
  }
  close() {
    this.closed = true
    this.exit(137)
  }
  say(out: string, err = '') {
    void this.#out.push(Buffer.from(out))
    void this.#err.push(Buffer.from(err))
  }
  exit(code: number) {
    this.#out.end()
    this.#err.end()
    this.#exit.resolve(code)
  }
}

export function world(process = new FakeProcess()) {
  const started: object[] = []
  const start = async (id: string, options: object) => {
    started.push({ id, ...options })
    return process
  }
  const clock = new SimClock()
  const seen = { id: 'c1', name: 'c', state: 'running', attempt: 0 }
  const node = {
    clock,
    log: silentLog,
    logsPath: '/nowhere',
    stats: async () => ({}),
    pods: {
      known: async () => {},
      find: (_: string, name: string) => (name === 'p' ? POD : undefined),
      list: () => [POD],
    },
    runtime: {
      exec: start,
      attach: start,
      onChange: () => () => {},
      observe: async () => ({ sandbox: undefined, containers: [seen] }),
      dialPort: () => Promise.reject(new Error('not here')),
    },
  } as unknown as NodeHttp
  const dial = () => {
    const [client, server] = streamPair()
    return { client, served: serveNode(node, server, never) }
  }
  const connect = async (line: string, headers: [string, string][]) => {
    const { client, served } = dial()
    await client.write(formatHead(`${line} HTTP/1.1`, headers))
    const reader = new ByteReader(client.readable)
    const head = (await readHead(reader))!
    const rest: ByteStream = {
      readable: reader.remaining(),
      write: (bytes) => client.write(bytes),
      end: () => client.end(),
      abort: (reason) => client.abort(reason),
    }
    return { head, stream: rest, served }
  }
  return { process, started, clock, dial, connect, node }
}

export async function openSocket(w: ReturnType<typeof world>, path: string, protocol?: string) {
  const { client, served } = w.dial()
  const socket = await dialWebSocket(client, path, protocol === undefined ? [] : [protocol])
  return { served, client, socket }
}

/** Everything that comes until the end: `channel:text`. */
export async function received(socket: WebSocketStream): Promise<string[]> {
  const all: string[] = []
  for (;;) {
    const message = await socket.receive()
    if (message === undefined) return all
    all.push(
      message.text ? text(message.data) : `${message.data[0]}:${text(message.data.subarray(1))}`,
    )
  }
}

/** The least of a SPDY client: opens streams, sends and collects frames. */
export class SpdyClient {
  readonly #stream: ByteStream
  readonly #reader: ByteReader
  #nextId = 1
  constructor(stream: ByteStream) {
    this.#stream = stream
    this.#reader = new ByteReader(stream.readable)
  }

  async open(headers: Record<string, string>, fin = false): Promise<number> {
    const id = this.#nextId
    this.#nextId += 2
    const parts = [uint32(Object.keys(headers).length)]
    for (const [name, value] of Object.entries(headers)) {
      parts.push(uint32(name.length), Buffer.from(name), uint32(value.length), Buffer.from(value))
    }
    const block = this.#block(Buffer.concat(parts))
    const payload = Buffer.concat([uint32(id), uint32(0), Buffer.alloc(2), block])
    await this.frame(0x80030001, fin ? 1 : 0, payload)
    return id
  }

  /** Uncompressed blocks of deflate, and the empty one that a flush makes. */
  #block(bytes: Buffer): Buffer {
    const length = Buffer.from([0, bytes.length, 0, ~bytes.length & 255, 255])
    const start = Buffer.from(this.#nextId === 3 ? [0x78, 0x01] : [])
    return Buffer.concat([start, length, bytes, Buffer.from([0, 0, 0, 255, 255])])
  }

  frame(first: number, flags: number, payload: Uint8Array): Promise<void> {
    const start = Buffer.alloc(8)
    start.writeUInt32BE(first)
    start.writeUInt32BE((flags << 24) | payload.byteLength, 4)
    return this.#stream.write(Buffer.concat([start, payload]))
  }

  hangUp(): Promise<void> {
    return this.#stream.end()
  }

  /** Takes nothing any more: what the other side writes fails. */
  leave(): Promise<void> {
    return this.#reader.cancel(new Error('no such connection any more'))
  }

  /** `id:text`, `id:end`, `reply:id` and so on, until the other side says or is at its end. */
  async frames(): Promise<string[]> {
    const all: string[] = []
    for (;;) {
      const bytes = await this.#reader.exactly(8)
      if (bytes === undefined) return all
      const head = Buffer.from(bytes)
      const first = head.readUInt32BE(0)
      const length = head.readUIntBE(5, 3)
      const payload = Buffer.from(length === 0 ? [] : (await this.#reader.exactly(length))!)
      if (first < 0x80000000) {
        if (length > 0) all.push(`${first}:${payload}`)
        if (head[4] === 1) all.push(`${first}:end`)
      } else all.push(`${FRAMES[first & 0xffff]}:${length >= 4 ? payload.readUInt32BE(0) : ''}`)
      if (all.at(-1)?.startsWith('goaway')) return all
    }
  }
}

const FRAMES: Record<number, string> = { 2: 'reply', 3: 'reset', 6: 'pong', 7: 'goaway' }

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export async function openSpdy(w: ReturnType<typeof world>, path: string, protocols: string[]) {
  const offers = protocols.map((name): [string, string] => ['X-Stream-Protocol-Version', name])
  const opened = await w.connect(`POST ${path}`, [['Upgrade', 'SPDY/3.1'], ...offers])
  return { ...opened, client: new SpdyClient(opened.stream) }
}

export async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve))
}
