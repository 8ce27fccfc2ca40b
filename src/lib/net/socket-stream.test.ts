// With real sockets: what Bun does with them is what is in question.

import { afterEach, expect, test } from 'bun:test'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { ByteStream } from '../byte-stream.ts'
import { socketStream } from './socket-stream.ts'

let server: Server | undefined
afterEach(() => void server?.close())

async function connected(head?: Uint8Array): Promise<{ near: ByteStream; far: Socket }> {
  const accepted = Promise.withResolvers<Socket>()
  server = createServer({ allowHalfOpen: true }, (socket) => accepted.resolve(socket))
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  await new Promise<void>((resolve) => socket.once('connect', () => resolve()))
  return { near: socketStream(socket, head), far: await accepted.promise }
}

const textOf = (stream: ByteStream) => new Response(stream.readable as never).text()
const heard = (socket: Socket) =>
  new Promise<string>((resolve) => {
    let text = ''
    socket.on('data', (bytes) => {
      text += bytes
    })
    socket.on('end', () => resolve(text))
  })

test('bytes go both ways, and each way ends by itself', async () => {
  const { near, far } = await connected(Buffer.from('early '))
  const question = heard(far)
  await near.write(Buffer.from('question'))
  await near.end()
  expect(await question).toBe('question')
  far.end('answer')
  expect(await textOf(near)).toBe('early answer')
})

test('a reader that does not read stops the writer', async () => {
  const { near, far } = await connected()
  const piece = Buffer.alloc(1024 * 1024)
  let sentBytes = 0
  const TOTAL = 64 * piece.byteLength
  const push = () => {
    while (sentBytes < TOTAL) {
      sentBytes += piece.byteLength
      if (!far.write(piece)) return void far.once('drain', push)
    }
    far.end()
  }
  push()
  // The writer is stuck when turns of the event loop no longer bring it on.
  for (let before = -1; before !== sentBytes; ) {
    before = sentBytes
    for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve))
  }
  expect(sentBytes).toBeLessThan(TOTAL / 2)
  let readBytes = 0
  for await (const bytes of near.readable) readBytes += bytes.byteLength
  expect(readBytes).toBe(TOTAL)
})

test('a connection that breaks is an error for reader and writer', async () => {
  const { near, far } = await connected()
  const reading = textOf(near)
  far.resetAndDestroy()
  await expect(reading).rejects.toThrow()
  await expect(near.write(Buffer.from('x'))).rejects.toThrow('connection closed')
})

test('an abort drops the connection at once', async () => {
  const { near, far } = await connected()
  far.resume()
  const closed = new Promise<void>((resolve) => far.once('close', () => resolve()))
  far.on('end', () => far.end())
  far.on('error', () => {})
  near.abort(new Error('enough'))
  await closed
  await expect(textOf(near)).rejects.toThrow()
})
