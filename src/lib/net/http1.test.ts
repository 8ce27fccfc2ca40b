import { expect, test } from 'bun:test'
import { ByteReader } from './byte-reader.ts'
import { bodyOf, formatChunk, formatHead, headerOf, LAST_CHUNK, readHead } from './http1.ts'

/** The text in pieces of `size` bytes, so that every boundary is met. */
function readerOf(text: string, size: number): ByteReader {
  const bytes = Buffer.from(text)
  let at = 0
  return new ByteReader(
    new ReadableStream<Uint8Array>({
      pull(controller) {
        if (at >= bytes.length) controller.close()
        else controller.enqueue(bytes.subarray(at, at + size))
        at += size
      },
    }),
  )
}

async function read(text: string, size: number, method = 'GET') {
  const reader = readerOf(text.replaceAll('\n', '\r\n'), size)
  const head = (await readHead(reader))!
  const body = await new Response(bodyOf(head, reader, method) as never).text()
  return { head, body }
}

const SIZES = [1, 2, 3, 7, 1000]

test.each([
  ['of a given length', 'HTTP/1.1 200 OK\nContent-Length: 5\n\nhelloand more', 'hello'],
  ['in chunks', 'HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n3\nhel\n2;x=y\nlo\n0\n\n', 'hello'],
  ['until the end', 'HTTP/1.0 200 OK\nX: y\n\nhello', 'hello'],
  ['that there is not', 'HTTP/1.1 204 No Content\nContent-Length: 5\n\n', ''],
])('a body %s is read, however the bytes come', async (_, text, expected) => {
  for (const size of SIZES) expect((await read(text, size)).body).toBe(expected)
})

test('an answer to HEAD has no body', async () => {
  expect((await read('HTTP/1.1 200 OK\nContent-Length: 5\n\n', 3, 'HEAD')).body).toBe('')
})

test('headers are found by their names in lower case, repeated ones joined', async () => {
  const { head } = await read('HTTP/1.1 200 OK\nX-One: a\nx-one:  b \nContent-Length: 0\n\n', 5)
  expect(head.line).toBe('HTTP/1.1 200 OK')
  expect(headerOf(head, 'x-one')).toBe('a, b')
  expect(headerOf(head, 'x-two')).toBeUndefined()
})

test.each([
  ['HTTP/1.1 200 OK\nContent-Length: 5\n\nhel'],
  ['HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nhel'],
  ['HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nzz\n'],
  ['HTTP/1.1 200 OK\nno header\n\n'],
  ['SSH-2.0\nX: y\n\n'],
])('%p is an error', async (text) => {
  await expect(read(text, 4)).rejects.toThrow()
})

test('a stream that ends before the first byte is no message', async () => {
  expect(await readHead(readerOf('', 1))).toBeUndefined()
  await expect(readHead(readerOf('HTTP/1.1', 1))).rejects.toThrow('ended in the middle')
})

test('heads and chunks are written as they are read; line ends stay out', async () => {
  const head = formatHead('HTTP/1.1 200 OK', [['Transfer-Encoding', 'chunked']])
  const parts = [head, formatChunk(Buffer.from('hel')), formatChunk(Buffer.from('lo')), LAST_CHUNK]
  const text = Buffer.concat(parts).toString()
  expect((await read(text.replaceAll('\r\n', '\n'), 2)).body).toBe('hello')
  expect(() => formatHead('GET / HTTP/1.1', [['X', 'a\r\nY: b']])).toThrow('line end')
  expect(() => formatHead('GET /\n HTTP/1.1', [])).toThrow('line end')
})
