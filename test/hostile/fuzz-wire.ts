// Made-up bytes on connections: messages of the tunnel, frames of WebSockets and SPDY, and what a
// listening server is sent.

import { connect as connectTls } from 'node:tls'
import { SimClock, SystemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { ByteReader } from '../../src/lib/net/byte-reader.ts'
import { duplexOf } from '../../src/lib/net/duplex.ts'
import { formatHead, readHead } from '../../src/lib/net/http1.ts'
import { type MessagePipe, Mux } from '../../src/lib/net/mux.ts'
import { streamPair } from '../../src/lib/net/pipe.ts'
import { connectWebSocket } from '../../src/lib/net/websocket.ts'
import type { Random } from '../../src/lib/random.ts'
import { SystemRandom } from '../../src/lib/random.ts'
import { ensureAuthority } from '../../src/pki/authority.ts'
import { issueCredential } from '../../src/pki/credential.ts'
import { type Listening, listen } from '../../src/server/transport/listen.ts'
import { FakeProcess, never, uint32, world } from '../support/node-http.ts'
import type { TestServer } from '../support/server.ts'
import { takeWebSocket } from '../support/websocket.ts'
import { below, mutateBytes, mutateText, pick } from './fuzz-mutate.ts'
import { ended, Found, notOurs, refused, type Target } from './fuzz-target.ts'

const shownBytes = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')

/** Some of `frames` once more, left out, in another order, or with other bytes in them. */
function mutateFrames(random: Random, frames: readonly Uint8Array[]): Uint8Array[] {
  const copy = [...frames]
  for (let i = 1 + below(random, 3); i > 0; i--) {
    const at = below(random, copy.length)
    const frame = copy[at] ?? Buffer.from('')
    const chance = random.next()
    if (chance < 0.15) copy.splice(at, 1)
    else if (chance < 0.3) copy.splice(at, 0, ...Array(below(random, 300)).fill(frame))
    else if (chance < 0.45) copy.splice(below(random, copy.length + 1), 0, pick(random, frames))
    else copy[at] = mutateBytes(random, frame)
  }
  return copy
}

// ── The tunnel ──

const muxFrame = (type: number, id: number, payload = '') =>
  Buffer.concat([Buffer.from([type]), uint32(id), Buffer.from(payload)])
const MUX_FRAMES = [
  muxFrame(1, 1, '{"to":"node"}'),
  muxFrame(3, 1, 'hello'),
  muxFrame(4, 1, '\0\0\x10\0'),
  muxFrame(7, 0),
  muxFrame(1, 3, 'address 10.0.0.1:80'),
  muxFrame(3, 3, 'x'.repeat(5000)),
  muxFrame(5, 1),
  muxFrame(6, 3, 'gone'),
  muxFrame(8, 0),
]

async function runMux(frames: readonly Uint8Array[]): Promise<void> {
  const left = [...frames]
  const pipe: MessagePipe = {
    send: async () => {},
    receive: async () => left.shift(),
    close: (reason) => notOurs(reason),
  }
  const accept = async (purpose: string) => {
    if (purpose.length > 30) throw new Error('not here')
    return (stream: { readable: ReadableStream<Uint8Array> }) =>
      void new Response(stream.readable).arrayBuffer().catch(() => {})
  }
  await new Mux(pipe, { initiator: false, clock: new SimClock(), accept }).run(never)
}

// ── WebSockets ──

/** A frame of a client, with a mask of zeros. */
function socketFrame(first: number, payload: string | Buffer): Buffer {
  const bytes = Buffer.from(payload)
  const length =
    bytes.byteLength < 126
      ? Buffer.from([0x80 | bytes.byteLength])
      : Buffer.from([0xfe, bytes.byteLength >> 8, bytes.byteLength & 255])
  return Buffer.concat([Buffer.from([first]), length, Buffer.alloc(4), bytes])
}

const SOCKET_FRAMES = [
  socketFrame(0x82, '\0input'),
  socketFrame(0x81, '0aGVsbG8='),
  socketFrame(0x82, '\x04{"Width":80,"Height":24}'),
  socketFrame(0x02, '\0par'),
  socketFrame(0x89, 'ping'),
  socketFrame(0x80, 't'),
  socketFrame(0x82, '\xff\0'),
  socketFrame(0x82, 'x'.repeat(3000)),
  socketFrame(0x88, '\x03\xe8bye'),
]
const COMMAND_PROTOCOLS = ['v5.channel.k8s.io', 'v4.base64.channel.k8s.io', 'channel.k8s.io', '']
const COMMAND_PATH = '/exec/d/p/c?command=x&input=1&output=1&error=1'

/** What the node's HTTP API does with `head` and what follows, until the client is gone. */
async function runNode(head: string | Uint8Array, frames: readonly Uint8Array[]): Promise<void> {
  const process = new FakeProcess()
  process.onInputEnd = () => process.exit(0)
  const { dial, clock } = world(process)
  const { client, served } = dial()
  const heard = new Response(client.readable).arrayBuffer().catch(notOurs)
  await send(client, [Buffer.from(head), ...frames])
  await client.end().catch(() => {})
  const isOver = { yet: false }
  const both = Promise.all([served, heard]).finally(() => {
    isOver.yet = true
  })
  // Who waits for a client that is gone gives up after a time of its own.
  const passing = (async () => {
    while (!isOver.yet) await clock.advance(1000)
  })()
  await ended(both)
  await passing
}

/** The other side may have left before it has heard everything. */
async function send(to: { write(bytes: Uint8Array): Promise<void> }, all: readonly Uint8Array[]) {
  for (const bytes of all) {
    try {
      await to.write(bytes)
    } catch {
      return
    }
  }
}

function upgradeHead(line: string, headers: [string, string][]): Buffer {
  return Buffer.from(formatHead(`${line} HTTP/1.1`, headers))
}

function socketHead(path: string, protocol: string): Buffer {
  return upgradeHead(`GET ${path}`, [
    ['Connection', 'Upgrade'],
    ['Upgrade', 'websocket'],
    ['Sec-WebSocket-Version', '13'],
    ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
    ...(protocol === '' ? [] : [['Sec-WebSocket-Protocol', protocol] as [string, string]]),
  ])
}

/** A server that answers a request for a WebSocket with these bytes. */
async function answerSocket(bytes: Uint8Array): Promise<void> {
  const [near, far] = streamPair(1 << 20)
  const asking = connectWebSocket(duplexOf(near), { authority: 'test', path: '/' })
  await readHead(new ByteReader(far.readable))
  await send(far, [bytes])
  await far.end().catch(() => {})
  await ended(refused(async () => drain(await asking)))
}

async function drain(socket: { receive(): Promise<unknown> }): Promise<void> {
  while ((await socket.receive()) !== undefined) {
    // All that comes is read.
  }
}

async function readSocket(frames: readonly Uint8Array[]): Promise<void> {
  const [near, far] = streamPair(1 << 20)
  void new Response(near.readable).arrayBuffer().catch(() => {})
  const reading = ended(refused(async () => drain(await takeWebSocket(far))))
  await send(near, [socketHead('/', ''), ...frames])
  await near.end().catch(() => {})
  await reading
}

const ANSWERS = [
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    'Sec-WebSocket-Accept: x\r\n\r\n\x81\x05hello',
  'HTTP/1.1 403 Forbidden\r\nContent-Length: 22\r\n\r\n{"message":"not here"}',
]

// ── SPDY ──

/** A block of headers, uncompressed, as the first or a later one of its connection. */
function headerBlock(headers: Record<string, string>, isFirst: boolean): Buffer {
  const parts = Object.entries(headers).flatMap(([name, value]) => [
    ...[uint32(name.length), Buffer.from(name), uint32(value.length), Buffer.from(value)],
  ])
  const bytes = Buffer.concat([uint32(Object.keys(headers).length), ...parts])
  const length = Buffer.from([0, bytes.length & 255, bytes.length >> 8])
  const complement = Buffer.from([~bytes.length & 255, (~bytes.length >> 8) & 255])
  const start = Buffer.from(isFirst ? [0x78, 0x01] : [])
  return Buffer.concat([start, length, complement, bytes, Buffer.from([0, 0, 0, 255, 255])])
}

function spdyFrame(first: number, flags: number, payload: Uint8Array): Buffer {
  const head = Buffer.concat([uint32(first), uint32((flags << 24) | payload.byteLength)])
  return Buffer.concat([head, payload])
}

function spdyStream(id: number, headers: Record<string, string>): Buffer {
  const block = headerBlock(headers, id === 1)
  const payload = Buffer.concat([uint32(id), uint32(0), Buffer.alloc(2), block])
  return spdyFrame(0x80030001, 0, payload)
}

const SPDY_COMMAND = [
  ...['error', 'stdin', 'stdout', 'stderr'].map((streamtype, i) =>
    spdyStream(2 * i + 1, { streamtype }),
  ),
  spdyFrame(3, 0, Buffer.from('input')),
  spdyFrame(0x80030006, 0, uint32(1)),
  spdyFrame(3, 1, Buffer.from('')),
  spdyFrame(0x80030003, 0, Buffer.concat([uint32(5), uint32(5)])),
  spdyFrame(0x80030007, 0, Buffer.concat([uint32(7), uint32(0)])),
]
const SPDY_FORWARD = [
  spdyStream(1, { streamtype: 'error', port: '80', requestid: '0' }),
  spdyStream(3, { streamtype: 'data', port: '80', requestid: '0' }),
  spdyFrame(3, 1, Buffer.from('GET / HTTP/1.0\r\n\r\n')),
  spdyStream(5, { streamtype: 'error', port: '81' }),
  spdyStream(7, { streamtype: 'data', port: '81' }),
  spdyFrame(0x80030009, 0, Buffer.concat([uint32(3), uint32(65_536)])),
]
const spdyHead = (path: string, protocol: string) =>
  upgradeHead(`POST ${path}`, [
    ['Connection', 'Upgrade'],
    ['Upgrade', 'SPDY/3.1'],
    ['X-Stream-Protocol-Version', protocol],
  ])
const SPDY_HEADS: [Buffer, Buffer[]][] = [
  [spdyHead(COMMAND_PATH, 'v4.channel.k8s.io'), SPDY_COMMAND],
  [spdyHead(COMMAND_PATH, 'v2.channel.k8s.io'), SPDY_COMMAND],
  [spdyHead('/portForward/d/p', 'portforward.k8s.io'), SPDY_FORWARD],
]

export function wireTargets(): Target[] {
  return [
    {
      name: 'messages of the tunnel',
      make: (random) => {
        const frames = mutateFrames(random, MUX_FRAMES)
        return { shown: frames.map(shownBytes).join(' '), run: () => runMux(frames) }
      },
    },
    {
      name: 'frames of a WebSocket',
      make: (random) => {
        const frames = mutateFrames(random, SOCKET_FRAMES)
        return { shown: frames.map(shownBytes).join(' '), run: () => readSocket(frames) }
      },
    },
    {
      name: 'answers to a request for a WebSocket',
      make: (random) => {
        const text = mutateText(random, pick(random, ANSWERS), ANSWERS)
        return {
          shown: JSON.stringify(text),
          run: () => answerSocket(Buffer.from(text, 'latin1')),
        }
      },
    },
    {
      name: 'commands over WebSocket',
      make: (random) => {
        const head = socketHead(COMMAND_PATH, pick(random, COMMAND_PROTOCOLS))
        const frames = mutateFrames(random, SOCKET_FRAMES)
        const shown = [head, ...frames].map(shownBytes).join(' ')
        return { shown, run: () => runNode(head, frames) }
      },
    },
    {
      name: 'commands and ports over SPDY',
      make: (random) => {
        const [head, seeds] = pick(random, SPDY_HEADS)
        const frames = mutateFrames(random, seeds)
        const shown = [head, ...frames].map(shownBytes).join(' ')
        return { shown, run: () => runNode(head, frames) }
      },
    },
    {
      name: "requests to the node's HTTP API",
      make: (random) => {
        const heads = [...SPDY_HEADS.map(([head]) => head.toString()), `${NODE_REQUEST}`]
        const text = mutateText(random, pick(random, heads), heads)
        return { shown: JSON.stringify(text), run: () => runNode(text, SOCKET_FRAMES) }
      },
    },
  ]
}

const NODE_REQUEST =
  'GET /containerLogs/d/p/c?tailLines=1&sinceTime=2026-01-01T00:00:00Z HTTP/1.1\r\n\r\n'

// ── A server that listens ──

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

function h2Frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.byteLength, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** HPACK without compression: each field new, and never indexed. */
function hpack(fields: readonly (readonly [string, string])[]): Buffer {
  const parts = fields.flatMap(([name, value]) => [
    Buffer.from([0x10, name.length]),
    Buffer.from(name),
    Buffer.from([value.length]),
    Buffer.from(value),
  ])
  return Buffer.concat(parts)
}

const h2Request = (method: string, path: string, more: [string, string][] = []) =>
  hpack([
    [':method', method],
    [':scheme', 'https'],
    [':authority', 'localhost'],
    [':path', path],
    ...more,
  ])
const MAPS = '/api/v1/namespaces/default/configmaps'
const H2_FRAMES = [
  h2Frame(4, 0, 0, Buffer.from([0, 3, 0, 0, 0, 100, 0, 4, 0, 1, 0, 0])),
  h2Frame(1, 5, 1, h2Request('GET', '/api/v1/namespaces?limit=2')),
  h2Frame(1, 4, 3, h2Request('POST', MAPS, [['content-type', 'application/json']])),
  h2Frame(0, 1, 3, Buffer.from('{"metadata":{"generateName":"a"}}')),
  h2Frame(8, 0, 0, uint32(65_536)),
  h2Frame(6, 0, 0, Buffer.alloc(8)),
  h2Frame(1, 1, 5, h2Request('GET', '/version').subarray(0, 20)),
  h2Frame(9, 4, 5, h2Request('GET', '/version').subarray(20)),
  h2Frame(3, 0, 3, uint32(8)),
  h2Frame(2, 0, 1, Buffer.from([0, 0, 0, 0, 15])),
  h2Frame(7, 0, 0, Buffer.alloc(8)),
]
const H1_REQUESTS = [
  `GET ${MAPS}?watch=1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  'POST /api/v1/namespaces/default/pods/p/exec?command=a&stdout=1 HTTP/1.1\r\nHost: a\r\n' +
    'Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n',
  `POST ${MAPS} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n` +
    'Content-Type: application/json\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
  `PUT ${MAPS}/a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}GET /healthz HTTP/1.1\r\n\r\n`,
  'GET /kedge/v1/tunnel HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
]

export class ListeningServer {
  readonly #listening: Listening
  readonly #ca: string
  readonly #client: { cert: string; key: string }

  private constructor(
    listening: Listening,
    ca: string,
    client: { certificatePem: string; privateKeyPem: string },
  ) {
    this.#listening = listening
    this.#ca = ca
    this.#client = { cert: client.certificatePem, key: client.privateKeyPem }
  }

  /** Its keys are in `dir`. */
  static async start(server: TestServer, dir: string): Promise<ListeningServer> {
    const sources = { clock: new SystemClock(), random: new SystemRandom() }
    const authority = await ensureAuthority({ dir, name: 'ca', commonName: 'ca' }, sources)
    const names = { dns: ['localhost'], ips: ['127.0.0.1'] }
    const certificate = await issueCredential(
      { subject: { commonName: 'server' }, names },
      authority,
      sources,
    )
    const subject = { commonName: 'ann', organizations: ['system:masters'] }
    const client = await issueCredential({ subject }, authority, sources)
    const ca = authority.certificatePem
    const listening = await listen({
      app: server.app,
      host: '127.0.0.1',
      port: 0,
      certificate,
      cas: { client: ca, frontProxy: '' },
      clock: sources.clock,
      log: silentLog,
      upgrade: server.app.upgrade,
    })
    return new ListeningServer(listening, ca, client)
  }

  targets(): Target[] {
    return [
      {
        name: 'frames of HTTP/2',
        make: (random) => {
          const frames = [PREFACE, ...mutateFrames(random, H2_FRAMES)]
          return {
            shown: frames.map(shownBytes).join(' '),
            run: () => this.#send(frames, 'h2'),
          }
        },
      },
      {
        name: 'HTTP/1.1 and upgrades, to a server that listens',
        make: (random) => {
          const text = mutateText(random, pick(random, H1_REQUESTS), H1_REQUESTS)
          const frames = mutateFrames(random, SOCKET_FRAMES)
          const sent = [Buffer.from(text, 'latin1'), ...frames]
          return { shown: JSON.stringify(text), run: () => this.#send(sent, 'http/1.1') }
        },
      },
    ]
  }

  /** Sends, hears what comes at once, hangs up; then somebody else must be served. */
  async #send(frames: readonly Uint8Array[], protocol: string): Promise<void> {
    const options = {
      port: this.#listening.port,
      host: '127.0.0.1',
      ca: this.#ca,
      ...this.#client,
      ALPNProtocols: [protocol],
    }
    const socket = connectTls(options)
    socket.on('error', () => {})
    const over = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    const heard: Buffer[] = []
    const answered = new Promise<void>((resolve) =>
      socket.on('data', (bytes: Buffer) => {
        heard.push(bytes)
        resolve()
      }),
    )
    for (const frame of frames) socket.write(frame)
    await Promise.race([answered, over, new SystemClock().sleep(20, never)])
    socket.destroy()
    await ended(over)
    const text = Buffer.concat(heard).toString('latin1')
    if (/Internal error occurred/.test(text)) throw new Found(text.slice(0, 500))
    const health = await fetch(`https://127.0.0.1:${this.#listening.port}/livez`, {
      tls: { ca: this.#ca },
    })
    if ((await health.text()) !== 'ok') throw new Found(`the next one hears ${health.status}`)
  }

  close(): Promise<void> {
    return this.#listening.close()
  }
}
