import { expect, test } from 'bun:test'
import type { ByteStream } from '../byte-stream.ts'
import { joinStreams, streamPair } from './pipe.ts'

const never = new AbortController().signal
const textOf = ({ readable }: ByteStream) => new Response(readable as never).text()

test('joined connections carry bytes both ways, and each way ends by itself', async () => {
  const [client, near] = streamPair()
  const [far, server] = streamPair()
  const joined = joinStreams(near, far, never)
  await client.write(Buffer.from('question'))
  await client.end()
  expect(await textOf(server)).toBe('question')
  await server.write(Buffer.from('answer'))
  await server.end()
  expect(await textOf(client)).toBe('answer')
  await joined
})

test('one that takes nothing any more is heard out, while the other still sends', async () => {
  const [client, near] = streamPair(64)
  const [far, server] = streamPair()
  const deaf = { ...far, write: () => Promise.reject(new Error('write EPIPE')) }
  const joined = joinStreams(near, deaf, never)
  for (let i = 0; i < 100; i++) await client.write(Buffer.alloc(64))
  await server.write(Buffer.from('last words'))
  await server.end()
  expect(await textOf(client)).toBe('last words')
  await client.end()
  await joined
})

test('one that cannot be read any more takes the other with it', async () => {
  const [client, near] = streamPair()
  const [far, server] = streamPair()
  const joined = joinStreams(near, far, never)
  server.abort(new Error('reset'))
  await expect(textOf(client)).rejects.toThrow('reset')
  await joined
})
