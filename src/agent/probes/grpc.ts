// One call of grpc.health.v1.Health/Check over HTTP/2 without encryption.
//
// The two messages are so small that they are written and read by hand: a request with a string in
// field 1, an answer with a number in field 1.

import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2'
import { joinHostPort } from '../../lib/net/dial-error.ts'

export type HealthAnswer =
  | { readonly ok: true; readonly status: string }
  | { readonly ok: false; readonly code: number; readonly message: string }

const STATUSES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']
export const UNIMPLEMENTED = 12
const INTERNAL = 13

/** Rejects when there is no connection, or when `signal` aborts. */
export async function checkHealth(
  host: string,
  port: number,
  service: string,
  signal: AbortSignal,
): Promise<HealthAnswer> {
  signal.throwIfAborted()
  const session = connect(`http://${joinHostPort(host, port)}`)
  const { promise: broken, reject } = Promise.withResolvers<never>()
  // After the answer nobody listens any more, and that is fine.
  broken.catch(() => {})
  const onAbort = () => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  session.once('error', reject)
  try {
    return await Promise.race([call(session, service), broken])
  } finally {
    signal.removeEventListener('abort', onAbort)
    session.destroy()
  }
}

function call(session: ClientHttp2Session, service: string): Promise<HealthAnswer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      'user-agent': 'kube-probe/1.36',
      te: 'trailers',
    })
    let head: IncomingHttpHeaders = {}
    let trailers: IncomingHttpHeaders = {}
    const chunks: Buffer[] = []
    stream.on('response', (headers) => {
      head = headers
    })
    stream.on('trailers', (headers) => {
      trailers = headers
    })
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.once('error', reject)
    stream.once('end', () => resolve(answerOf({ ...head, ...trailers }, Buffer.concat(chunks))))
    stream.end(frame(encodeRequest(service)))
  })
}

function answerOf(headers: IncomingHttpHeaders, body: Buffer): HealthAnswer {
  const http = Number(headers[':status'] ?? 200)
  if (http !== 200) {
    const code = http === 404 ? UNIMPLEMENTED : INTERNAL
    return { ok: false, code, message: `unexpected HTTP status code received from server: ${http}` }
  }
  const code = Number(headers['grpc-status'] ?? 0)
  if (code !== 0) {
    const message = decodeURIComponent(String(headers['grpc-message'] ?? ''))
    return { ok: false, code, message }
  }
  return { ok: true, status: STATUSES[decodeStatus(body.subarray(5))] ?? 'UNKNOWN' }
}

/** Length-prefixed, not compressed. */
function frame(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

export function encodeRequest(service: string): Buffer {
  if (service === '') return Buffer.alloc(0)
  const text = Buffer.from(service)
  const length: number[] = []
  for (let rest = text.length; ; rest >>>= 7) {
    if (rest < 0x80) {
      length.push(rest)
      break
    }
    length.push((rest & 0x7f) | 0x80)
  }
  return Buffer.concat([Buffer.from([0x0a, ...length]), text])
}

/** Field 1 as a varint; 0 when it is left out. */
export function decodeStatus(message: Buffer): number {
  return message[0] === 0x08 ? (message[1] ?? 0) : 0
}
