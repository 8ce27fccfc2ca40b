// exec and attach through `serveNode`, spoken to as each kind of client does.

import { expect, test } from 'bun:test'
import {
  FakeProcess,
  openSocket,
  openSpdy,
  received,
  text,
  uint32,
  until,
  world,
} from '../../../test/support/node-http.ts'
import { headerOf } from '../../lib/net/http1.ts'
import type { WebSocketStream } from '../../lib/net/websocket.ts'

const EXEC = '/exec/d/p/c?command=ls&command=-l&input=1&output=1&error=1'

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
  expect(w.started).toEqual([
    { id: 'c1', command: ['ls', '-l'], tty: false, stdin: true, rest: 'wait' },
  ])
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

test('a SPDY client that ends its half hears all that comes, and how it ended', async () => {
  const w = world()
  const { client, served } = await openSpdy(w, EXEC, ['v4.channel.k8s.io'])
  for (const streamType of ['error', 'stdin', 'stdout', 'stderr']) await client.open({ streamType })
  const inputEnded = new Promise<void>((resolve) => {
    w.process.onInputEnd = resolve
  })
  await client.hangUp()
  await inputEnded
  expect(w.process.closed).toBe(false)
  w.process.say('out')
  w.process.exit(3)
  const frames = await client.frames()
  expect(frames).toContain('5:out')
  expect(frames).toContain(`1:${JSON.stringify(FAILED)}`)
  expect(frames.at(-1)).toBe('goaway:7')
  await served
})

test('a SPDY client that has gone altogether is noticed, and its command ended', async () => {
  const w = world()
  const { client, served } = await openSpdy(w, EXEC, ['v4.channel.k8s.io'])
  for (const streamType of ['error', 'stdin', 'stdout', 'stderr']) await client.open({ streamType })
  const inputEnded = new Promise<void>((resolve) => {
    w.process.onInputEnd = resolve
  })
  await client.hangUp()
  await inputEnded
  await client.leave()
  await w.clock.advance(10_000)
  await until(() => w.process.closed)
  await served
})

test('a SPDY client that ends its half too early is told, and nothing is started', async () => {
  const w = world()
  const { client, served } = await openSpdy(w, EXEC, ['v4.channel.k8s.io'])
  await client.open({ streamType: 'error' })
  await client.hangUp()
  await served
  expect(w.started).toEqual([])
})

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
