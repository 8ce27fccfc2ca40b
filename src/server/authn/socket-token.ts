// A bearer token as a sub-protocol of a WebSocket: browsers can send no other header with one.
//
//   Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.TOKEN, v5.channel.k8s.io
//
// becomes the Authorization that every check knows; what goes on to nodes and pods holds no token.

import { unauthorized } from '../../api/status.ts'
import type { Call } from '../transport/call.ts'

const HEADER = 'sec-websocket-protocol'
const PREFIX = 'base64url.bearer.authorization.k8s.io.'

/** What a client offers, in its order. */
export function offeredProtocols(call: Call): string[] {
  const names = (call.header(HEADER) ?? '').split(',').map((name) => name.trim())
  return names.filter((name) => name !== '')
}

/** `call` as it would be with a header. Throws ApiError 401 for a token that makes no sense. */
export function withSocketToken(call: Call): Call {
  if (call.header('upgrade')?.toLowerCase() !== 'websocket') return call
  const offers = offeredProtocols(call)
  const [first, second] = offers.filter((name) => name.startsWith(PREFIX))
  if (first === undefined) return call
  const token = decodeToken(first.slice(PREFIX.length))
  const others = offers.filter((name) => !name.startsWith(PREFIX))
  // There must be one that can be answered with: a token is told to nobody.
  if (second !== undefined || token === undefined || others.length === 0) throw unauthorized()
  return replaced(call, `Bearer ${token}`, others.join(', '))
}

/** Strict base64url without padding, of UTF-8. Undefined for anything else, and for nothing. */
function decodeToken(text: string): string | undefined {
  if (!/^[\w-]+$/.test(text) || text.length % 4 === 1) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(text, 'base64url'))
  } catch {
    // Not UTF-8.
    return undefined
  }
}

function replaced(call: Call, authorization: string, protocols: string): Call {
  const isReplaced = (name: string) => name === HEADER || name === 'authorization'
  return {
    method: call.method,
    path: call.path,
    rawPath: call.rawPath,
    query: call.query,
    env: call.env,
    header(name) {
      if (name === HEADER) return protocols
      return call.header(name) ?? (name === 'authorization' ? authorization : undefined)
    },
    *headers() {
      for (const line of call.headers()) if (!isReplaced(line[0])) yield line
      yield [HEADER, protocols]
    },
    body: (bytesMax) => call.body(bytesMax),
    bodyStream: () => call.bodyStream(),
    get signal() {
      return call.signal
    },
  }
}
