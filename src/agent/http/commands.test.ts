// exec and attach through `serveNode`, spoken to as each kind of client does.

import { expect, test } from 'bun:test'
import { dialWebSocket } from '../../../test/support/websocket.ts'
import type { Pod } from '../../api/schema/generated/types.ts'
import type { ByteStream } from '../../lib/byte-stream.ts'
import { SimClock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import { ByteQueue } from '../../lib/net/byte-queue.ts'
import { ByteReader } from '../../lib/net/byte-reader.ts'
import { formatHead, headerOf, readHead } from '../../lib/net/http1.ts'
import { streamPair } from '../../lib/net/pipe.ts'
import type { WebSocketStream } from '../../lib/net/websocket.ts'
import type { ExecSession } from '../../runtime/contract.ts'
import type { NodeHttp } from './pods-on-node.ts'
import { serveNode } from './server.ts'

const never = new AbortController().signal
const text = (bytes: Uint8Array | string) => Buffer.from(bytes).toString()

const POD = {
  metadata: { namespace: 'd', name: 'p', uid: 'u' },
  spec: { containers: [{ name: 'c', image: 'i', tty: false }] },
} as unknown as Pod

/** A process under the control of the test. */
class FakeProcess implements ExecSession {
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

function world(process = new FakeProcess()) {
  const started: object[] = []
  const start = async (id: string, options: object) => {
    started.push({ id, ...options })
    return process
  }
  const clock = new SimClock()
  const seen = { id: 'c1', name: 'c', state: 'running', attempt: 0 }
  const node = {
    ...{ clock, log: silentLog, logsPath: '/nowhere', stats: async () => ({}) },
    pods: {
      known: async () => {},
      find: (_: string, name: string) => (name === 'p' ? POD : undefined),
      list: () => [POD],
    },
    runtime: {
      ...{ exec: start, attach: start, onChange: () => () => {} },
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

const EXEC = '/exec/d/p/c?command=ls&command=-l&input=1&output=1&error=1'

async function openSocket(w: ReturnType<typeof world>, path: string, protocol?: string) {
  const { client, served } = w.dial()
  const socket = await dialWebSocket(client, path, protocol === undefined ? [] : [protocol])
  return { served, client, socket }
}

/** Everything that comes until the end: `channel:text`. */
async function received(socket: WebSocketStream): Promise<string[]> {
  const all: string[] = []
  for (;;) {
    const message = await socket.receive()
    if (message === undefined) return all
    all.push(
      message.text ? text(message.data) : `${message.data[0]}:${text(message.data.subarray(1))}`,
    )
  }
}

const FAILED = {
  metadata: {},
  status: 'Failure',
  message: 'command terminated with non-zero exit code: exit status 3',
  reason: 'NonZeroExitCode',
  details: { causes: [{ reason: 'ExitCode', message: '3' }] },
}

test.each([
  ['v5.channel.k8s.io', `3:${JSON.stringify(FAILED)}`],
  ['v4.channel.k8s.io', `3:${JSON.stringify(FAILED)}`],
  ['channel.k8s.io', '3:command terminated with non-zero exit code: exit status 3'],
  [undefined, '3:command terminated with non-zero exit code: exit status 3'],
])('a command runs over WebSocket with the protocol %p', async (protocol, end) => {
  const w = world()
  const { socket, served } = await openSocket(w, EXEC, protocol)
  expect(socket.protocol).toBe(protocol ?? '')
  await socket.send(Buffer.from('\0hello'))
  w.process.say('out', 'err')
  w.process.exit(3)
  // The first message is empty: the streams are there.
  expect(await received(socket)).toEqual(['1:', '1:out', '2:err', end])
  await served
  expect(w.started).toEqual([{ id: 'c1', command: ['ls', '-l'], tty: false, stdin: true }])
})

test('in base64 protocols channels are digits and bytes are text', async () => {
  const w = world()
  const { socket } = await openSocket(w, EXEC, 'v4.base64.channel.k8s.io')
  const inputEnded = new Promise<void>((resolve) => {
    w.process.write = async (bytes) => {
      w.process.input.push(text(bytes))
      resolve()
    }
  })
  await socket.send(Buffer.from(`0${btoa('hi')}`), true)
  await inputEnded
  w.process.say('out')
  w.process.exit(0)
  expect(w.process.input).toEqual(['hi'])
  expect(await received(socket)).toEqual([
    '1',
    `1${btoa('out')}`,
    `3${btoa('{"metadata":{},"status":"Success"}')}`,
  ])
})

test('the client ends the input with the close signal of v5', async () => {
  const w = world()
  w.process.onInputEnd = () => w.process.exit(0)
  const { socket } = await openSocket(w, EXEC, 'v5.channel.k8s.io')
  await socket.send(Buffer.from('\0abc'))
  await socket.send(Buffer.from([255, 0]))
  expect(await received(socket)).toEqual(['1:', '3:{"metadata":{},"status":"Success"}'])
  expect(w.process.input.join('')).toBe('abc')
})

test('sizes of the terminal reach the process, also those that came before it ran', async () => {
  const w = world()
  const { socket } = await openSocket(w, `${EXEC}&tty=1`, 'v5.channel.k8s.io')
  const sized = new Promise<void>((resolve) => {
    w.process.resize = (columns, rows) => {
      w.process.sizes.push(`${columns}x${rows}`)
      if (w.process.sizes.at(-1) === '100x40') resolve()
    }
  })
  await socket.send(Buffer.from('\u0004{"Width":80,"Height":24}'))
  await socket.send(Buffer.from('\u0004nonsense'))
  await socket.send(Buffer.from('\u0004{"Width":100,"Height":40}'))
  await sized
  expect(w.started[0]).toMatchObject({ tty: true })
  w.process.exit(0)
})

test('a client that goes away ends the command', async () => {
  const w = world()
  const { client, served } = await openSocket(w, EXEC, 'v5.channel.k8s.io')
  client.abort(new Error('cut'))
  await served
  expect(w.process.closed).toBe(true)
})

test('a command that cannot be started is reported as a failure', async () => {
  const w = world()
  w.node.runtime.exec = () => Promise.reject(new Error('no such file'))
  const { socket } = await openSocket(w, EXEC, 'v4.channel.k8s.io')
  const [, end] = await received(socket)
  expect(JSON.parse(end!.slice(2))).toMatchObject({
    status: 'Failure',
    reason: 'InternalError',
    message: 'Internal error occurred: error executing command in container: no such file',
  })
})

test('attach succeeds with any exit code, and has a terminal if the container has', async () => {
  const w = world()
  const { socket } = await openSocket(w, '/attach/d/p/c?output=1&tty=1', 'v4.channel.k8s.io')
  w.process.exit(7)
  expect(await received(socket)).toEqual(['1:', '3:{"metadata":{},"status":"Success"}'])
  expect(w.started).toEqual([{ id: 'c1', tty: false, stdin: false }])
})

test.each([
  ['/exec/d/other/c?output=1', 404, 'pod does not exist'],
  ['/exec/d/p/other?output=1', 500, 'container not found ("other")'],
  ['/exec/d/p/c?command=x', 400, 'you must specify at least 1 of stdin, stdout, stderr'],
  ['/nothing', 404, '404 page not found'],
])('%s is answered with %d', async (path, code, message) => {
  const { head, stream } = await world().connect(`GET ${path}`, [['Upgrade', 'websocket']])
  expect(head.line).toStartWith(`HTTP/1.1 ${code} `)
  expect(await new Response(stream.readable as never).text()).toBe(message)
})

test('a protocol that nobody knows is refused before anything runs', async () => {
  const w = world()
  const refused = openSocket(w, EXEC, 'v9.channel.k8s.io')
  await expect(refused).rejects.toThrow('server answered 400 Bad Request')
  expect(w.started).toEqual([])
})

/** The least of a SPDY client: opens streams, sends and collects frames. */
class SpdyClient {
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

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

async function openSpdy(w: ReturnType<typeof world>, path: string, protocols: string[]) {
  const offers = protocols.map((name): [string, string] => ['X-Stream-Protocol-Version', name])
  const opened = await w.connect(`POST ${path}`, [['Upgrade', 'SPDY/3.1'], ...offers])
  return { ...opened, client: new SpdyClient(opened.stream) }
}

test('a command runs over SPDY: the client opens a stream for each channel', async () => {
  const w = world()
  const protocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'channel.k8s.io']
  const { head, client } = await openSpdy(w, EXEC, protocols)
  expect(head.line).toBe('HTTP/1.1 101 Switching Protocols')
  expect(headerOf(head, 'x-stream-protocol-version')).toBe('v4.channel.k8s.io')
  w.process.onInputEnd = () => {
    w.process.say('out', 'err')
    w.process.exit(3)
  }
  for (const streamType of ['error', 'stdin', 'stdout', 'stderr']) await client.open({ streamType })
  await client.frame(0x80030006, 0, uint32(9))
  await client.frame(3, 0, Buffer.from('hello'))
  await client.frame(3, 1, Buffer.alloc(0))
  const frames = await client.frames()
  expect(frames.slice(0, 5)).toEqual(['reply:1', 'reply:3', 'reply:5', 'reply:7', 'pong:9'])
  expect(frames.slice(5).toSorted()).toEqual(
    [
      `1:${JSON.stringify(FAILED)}`,
      '1:end',
      '5:end',
      '5:out',
      '7:end',
      '7:err',
      'goaway:7',
    ].toSorted(),
  )
  expect(w.process.input.join('')).toBe('hello')
})

/** A process that reads a little of what it gets, and then nothing any more. */
class DeafProcess extends FakeProcess {
  readonly #left = Promise.withResolvers<never>()
  override async write(bytes: Uint8Array) {
    await super.write(bytes)
    await this.#left.promise
  }
  leave(code: number) {
    this.say('last words')
    this.exit(code)
    this.#left.reject(new Error('write EPIPE'))
  }
}

const DEAFNESSES: [string, (process: DeafProcess) => void][] = [
  ['ends', (process) => process.leave(3)],
  // Somebody else has its input open still, so that no write ever fails.
  ['ends, but not its input', (process) => process.exit(3)],
]

test.each(DEAFNESSES)(
  'over WebSocket the end comes last when a command %s while the client sends',
  async (_, leave) => {
    const process = new DeafProcess()
    const w = world(process)
    const { socket, served } = await openSocket(w, EXEC, 'v5.channel.k8s.io')
    const sending = floodSocket(socket)
    await until(() => process.input.length > 0)
    leave(process)
    expect((await received(socket)).at(-1)).toBe(`3:${JSON.stringify(FAILED)}`)
    await sending
    await served
  },
)

test.each(DEAFNESSES)(
  'over SPDY the end comes last when a command %s while the client sends',
  async (_, leave) => {
    const process = new DeafProcess()
    const w = world(process)
    const { client, served } = await openSpdy(w, EXEC, ['v4.channel.k8s.io'])
    for (const streamType of ['error', 'stdin', 'stdout', 'stderr']) {
      await client.open({ streamType })
    }
    let isOver = false
    const sending = (async () => {
      while (!isOver) await client.frame(3, 0, Buffer.alloc(32 * 1024))
    })()
    await until(() => process.input.length > 0)
    leave(process)
    const frames = await client.frames()
    expect(frames).toContain(`1:${JSON.stringify(FAILED)}`)
    expect(frames.at(-1)).toBe('goaway:7')
    isOver = true
    await sending
    await client.hangUp()
    await served
  },
)

test('a SPDY client that does not leave after the end is not waited for for ever', async () => {
  const w = world()
  const { client, served } = await openSpdy(w, '/exec/d/p/c?command=x&output=1', [])
  for (const streamType of ['error', 'stdout']) await client.open({ streamType })
  await until(() => w.started.length > 0)
  w.process.exit(0)
  expect((await client.frames()).at(-1)).toBe('goaway:3')
  await w.clock.advance(30_000)
  await served
  expect(await client.frames()).toEqual([])
})

/** Sends until it cannot any more. */
async function floodSocket(socket: WebSocketStream): Promise<void> {
  const message = Buffer.alloc(32 * 1024)
  try {
    for (;;) await socket.send(message)
  } catch {
    // The other side has closed, which is how this ends.
  }
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve))
}

test('a client that never opens its streams is dropped', async () => {
  const w = world()
  const { client, served } = await openSpdy(w, EXEC, ['v4.channel.k8s.io'])
  await client.open({ streamType: 'error' })
  await w.clock.advance(30_000)
  await served
  expect(w.started).toEqual([])
})

test('SPDY protocols that nobody knows are refused', async () => {
  const { head } = await openSpdy(world(), EXEC, ['v9.channel.k8s.io'])
  expect(head.line).toBe('HTTP/1.1 403 Forbidden')
})

test('ports are forwarded over SPDY in pairs of streams', async () => {
  const w = world()
  const [near, far] = streamPair()
  const asked: number[] = []
  w.node.runtime.dialPort = async (_, port) => {
    asked.push(port)
    if (port === 81) throw new Error('connection refused')
    return near
  }
  const { client } = await openSpdy(w, '/portForward/d/p', ['portforward.k8s.io'])
  await client.open({ streamType: 'error', port: '80', requestID: '0' }, true)
  await client.open({ streamType: 'data', port: '80', requestID: '0' })
  await client.open({ streamType: 'error', port: '81', requestID: '1' }, true)
  await client.open({ streamType: 'data', port: '81', requestID: '1' })
  await client.open({ streamType: 'data', port: 'x', requestID: '2' })
  await client.frame(3, 1, Buffer.from('question'))
  expect(await new Response(far.readable as never).text()).toBe('question')
  await far.write(Buffer.from('answer'))
  await far.end()
  const frames = client.frames()
  // The client hangs up once everything is through.
  await new Promise((resolve) => setImmediate(resolve))
  await client.hangUp()
  const seen = await frames
  expect(asked).toEqual([80, 81])
  expect(seen).toContain('3:answer')
  expect(seen).toContain('5:error forwarding port 81 to pod p, uid u: connection refused')
  expect(seen).toContain('reset:9')
})

/** A pod with one port per connection; 81 refuses. */
function podPorts(w: ReturnType<typeof world>) {
  const far = new Map<number, ByteStream>()
  w.node.runtime.dialPort = async (_, port) => {
    if (port === 81) throw new Error('connection refused')
    const [near, inPod] = streamPair()
    far.set(port, inPod)
    return near
  }
  return far
}

test('over plain channels a WebSocket ends when the last of its connections has', async () => {
  const w = world()
  const far = podPorts(w)
  const path = '/portForward/d/p?port=80&port=81&port=82'
  const { socket, served } = await openSocket(w, path, 'v4.channel.k8s.io')
  await until(() => far.size === 2)
  await far.get(80)!.write(Buffer.from('answer'))
  await far.get(80)!.end()
  // One that breaks is over as well.
  far.get(82)!.abort(new Error('reset'))
  const ports = ['P\0', 'Q\0', 'R\0'].flatMap((port, i) => [
    `${2 * i}:${port}`,
    `${2 * i + 1}:${port}`,
  ])
  const all = await received(socket)
  expect(all.slice(0, 6)).toEqual(ports)
  expect(all.slice(6).toSorted()).toEqual([
    '0:answer',
    '3:error forwarding port 81 to pod p, uid u: connection refused',
  ])
  await served
})

test('over plain channels what a client sends before it leaves reaches the pod', async () => {
  const w = world()
  const far = podPorts(w)
  const { socket, served } = await openSocket(w, '/portForward/d/p?port=80', 'v4.channel.k8s.io')
  await socket.send(Buffer.from('\0last words'))
  void socket.close(1000, '')
  await until(() => far.size === 1)
  expect(text(await new Response(far.get(80)!.readable as never).text())).toBe('last words')
  await far.get(80)!.end()
  await served
})
