// Both ends of a tunnel, joined in memory.

import { afterEach, expect, test } from 'bun:test'
import { createServer, type Server } from 'node:net'
import { webSocketPair } from '../../test/support/websocket.ts'
import type { ByteStream } from '../lib/byte-stream.ts'
import { SimClock } from '../lib/clock.ts'
import { silentLog } from '../lib/log.ts'
import { copyBytes } from '../lib/net/pipe.ts'
import { Tunnels } from '../server/streams/tunnels.ts'
import { carryTunnel } from './tunnel.ts'

const never = new AbortController().signal
const textOf = (stream: ByteStream) => new Response(stream.readable as never).text()
const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

function world() {
  const clock = new SimClock()
  const tunnels = new Tunnels({ clock, log: silentLog })
  const join = async (name: string) => {
    const { client, server, wire } = await webSocketPair()
    const options = { clock, log: silentLog }
    // Says its name, then repeats what it hears.
    const serveNode = async (stream: ByteStream) => {
      await stream.write(Buffer.from(`${name} `))
      await copyBytes(stream.readable, (bytes) => stream.write(bytes))
      await stream.end()
    }
    const ended = Promise.all([
      tunnels.carry(name, server),
      carryTunnel({ ...options, serveNode }, client, never),
    ])
    return { ended, cut: () => wire.abort(new Error('cable pulled')) }
  }
  return { clock, tunnels, join }
}

async function echo(tunnels: Tunnels, name: string): Promise<string> {
  const stream = await tunnels.dialNode(name, never)
  await stream.write(Buffer.from('hello'))
  await stream.end()
  return textOf(stream)
}

test('the server reaches the HTTP API of each node that has dialled in', async () => {
  const { tunnels, join } = world()
  await join('a')
  await join('b')
  expect(tunnels.connected).toEqual(['a', 'b'])
  expect(await Promise.all([echo(tunnels, 'a'), echo(tunnels, 'b')])).toEqual([
    'a hello',
    'b hello',
  ])
})

test('the server reaches addresses in the network of a node', async () => {
  const { tunnels, join } = world()
  await join('a')
  const listener = createServer((socket) => socket.pipe(socket))
  servers.push(listener)
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const { port } = listener.address() as { port: number }
  const stream = await tunnels.dialFrom('a', { host: '127.0.0.1', port }, never)
  await stream.write(Buffer.from('through'))
  await stream.end()
  expect(await textOf(stream)).toBe('through')

  listener.close()
  const refused = tunnels.dialFrom('a', { host: '127.0.0.1', port }, never)
  await expect(refused).rejects.toThrow(`dial tcp 127.0.0.1:${port}: connect: connection refused`)
})

test('a node that has gone is not connected, and its streams are broken', async () => {
  const { clock, tunnels, join } = world()
  const node = await join('a')
  const stream = await tunnels.dialNode('a', never)
  const reading = textOf(stream)
  node.cut()
  await node.ended
  await expect(reading).rejects.toThrow()
  await clock.advance(10_000)
  await expect(tunnels.dialNode('a', never)).rejects.toThrow('node "a" is not connected')
  await expect(tunnels.dialFrom('', { host: 'x', port: 1 }, never)).rejects.toThrow('no node')
})

test('who asks for a node in the moment that it is away gets it when it is back', async () => {
  const { tunnels, join } = world()
  const early = echo(tunnels, 'a')
  const node = await join('a')
  expect(await early).toBe('a hello')
  node.cut()
  await node.ended
  const late = echo(tunnels, 'a')
  await join('a')
  expect(await late).toBe('a hello')
})

test('a node that comes back takes the place of its old connection', async () => {
  const { tunnels, join } = world()
  const old = await join('a')
  await join('a')
  await old.ended
  expect(tunnels.connected).toEqual(['a'])
  expect(await echo(tunnels, 'a')).toBe('a hello')
})
