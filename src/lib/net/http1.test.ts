import { expect, test } from 'bun:test'
import { SeededRandom } from '../random.ts'
import { ByteReader } from './byte-reader.ts'
import {
  bodyOf,
  formatChunk,
  formatHead,
  HttpSyntaxError,
  headerOf,
  LAST_CHUNK,
  readAnswerHead,
  readHead,
} from './http1.ts'

/** The text in pieces of `size` bytes, so that every boundary is met. */
function readerOf(text: string | Buffer, size: number): ByteReader {
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

const OK = 'HTTP/1.1 200 OK\n'
const BROKEN = 'net/http: HTTP/1.x transport connection broken: '

test.each([
  [`${OK}Content-Length: abc\n\nx`, 'bad Content-Length "abc"'],
  [`${OK}Content-Length: -5\n\nx`, 'bad Content-Length "-5"'],
  [`${OK}Content-Length: +5\n\nx`, 'bad Content-Length "+5"'],
  [`${OK}Content-Length: 0x5\n\nx`, 'bad Content-Length "0x5"'],
  [`${OK}Content-Length: 5e0\n\nx`, 'bad Content-Length "5e0"'],
  [`${OK}Content-Length: 1.0\n\nx`, 'bad Content-Length "1.0"'],
  [`${OK}Content-Length: Infinity\n\nx`, 'bad Content-Length "Infinity"'],
  [`${OK}Content-Length: \n\nx`, 'bad Content-Length ""'],
  [`${OK}Content-Length: 9007199254740993\n\nx`, 'bad Content-Length "9007199254740993"'],
  [`${OK}Content-Length: 5\nContent-Length: 6\n\nhello`, 'bad Content-Length "5, 6"'],
  [`${OK}Transfer-Encoding: gzip\n\nx`, 'unsupported transfer encoding: "gzip"'],
  [`${OK}Transfer-Encoding: xchunked\n\nx`, 'unsupported transfer encoding: "xchunked"'],
  [`${OK}Transfer-Encoding: chunked, chunked\n\nx`, 'unsupported transfer encoding'],
  [`${OK}Transfer-Encoding: chunked\n\n-5\nhello\n0\n\n`, 'malformed chunked encoding'],
  [`${OK}Transfer-Encoding: chunked\n\n5x\nhello\n0\n\n`, 'malformed chunked encoding'],
  [`${OK}Transfer-Encoding: chunked\n\n5\nhelloxx0\n\n`, 'malformed chunked encoding'],
  [`${OK}Transfer-Encoding: chunked\n\n${'f'.repeat(16)}\nx`, 'malformed chunked encoding'],
  [`${OK}X : y\n\n`, 'malformed MIME header line "X : y"'],
  [`${OK} folded\n\n`, 'malformed MIME header line " folded"'],
  [`${OK}: y\n\n`, 'malformed MIME header line ": y"'],
  [`${OK}X: a\0b\n\n`, 'malformed MIME header line'],
  [`${OK}X: a\rb\n\n`, 'malformed MIME header line'],
  [`${OK}${'x: y\n'.repeat(1001)}\n`, 'too many headers'],
  ['HTTP/2.0 200 OK\n\n', 'malformed HTTP version "HTTP/2.0"'],
  ['HTTP/1.1 abc OK\n\n', 'malformed HTTP status code "abc"'],
  ['HTTP/1.1 -20 OK\n\n', 'malformed HTTP status code "-20"'],
  ['HTTP/1.1 2000 OK\n\n', 'malformed HTTP status code "2000"'],
  ['SSH-2.0-OpenSSH\n\n', 'malformed HTTP response "SSH-2.0-OpenSSH"'],
])('%j is refused in the words of Go', async (text, why) => {
  for (const size of SIZES) {
    const refused = await read(text, size).catch((error) => error)
    expect(refused).toBeInstanceOf(HttpSyntaxError)
    expect(refused.message).toStartWith(`${BROKEN}${why}`)
  }
})

test.each([
  ['the same length twice', `${OK}Content-Length: 5\nContent-Length: 5\n\nhello`],
  [
    'a length beside chunks',
    `${OK}Content-Length: 1\nTransfer-Encoding: Chunked\n\n5\nhello\n0\n\n`,
  ],
  ['a coding of HTTP/1.0', 'HTTP/1.0 200 OK\nTransfer-Encoding: gzip\n\nhello'],
  ['no words after the code', 'HTTP/1.1 200\nContent-Length: 5\n\nhello'],
])('%s is taken as Go takes it', async (_, text) => {
  for (const size of SIZES) expect((await read(text, size)).body).toBe('hello')
})

test('lines of a head may end without a carriage return', async () => {
  for (const size of SIZES) {
    const reader = readerOf('HTTP/1.1 200 OK\nX: y\n\nhello', size)
    const head = (await readHead(reader))!
    expect(head).toEqual({ line: 'HTTP/1.1 200 OK', headers: [['X', 'y']] })
    expect(await new Response(bodyOf(head, reader, 'GET') as never).text()).toBe('hello')
  }
})

test('interim answers are passed over, so many and no more', async () => {
  const interim = 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n'
  const answer = 'HTTP/1.1 204 No Content\r\n\r\n'
  expect((await readAnswerHead(readerOf(interim.repeat(5) + answer, 50))).line).toContain('204')
  const flood = readAnswerHead(readerOf(interim.repeat(1000), 50))
  await expect(flood).rejects.toThrow('too many 1xx informational responses')
  const upgraded = await readAnswerHead(readerOf('HTTP/1.1 101 Switching Protocols\r\n\r\n', 50))
  expect(upgraded.line).toContain('101')
})

test('many small pieces cost no more than few large ones', async () => {
  // Copied again for each piece these would be a hundred gigabytes.
  const bytesCount = 500_000
  expect((await readerOf('x'.repeat(bytesCount), 1).exactly(bytesCount))!.byteLength).toBe(
    bytesCount,
  )
  const endless = readHead(readerOf(`GET /${'x'.repeat(bytesCount)}`, 1))
  await expect(endless).rejects.toThrow('no end within 262144 bytes')
})

const SEEDS = [
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n',
  'HTTP/1.0 404 Not Found\nServer: x\n\nnothing here',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n',
]
const DICTIONARY = [
  ...[
    '\r\n',
    '\n',
    '\r',
    '\r\n\r\n',
    ':',
    ' ',
    '\t',
    '\0',
    '-',
    '0',
    'ffffffff',
    '99999999999999999999',
  ],
  ...[
    'Content-Length: ',
    'Transfer-Encoding: chunked\r\n',
    'HTTP/1.1 200 OK\r\n',
    '\xff',
    ';',
    ',',
  ],
]

function mutated(random: SeededRandom): string {
  const pick = (count: number) => Math.floor(random.next() * count)
  let text = SEEDS[pick(SEEDS.length)]!
  for (let changes = pick(4) + 1; changes > 0; changes--) {
    const [at, other] = [pick(text.length + 1), pick(text.length + 1)]
    const [from, to] = [Math.min(at, other), Math.max(at, other)]
    const word = DICTIONARY[pick(DICTIONARY.length)]!
    const changed = [
      text.slice(0, at) + word + text.slice(at),
      text.slice(0, from) + text.slice(to),
      text.slice(0, to) + text.slice(from),
      text.slice(0, at) + word + text.slice(at + word.length),
    ]
    text = changed[pick(changed.length)]!
  }
  return text
}

/** What comes of it: the answer, or why there is none. */
async function outcome(text: string, size: number): Promise<string> {
  const reader = readerOf(Buffer.from(text, 'latin1'), size)
  try {
    const head = await readAnswerHead(reader)
    const body = await new Response(bodyOf(head, reader, 'GET') as never).arrayBuffer()
    return JSON.stringify([head, Buffer.from(body).toString('latin1')])
  } catch (error) {
    const { message } = error as Error
    const isEnd = /EOF|connection ended|no end within/.test(message)
    expect(isEnd || error instanceof HttpSyntaxError || message).toBe(true)
    return isEnd ? 'end' : message
  }
}

test('whatever comes is an answer or a fault that has a name, however it is cut', async () => {
  const random = new SeededRandom(7)
  for (let round = 0; round < 1500; round++) {
    const text = mutated(random)
    const whole = await outcome(text, text.length + 1)
    for (const size of [1, 3]) expect([text, await outcome(text, size)]).toEqual([text, whole])
  }
})
