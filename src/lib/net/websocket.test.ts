import { expect, test } from 'bun:test'
import { SeededRandom } from '../random.ts'
import { ByteReader } from './byte-reader.ts'
import { streamPair } from './pipe.ts'
import { acceptKey, bytesOver, WebSocketStream } from './websocket.ts'

function pair() {
  const [near, far] = streamPair(16 * 1024 * 1024)
  const client = new WebSocketStream(near, new SeededRandom(1))
  return { client, server: new WebSocketStream(far) }
}

/** The server's side, and the bare bytes of a client. */
function wired() {
  const [wire, far] = streamPair()
  return { wire, server: new WebSocketStream(far) }
}

const textOf = (message: { data: Uint8Array } | undefined) =>
  message && Buffer.from(message.data).toString()

test('the accept key is the one of RFC 6455', () => {
  expect(acceptKey('dGhlIHNhbXBsZSBub25jZQ==')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
})

test.each([0, 1, 125, 126, 65_535, 65_536, 200_000])(
  'messages of %d bytes arrive as they were sent, both ways',
  async (length) => {
    const { client, server } = pair()
    const data = new Uint8Array(length).map((_, i) => i % 251)
    await client.send(data)
    expect(await server.receive()).toEqual({ text: false, data: Buffer.from(data) as never })
    await server.send(data, true)
    const back = await client.receive()
    expect(back?.text).toBe(true)
    expect(Buffer.compare(back!.data, data)).toBe(0)
  },
)

test('what a client sends is masked', async () => {
  const [near, far] = streamPair()
  const client = new WebSocketStream(near, new SeededRandom(1))
  await client.send(Buffer.from('secret'))
  const bytes = Buffer.from((await new ByteReader(far.readable).some())!)
  expect(bytes[1]! & 128).toBe(128)
  expect(bytes.includes('secret')).toBe(false)
})

test('pings are answered while waiting for messages, and fragments are put together', async () => {
  const { server, wire } = wired()
  const reader = new ByteReader(wire.readable)
  const frames = [
    [0x89, 2, 1, 2],
    [0x01, 2, 0x61, 0x62],
    [0x8a, 0],
    [0x80, 1, 0x63],
  ]
  for (const frame of frames) await wire.write(Buffer.from(frame))
  expect(textOf(await server.receive())).toBe('abc')
  expect([...(await reader.exactly(4))!]).toEqual([0x8a, 2, 1, 2])
})

test('a close is answered with a close, once, and then there is nothing more', async () => {
  const { server, wire } = wired()
  await wire.write(Buffer.from([0x88, 2, 3, 232]))
  expect(await server.receive()).toBeUndefined()
  await server.close(1001, 'again')
  const said = await new Response(wire.readable as never).arrayBuffer()
  expect([...new Uint8Array(said)]).toEqual([0x88, 2, 3, 232])
})

test.each([
  ['a frame that is too long', [0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0], 'too long'],
  ['flags that nobody has agreed on', [0xc2, 0], 'unknown flags'],
  ['an end in the middle', [0x82, 5, 1], 'in the middle'],
])('%s breaks the connection', async (_, frame, message) => {
  const { server, wire } = wired()
  await wire.write(Buffer.from(frame as number[]))
  await wire.end()
  await expect(server.receive()).rejects.toThrow(message)
})

test('messages can be read as bytes, where their borders mean nothing', async () => {
  const { client, server } = pair()
  const bytes = bytesOver(server)
  for (const part of ['he', '', 'llo']) await client.send(Buffer.from(part))
  await client.close(1000, '')
  expect(await new Response(bytes.readable as never).text()).toBe('hello')
})
