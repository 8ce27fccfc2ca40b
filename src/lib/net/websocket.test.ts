import { expect, test } from 'bun:test'
import { dialWebSocket, takeWebSocket, webSocketPair } from '../../../test/support/websocket.ts'
import { ByteReader } from './byte-reader.ts'
import { duplexOf } from './duplex.ts'
import { readHead } from './http1.ts'
import { streamPair } from './pipe.ts'
import { acceptWebSocket, bytesOver, HandshakeError, type WebSocketStream } from './websocket.ts'

const HANDSHAKE = [
  'GET / HTTP/1.1',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
]

/** The server's side, and the bare bytes of a client. */
async function wired() {
  const [wire, far] = streamPair(16 * 1024 * 1024)
  await wire.write(Buffer.from(`${HANDSHAKE.join('\r\n')}\r\n\r\n`))
  const server = await takeWebSocket(far)
  const reader = new ByteReader(wire.readable)
  return { wire, server, reader, head: (await readHead(reader))! }
}

/** A masked frame, with a mask of zeros. */
function frame(first: number, payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([first, 128 | payload.byteLength]), Buffer.alloc(4), payload])
}

const textOf = (message: { data: Uint8Array } | undefined) =>
  message && Buffer.from(message.data).toString()

test('the answer to a handshake is the one of RFC 6455', async () => {
  const { head } = await wired()
  expect(head.line).toBe('HTTP/1.1 101 Switching Protocols')
  expect(head.headers).toContainEqual(['Sec-WebSocket-Accept', 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='])
})

test.each([
  ['no key', { 'sec-websocket-version': '13' }],
  ['a key that is none', { 'sec-websocket-version': '13', 'sec-websocket-key': 'k' }],
  ['a version nobody knows', { 'sec-websocket-version': '7', 'sec-websocket-key': 'k' }],
])('a handshake with %s is refused, and nothing is written', async (_, headers) => {
  const [near, far] = streamPair()
  const asked = new Map<string, string>([['upgrade', 'websocket'], ...Object.entries(headers)])
  const request = { method: 'GET', header: (name: string) => asked.get(name) }
  expect(() => acceptWebSocket(duplexOf(far), request)).toThrow(HandshakeError)
  await far.end()
  expect(await new ByteReader(near.readable).some()).toBeUndefined()
})

test.each([
  ['{"kind":"Status","message":"no such node"}', 'server answered 403 Forbidden: no such node'],
  ['<html>', 'server answered 403 Forbidden'],
  ['{"message":{}}', 'server answered 403 Forbidden'],
  [`{"message":"${'x'.repeat(100_000)}"}`, 'server answered 403 Forbidden'],
])('who is refused is told why', async (body, message) => {
  const [near, far] = streamPair()
  const asking = dialWebSocket(near, '/').catch((error) => error)
  await readHead(new ByteReader(far.readable))
  const head = `HTTP/1.1 403 Forbidden\r\nContent-Length: ${body.length}\r\n\r\n`
  void far.write(Buffer.from(head + body))
  expect(await asking).toBeInstanceOf(HandshakeError)
  expect((await asking).message).toBe(message)
})

test.each([0, 1, 125, 126, 65_535, 65_536, 200_000])(
  'messages of %d bytes arrive as they were sent, both ways',
  async (length) => {
    const { client, server } = await webSocketPair()
    const data = Buffer.from(new Uint8Array(length).map((_, i) => i % 251))
    await client.send(data)
    expect(await server.receive()).toMatchObject({ text: false })
    await client.send(data)
    expect(Buffer.compare((await server.receive())!.data, data)).toBe(0)
    const words = Buffer.from('x'.repeat(length))
    await server.send(words, true)
    const back = await client.receive()
    expect(back?.text).toBe(true)
    expect(Buffer.compare(back!.data, words)).toBe(0)
  },
)

test('pings are answered while waiting for messages, and fragments are put together', async () => {
  const { server, wire, reader } = await wired()
  await wire.write(frame(0x89, Buffer.from([1, 2])))
  await wire.write(frame(0x01, Buffer.from('ab')))
  await wire.write(frame(0x8a, Buffer.alloc(0)))
  await wire.write(frame(0x80, Buffer.from('c')))
  expect(textOf(await server.receive())).toBe('abc')
  expect([...(await reader.exactly(4))!]).toEqual([0x8a, 2, 1, 2])
})

test('a close is answered with a close, once, and then there is nothing more', async () => {
  const { server, wire, reader } = await wired()
  await wire.write(frame(0x88, Buffer.from([3, 232])))
  expect([...(await reader.exactly(4))!]).toEqual([0x88, 2, 3, 232])
  expect(await reader.some()).toBeUndefined()
  await wire.end()
  expect(await server.receive()).toBeUndefined()
  await server.close(1001, 'again')
})

test('what a side says last arrives, also while the other still sends', async () => {
  const { client, server } = await webSocketPair(1024)
  const sending = flood(client)
  await server.receive()
  await server.send(Buffer.from('the end'))
  void server.close(1000, '')
  expect(textOf(await client.receive())).toBe('the end')
  expect(await client.receive()).toBeUndefined()
  await sending
})

/** Sends until it cannot any more. */
async function flood(socket: WebSocketStream): Promise<void> {
  try {
    for (;;) await socket.send(Buffer.alloc(64 * 1024))
  } catch {
    // The other side has closed, which is how this ends.
  }
}

test('a side that does not read stops the other', async () => {
  const { client, server } = await webSocketPair(1024)
  let sentCount = 0
  let isRefused = false
  const sending = (async () => {
    for (; sentCount < 1000; sentCount++) await client.send(Buffer.alloc(64 * 1024))
  })().catch(() => {
    isRefused = true
  })
  for (let turns = 0; turns < 2000; turns++) await new Promise((go) => setImmediate(go))
  const stoppedAt = sentCount
  expect(stoppedAt).toBeLessThan(50)
  for (let i = 0; i < 20; i++) await server.receive()
  for (let turns = 0; turns < 2000; turns++) await new Promise((go) => setImmediate(go))
  expect(sentCount).toBeGreaterThan(stoppedAt)
  server.abort(new Error('enough'))
  client.abort(new Error('enough'))
  await sending
  expect(isRefused).toBe(true)
})

const long = Buffer.from([0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])

test.each([
  ['a frame that is too long', long],
  ['flags that nobody has agreed on', frame(0xc2, Buffer.alloc(0))],
  ['a client that does not mask', Buffer.from([0x82, 1, 1])],
  ['an end in the middle', Buffer.from([0x82, 0x85, 0, 0, 0, 0, 1])],
  ['an end without a close', Buffer.alloc(0)],
])('%s breaks the connection', async (_, bytes) => {
  const { server, wire } = await wired()
  await wire.write(bytes)
  await wire.end()
  await expect(server.receive()).rejects.toThrow()
})

test.each([
  ['pieces of one message', Buffer.concat([frame(0x02, Buffer.of(1)), frame(0x00, Buffer.of(1))])],
  ['empty pieces', Buffer.concat([frame(0x02, Buffer.alloc(0)), frame(0x00, Buffer.alloc(0))])],
])('800,000 %s are refused after a named number of them', async (_, [...pair]) => {
  const { server, wire } = await wired()
  const half = pair.length / 2
  const [start, more] = [Buffer.from(pair.slice(0, half)), Buffer.from(pair.slice(half))]
  await wire.write(Buffer.concat([start, ...Array<Buffer>(800_000).fill(more)]))
  await expect(server.receive()).rejects.toThrow('Too many message fragments')
})

test('messages can be read as bytes, where their borders mean nothing', async () => {
  const { client, server } = await webSocketPair()
  const bytes = bytesOver(server)
  for (const part of ['he', '', 'llo']) await client.send(Buffer.from(part))
  void client.close(1000, '')
  expect(await new Response(bytes.readable as never).text()).toBe('hello')
})
