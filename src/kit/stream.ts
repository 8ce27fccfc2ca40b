// A WebSocket as a sequence of texts, read only as fast as they are asked for.

import type { Clock } from '../lib/clock.ts'
import { timeLimit } from '../lib/clock.ts'
import { openTcp, openTls, type TlsIdentity } from '../lib/net/dial.ts'
import { connectWebSocket, type WebSocketStream } from '../lib/net/websocket.ts'

export type StreamOptions = {
  /** `https://host:port/path`, or `http:` */
  url: string
  tls: TlsIdentity
  headers: Record<string, string>
  clock: Clock
}

/** The other side answered the handshake with something else, or nobody answered. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
}

/** Twice this long may pass until it is seen that a peer vanished. */
const PING_MS = 30_000
/** An answer to the handshake that takes longer never comes. */
const OPEN_MS_MAX = 30_000
/**
 * An object of 3 MiB may hold nothing but characters that JSON writes with six, and names its
 * field managers besides.
 */
const MESSAGE_BYTES_MAX = 32 * 1024 * 1024

/**
 * The texts that come, until the other side closes. Throws RefusedError when it never opened, and
 * an error when the connection broke.
 */
export async function* messagesOf(
  options: StreamOptions,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const socket = await open(options, signal)
  socket.endWhenSilent(options.clock, PING_MS)
  const leave = () => void socket.close(1000, '')
  signal.addEventListener('abort', leave, { once: true })
  try {
    for (;;) {
      const message = await received(socket)
      signal.throwIfAborted()
      if (message === undefined) break
      yield textOf(message.data)
    }
  } finally {
    signal.removeEventListener('abort', leave)
    leave()
  }
  const { code, reason } = socket.closedWith ?? { code: GONE_AWAY, reason: '' }
  if (code === GOOD_BYE || code === GONE_AWAY) return
  throw new Error(`read stream: closed with ${code} ${reason}`)
}

/** RFC 6455, 7.4.1. */
const GOOD_BYE = 1000
const GONE_AWAY = 1001

async function open(options: StreamOptions, signal: AbortSignal): Promise<WebSocketStream> {
  signal.throwIfAborted()
  const url = new URL(options.url)
  const isSecure = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const target = { host, port: Number(url.port || (isSecure ? 443 : 80)) }
  const limit = timeLimit(options.clock, OPEN_MS_MAX, signal)
  try {
    const dialing = isSecure
      ? openTls(target, options.tls, limit.signal)
      : openTcp(target, limit.signal)
    const socket = await dialing
    const leave = () => socket.destroy()
    limit.signal.addEventListener('abort', leave, { once: true })
    try {
      return await connectWebSocket(socket, {
        authority: url.host,
        path: url.pathname + url.search,
        headers: options.headers,
        encrypted: isSecure,
        messageBytesMax: MESSAGE_BYTES_MAX,
      })
    } finally {
      limit.signal.removeEventListener('abort', leave)
    }
  } catch (error) {
    signal.throwIfAborted()
    const why = limit.signal.aborted ? 'no answer' : (error as Error).message
    throw new RefusedError(`open stream: ${why}`, { cause: error })
  } finally {
    limit.done()
  }
}

function received(socket: WebSocketStream) {
  return socket.receive().catch((error) => {
    throw new Error(`read stream: ${error.message}`, { cause: error })
  })
}

const textOf = ({ buffer, byteOffset, byteLength }: Uint8Array) =>
  Buffer.from(buffer, byteOffset, byteLength).toString()
