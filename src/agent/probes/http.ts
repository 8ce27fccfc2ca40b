// The little of HTTP/1.1 that a probe or a hook needs, over a socket of its own: no proxy from the
// environment, no connection kept, no certificate checked, as the kubelet does it.

import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { joinHostPort } from '../../lib/net/dial-error.ts'
import { type HttpTarget, urlOf } from './target.ts'
import { openTcp } from './tcp.ts'

export type HttpAnswer = { readonly code: number; readonly location: string; readonly body: string }

const HEAD_BYTES_MAX = 64 * 1024
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
    socket.write(requestText(target))
    return parseAnswer(await readAnswer(socket))
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

function requestText({ host, port, path, headers }: HttpTarget): string {
  const own = headers.find(([name]) => name.toLowerCase() === 'host')?.[1]
  const lines = headers
    .filter(([name]) => !['host', 'connection'].includes(name.toLowerCase()))
    .map(([name, value]) => `${name}: ${value}`)
  const first = [`GET ${path} HTTP/1.1`, `Host: ${own || joinHostPort(host, port)}`]
  // A header with a line break would become two; nobody asks for that in good faith.
  const text = [...first, ...lines, 'Connection: close'].map((line) =>
    line.replaceAll(/[\r\n]/g, ''),
  )
  return `${text.join('\r\n')}\r\n\r\n`
}

/** Reads until the other side closes, the body is complete, or there is more than anybody needs. */
function readAnswer(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      if (isComplete(bytes)) resolve(bytes)
    })
    socket.once('error', reject)
    socket.once('close', () => {
      if (bytes.length > 0) resolve(bytes)
      else reject(new Error('EOF'))
    })
  })
}

function isComplete(bytes: Buffer): boolean {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd < 0) return bytes.length > HEAD_BYTES_MAX
  const length = /^content-length: *(\d+)/im.exec(bytes.subarray(0, headEnd).toString('latin1'))
  const bodyBytes = bytes.length - headEnd - 4
  return bodyBytes >= Math.min(Number(length?.[1] ?? BODY_BYTES_MAX), BODY_BYTES_MAX)
}

function parseAnswer(bytes: Buffer): HttpAnswer {
  const headEnd = bytes.indexOf('\r\n\r\n')
  const head = bytes.subarray(0, headEnd < 0 ? bytes.length : headEnd).toString('latin1')
  const code = /^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1]
  if (code === undefined) {
    throw new Error(
      `net/http: HTTP/1.x transport connection broken: malformed HTTP response ${JSON.stringify(head.slice(0, 60))}`,
    )
  }
  const isChunked = /^transfer-encoding: *chunked/im.test(head)
  const location = /^location: *(.*)$/im.exec(head)?.[1]?.trim() ?? ''
  const raw = headEnd < 0 ? Buffer.alloc(0) : bytes.subarray(headEnd + 4)
  const body = isChunked ? joinChunks(raw) : raw
  return { code: Number(code), location, body: body.subarray(0, BODY_BYTES_MAX).toString() }
}

/** What a chunked body holds; as much of it as has come. */
function joinChunks(raw: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const lineEnd = raw.indexOf('\r\n', at)
    const size = lineEnd < 0 ? 0 : Number.parseInt(raw.subarray(at, lineEnd).toString('latin1'), 16)
    if (!(size > 0)) return Buffer.concat(parts)
    parts.push(raw.subarray(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
}
