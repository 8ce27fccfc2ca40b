// A request to the node's HTTP API, and short answers to it. One exchange per connection.

import type { ByteStream } from '../../lib/byte-stream.ts'
import { formatHead, type HttpHead, headerOf } from '../../lib/net/http1.ts'

export type NodeRequest = {
  readonly method: string
  /** Percent-decoded, without the first slash. */
  readonly segments: readonly string[]
  readonly query: URLSearchParams
  readonly head: HttpHead
}

/** Undefined for what is no request line, or a path that cannot be decoded. */
export function parseRequest(head: HttpHead): NodeRequest | undefined {
  const [method, target, version] = head.line.split(' ')
  if (!method || !target?.startsWith('/') || !version?.startsWith('HTTP/1.')) return undefined
  const mark = target.indexOf('?')
  const path = mark < 0 ? target : target.slice(0, mark)
  try {
    const segments = path.slice(1).split('/').map(decodeURIComponent)
    const query = new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1))
    return { method, segments, query, head }
  } catch {
    // Malformed percent-encoding.
    return undefined
  }
}

export function header(request: NodeRequest, name: string): string | undefined {
  return headerOf(request.head, name)
}

/** `1`, `true` and the like; an absent or empty parameter is false. */
export function isSet({ query }: NodeRequest, name: string): boolean {
  const value = query.get(name)
  return value !== null && value !== '' && value !== '0' && value.toLowerCase() !== 'false'
}

/** An answer that is not success, in plain words, as the kubelet gives them. */
export class HttpError extends Error {
  readonly code: number
  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

const REASONS: Record<number, string> = {
  200: 'OK',
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  500: 'Internal Server Error',
}

export const statusLine = (code: number) => `HTTP/1.1 ${code} ${REASONS[code] ?? 'Status'}`

export async function respond(
  stream: ByteStream,
  code: number,
  contentType: string,
  body: string,
  headers: readonly (readonly [string, string])[] = [],
): Promise<void> {
  const bytes = Buffer.from(body)
  const head = formatHead(statusLine(code), [
    ['Content-Type', contentType],
    ['Content-Length', String(bytes.byteLength)],
    ['Connection', 'close'],
    ...headers,
  ])
  await stream.write(Buffer.concat([head, bytes]))
  await stream.end()
}
