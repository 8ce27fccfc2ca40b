// The exchange that a probe or a hook makes, over a socket of its own: no proxy from the
// environment, no connection kept, no certificate checked, as the kubelet does it.

import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { ByteReader } from '../../lib/net/byte-reader.ts'
import { joinHostPort } from '../../lib/net/dial-error.ts'
import { bodyOf, formatHead, readAnswerHead, statusOf } from '../../lib/net/http1.ts'
import { socketStream } from '../../lib/net/socket-stream.ts'
import { type HttpTarget, urlOf } from './target.ts'
import { openTcp } from './tcp.ts'

export type HttpAnswer = { readonly code: number; readonly location: string; readonly body: string }

const BODY_BYTES_MAX = 10 * 1024
const REDIRECTS_MAX = 10

/** The answer after redirects that stay on the same host. Rejects with `Get "http://…": why`. */
export async function httpGet(target: HttpTarget, signal: AbortSignal): Promise<HttpAnswer> {
  let at = target
  for (let redirects = 0; ; redirects++) {
    const answer = await once(at, signal).catch((error: unknown) => {
      signal.throwIfAborted()
      const why = error instanceof Error ? error.message : String(error)
      throw new Error(`Get "${urlOf(at)}": ${why}`)
    })
    const isRedirect = [301, 302, 303, 307, 308].includes(answer.code) && answer.location !== ''
    const next = isRedirect ? redirected(at, answer.location) : undefined
    if (next === undefined || next.host !== target.host) return answer
    if (redirects >= REDIRECTS_MAX) {
      throw new Error(`Get "${urlOf(next)}": stopped after ${REDIRECTS_MAX} redirects`)
    }
    at = next
  }
}

function redirected(from: HttpTarget, location: string): HttpTarget | undefined {
  if (!URL.canParse(location, urlOf(from))) return undefined
  const url = new URL(location, urlOf(from))
  const scheme = url.protocol === 'https:' ? 'https' : 'http'
  return {
    ...from,
    scheme,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || (scheme === 'https' ? 443 : 80)),
    path: `${url.pathname}${url.search}`,
  }
}

async function once(target: HttpTarget, signal: AbortSignal): Promise<HttpAnswer> {
  const raw = await openTcp(target.host, target.port, signal)
  const onAbort = () => raw.destroy(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    const socket = target.scheme === 'https' ? await encrypted(raw) : raw
    const stream = socketStream(socket)
    await stream.write(requestHead(target))
    return await readAnswer(new ByteReader(stream.readable))
  } finally {
    signal.removeEventListener('abort', onAbort)
    raw.destroy()
  }
}

function encrypted(socket: Socket): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const secure = connectTls({ socket, rejectUnauthorized: false })
    secure.once('secureConnect', () => resolve(secure))
    secure.once('error', reject)
    socket.once('close', () => reject(new Error('EOF')))
  })
}

function requestHead({ host, port, path, headers }: HttpTarget): Uint8Array {
  const own = headers.find(([name]) => name.toLowerCase() === 'host')?.[1]
  const kept = headers.filter(([name]) => !['host', 'connection'].includes(name.toLowerCase()))
  // A header with a line break would become two; nobody asks for that in good faith.
  const flat = (text: string) => text.replaceAll(/[\r\n]/g, '')
  return formatHead(flat(`GET ${path} HTTP/1.1`), [
    ['Host', flat(own || joinHostPort(host, port))],
    ...kept.map(([name, value]) => [flat(name), flat(value)] as const),
    ['Connection', 'close'],
  ])
}

/** Reads until the body is complete, or there is more of it than anybody needs. */
async function readAnswer(reader: ByteReader): Promise<HttpAnswer> {
  const head = await readAnswerHead(reader)
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of bodyOf(head, reader, 'GET')) {
    parts.push(part)
    bytes += part.byteLength
    if (bytes >= BODY_BYTES_MAX) break
  }
  const body = Buffer.concat(parts).subarray(0, BODY_BYTES_MAX).toString()
  const [, location = ''] = head.headers.find(([name]) => name.toLowerCase() === 'location') ?? []
  return { code: statusOf(head), location, body }
}
