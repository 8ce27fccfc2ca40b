// HTTP/1.1 messages over a byte stream: one exchange, no keep-alive (RFC 9112).
//
// What comes is a stranger's: strictly parsed, with bounds. Errors are in Go's words, which are the
// ones that people search for.

import type { ByteReader } from './byte-reader.ts'

export type HttpHeaders = readonly (readonly [name: string, value: string])[]
/** Request line or status line, and the headers as they came. */
export type HttpHead = { readonly line: string; readonly headers: HttpHeaders }

/** What upstream's servers take, with room for large cookies and tokens. */
const HEAD_BYTES_MAX = 256 * 1024
/** Each costs more than its bytes. */
const HEADERS_MAX = 1000
const CHUNK_LINE_BYTES_MAX = 1024
/** As many as Go's client passes over. */
const INTERIM_ANSWERS_MAX = 5

const NAME = /^[!#$%&'*+\-.^`|~\w]+$/
/** What a value may hold: no control characters but tabs. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const VALUE = /^[^\x00-\x08\x0a-\x1f\x7f]*$/

/** What came is no HTTP. */
export class HttpSyntaxError extends Error {
  override readonly name = 'HttpSyntaxError'
  constructor(what: string) {
    super(`net/http: HTTP/1.x transport connection broken: ${what}`)
  }
}

/** Undefined when the stream ends before the first byte. Lines may end without a CR, as in Go. */
export async function readHead(reader: ByteReader): Promise<HttpHead | undefined> {
  let bytesLeft = HEAD_BYTES_MAX
  const nextLine = async () => {
    const text = await reader.until('\n', bytesLeft)
    if (text === undefined) return undefined
    bytesLeft -= text.length + 1
    return text.endsWith('\r') ? text.slice(0, -1) : text
  }
  const line = await nextLine()
  if (line === undefined) return undefined
  if (!VALUE.test(line)) throw malformed('HTTP response', line)
  const headers: [string, string][] = []
  for (;;) {
    const header = await nextLine()
    if (header === undefined) throw new Error('unexpected EOF')
    if (header === '') return { line, headers }
    if (headers.length >= HEADERS_MAX) throw new HttpSyntaxError('too many headers')
    headers.push(parseHeader(header))
  }
}

function parseHeader(line: string): [string, string] {
  const colon = line.indexOf(':')
  const name = line.slice(0, Math.max(0, colon))
  const value = line.slice(colon + 1)
  // A line that goes on with the one before it begins with a blank, which no name does.
  if (!NAME.test(name) || !VALUE.test(value)) throw malformed('MIME header line', line)
  return [name, value.trim()]
}

function malformed(what: string, text: string): HttpSyntaxError {
  return new HttpSyntaxError(`malformed ${what} ${JSON.stringify(text.slice(0, 60))}`)
}

/** The head of an answer; interim ones (100 Continue, 103) are passed over. */
export async function readAnswerHead(reader: ByteReader): Promise<HttpHead> {
  for (let interimCount = 0; interimCount <= INTERIM_ANSWERS_MAX; interimCount++) {
    const head = await readHead(reader)
    if (head === undefined) throw new Error('EOF')
    const code = statusOf(head)
    if (code >= 200 || code === 101) return head
  }
  throw new HttpSyntaxError('too many 1xx informational responses')
}

/** Values with line ends would be read as headers of their own; they are an error of the caller. */
export function formatHead(line: string, headers: HttpHeaders): Uint8Array {
  const lines = headers.map(([name, value]) => `${name}: ${value}`)
  const text = [line, ...lines].join('\r\n')
  if (/[\r\n]/.test(line) || lines.some((header) => /[\r\n]/.test(header))) {
    throw new Error('line end inside a header')
  }
  return Buffer.from(`${text}\r\n\r\n`, 'latin1')
}

/** All values of one header, joined by commas; `name` in lower case. */
export function headerOf({ headers }: HttpHead, name: string): string | undefined {
  const values = headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value)
  return values.length === 0 ? undefined : values.join(', ')
}

/** `HTTP/1.1 200 OK` */
export function statusOf({ line }: HttpHead): number {
  const [, version, code] = /^HTTP\/(\S+) +(\S*)/.exec(line) ?? []
  if (version === undefined) throw malformed('HTTP response', line)
  if (version !== '1.1' && version !== '1.0') throw malformed('HTTP version', `HTTP/${version}`)
  if (!/^[1-9]\d\d$/.test(code!)) throw malformed('HTTP status code', code!)
  return Number(code)
}

export type Framing =
  | { readonly is: 'sized'; readonly length: number }
  | { readonly is: 'chunked' }
  /** As long as the connection lasts. */
  | { readonly is: 'until the end' }

/** How long the body of an answer is. Throws HttpSyntaxError where that cannot be told. */
export function framingOf(head: HttpHead, method: string): Framing {
  const code = statusOf(head)
  const codings = headerOf(head, 'transfer-encoding')
  const lengths = headerOf(head, 'content-length')
  const length = lengths === undefined ? undefined : parseLength(lengths)
  if (method === 'HEAD' || code < 200 || code === 204 || code === 304) {
    return { is: 'sized', length: 0 }
  }
  // What a server of HTTP/1.0 says about codings means nothing (RFC 9112, 6.1).
  if (codings !== undefined && !head.line.startsWith('HTTP/1.0')) {
    if (codings.toLowerCase() === 'chunked') return { is: 'chunked' }
    throw new HttpSyntaxError(`unsupported transfer encoding: ${JSON.stringify(codings)}`)
  }
  return length === undefined ? { is: 'until the end' } : { is: 'sized', length }
}

/** Several must be the same; a number that cannot be exact is none. */
function parseLength(values: string): number {
  const [first, ...more] = new Set(values.split(',').map((value) => value.trim()))
  const length = Number(first)
  if (more.length > 0 || !/^\d{1,16}$/.test(first!) || !Number.isSafeInteger(length)) {
    throw new HttpSyntaxError(`bad Content-Length ${JSON.stringify(values.slice(0, 60))}`)
  }
  return length
}

/** The body of an answer; an empty stream when it can have none. */
export function bodyOf(
  head: HttpHead,
  reader: ByteReader,
  method: string,
): ReadableStream<Uint8Array> {
  const framing = framingOf(head, method)
  switch (framing.is) {
    case 'sized':
      return sized(reader, framing.length)
    case 'chunked':
      return chunked(reader)
    case 'until the end':
      return reader.remaining()
  }
  return framing satisfies never
}

function sized(reader: ByteReader, length: number): ReadableStream<Uint8Array> {
  let left = length
  return pulled(reader, async () => {
    if (left === 0) return undefined
    const bytes = await reader.upTo(left)
    if (bytes === undefined) throw new Error('connection ended in the middle of a body')
    left -= bytes.byteLength
    return bytes
  })
}

function chunked(reader: ByteReader): ReadableStream<Uint8Array> {
  let left = 0
  return pulled(reader, async () => {
    if (left === 0) {
      left = await chunkSize(reader)
      if (left === 0) return undefined
    }
    const bytes = await reader.upTo(left)
    if (bytes === undefined) throw new Error('connection ended in the middle of a chunk')
    left -= bytes.byteLength
    if (left === 0) await chunkEnd(reader)
    return bytes
  })
}

async function chunkSize(reader: ByteReader): Promise<number> {
  const line = await reader.until('\r\n', CHUNK_LINE_BYTES_MAX)
  const digits = /^([0-9a-fA-F]{1,13})[ \t]*(?:;|$)/.exec(line ?? '')
  if (digits === null) throw new HttpSyntaxError('malformed chunked encoding')
  return Number.parseInt(digits[1]!, 16)
}

async function chunkEnd(reader: ByteReader): Promise<void> {
  const end = await reader.exactly(2)
  if (end === undefined || end[0] !== 13 || end[1] !== 10) {
    throw new HttpSyntaxError('malformed chunked encoding')
  }
}

function pulled(reader: ByteReader, next: () => Promise<Uint8Array | undefined>) {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const bytes = await next()
        if (bytes === undefined) {
          controller.close()
          // Nothing more is wanted of this connection, trailers included.
          await reader.cancel(undefined)
        } else controller.enqueue(bytes)
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

const CHUNK_END = Buffer.from('\r\n')

export function formatChunk(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${bytes.byteLength.toString(16)}\r\n`), bytes, CHUNK_END])
}

export const LAST_CHUNK: Uint8Array = Buffer.from('0\r\n\r\n')
