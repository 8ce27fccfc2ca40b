// Upgrading a request: to WebSocket with one of our sub-protocols, or to SPDY/3.1.

import type { ByteStream } from '../../lib/byte-stream.ts'
import { duplexOf } from '../../lib/net/duplex.ts'
import { formatHead } from '../../lib/net/http1.ts'
import { acceptWebSocket, HandshakeError, type WebSocketStream } from '../../lib/net/websocket.ts'
import { HttpError, header, type NodeRequest } from './request.ts'

export type UpgradeKind = 'websocket' | 'spdy'

/** Throws 400 when the request asks for neither. */
export function upgradeKind(request: NodeRequest): UpgradeKind {
  const upgrade = header(request, 'upgrade')?.toLowerCase()
  if (upgrade === 'websocket') return 'websocket'
  if (upgrade === 'spdy/3.1') return 'spdy'
  throw new HttpError(400, 'Upgrade request required')
}

/** What the client offers, in its order. */
export function offered(request: NodeRequest, name: string): string[] {
  const value = header(request, name) ?? ''
  return value
    .split(',')
    .map((protocol) => protocol.trim())
    .filter((protocol) => protocol !== '')
}

/** Answers 101. `protocol` is one that the client has offered; undefined when it offered none. */
export function upgradeToWebSocket(
  stream: ByteStream,
  request: NodeRequest,
  protocol: string | undefined,
): WebSocketStream {
  const asked = { method: request.method, header: (name: string) => header(request, name) }
  try {
    return acceptWebSocket(duplexOf(stream), asked, { protocol })
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error
    throw new HttpError(400, error.message, { cause: error })
  }
}

const SPDY_PROTOCOL_HEADER = 'X-Stream-Protocol-Version'

/**
 * The first protocol of `supported` that the client offers. Undefined when it offers none at all,
 * as the oldest clients do. Throws 403 when none fits.
 */
export function spdyProtocol(
  request: NodeRequest,
  supported: readonly string[],
): string | undefined {
  const protocols = offered(request, SPDY_PROTOCOL_HEADER.toLowerCase())
  if (protocols.length === 0) return undefined
  const chosen = supported.find((protocol) => protocols.includes(protocol))
  if (chosen === undefined) {
    const [theirs, ours] = [protocols, supported].map((list) => JSON.stringify(list))
    const lists = `client supports ${theirs}, server accepts ${ours}`
    throw new HttpError(403, `unable to upgrade: unable to negotiate protocol: ${lists}`)
  }
  return chosen
}

export async function acceptSpdy(stream: ByteStream, protocol: string | undefined): Promise<void> {
  const head = formatHead('HTTP/1.1 101 Switching Protocols', [
    ['Connection', 'Upgrade'],
    ['Upgrade', 'SPDY/3.1'],
    ...(protocol === undefined ? [] : [[SPDY_PROTOCOL_HEADER, protocol] as const]),
  ])
  await stream.write(head)
}
