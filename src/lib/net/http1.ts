// HTTP/1.1 messages over a byte stream: one exchange, no keep-alive (RFC 9112).

import type { ByteReader } from './byte-reader.ts'

export type HttpHeaders = readonly (readonly [name: string, value: string])[]
/** Request line or status line, and the headers as they came. */
export type HttpHead = { readonly line: string; readonly headers: HttpHeaders }

/** What upstream's servers take, with room for large cookies and tokens. */
const HEAD_BYTES_MAX = 256 * 1024
const CHUNK_LINE_BYTES_MAX = 1024

/** Undefined when the stream ends before the first byte. */
export async function readHead(reader: ByteReader): Promise<HttpHead | undefined> {
  const text = await reader.until('\r\n\r\n', HEAD_BYTES_MAX)
  if (text === undefined) return undefined
  const [line, ...lines] = text.split('\r\n')
  const headers = lines.map((header): [string, string] => {
    const colon = header.indexOf(':')
    if (colon <= 0) throw new Error('malformed header line')
    return [header.slice(0, colon), header.slice(colon + 1).trim()]
  })
  return { line: line!, headers }
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
export function statusOf(head: HttpHead): number {
  const code = Number(head.line.split(' ')[1])
  if (!head.line.startsWith('HTTP/1.') || !Number.isInteger(code)) {
    throw new Error('malformed status line')
  }
  return code
}

/** The body of an answer; an empty stream when it can have none. */
export function bodyOf(
  head: HttpHead,
  reader: ByteReader,
  method: string,
): ReadableStream<Uint8Array> {
  const code = statusOf(head)
  if (method === 'HEAD' || code === 204 || code === 304) return sized(reader, 0)
  const coding = headerOf(head, 'transfer-encoding')
  if (coding?.toLowerCase().includes('chunked')) return chunked(reader)
  const length = headerOf(head, 'content-length')
  return length === undefined ? reader.remaining() : sized(reader, Number(length))
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
    if (left === 0) await reader.exactly(2)
    return bytes
  })
}

async function chunkSize(reader: ByteReader): Promise<number> {
  const line = await reader.until('\r\n', CHUNK_LINE_BYTES_MAX)
  const digits = /^[0-9a-fA-F]+/.exec(line ?? '')
  if (digits === null) throw new Error('malformed chunk')
  return Number.parseInt(digits[0], 16)
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
