// Headers that go on to a node or a pod, and those that come back.

import type { HttpHeaders } from '../../lib/net/http1.ts'
import type { Call } from '../transport/call.ts'

/** Between two neighbours only (RFC 9110, 7.6.1), and what we set ourselves. */
const HOP_BY_HOP = new Set([
  ...['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer'],
  ...['transfer-encoding', 'upgrade', 'host', 'proxy-connection', 'http2-settings'],
])
/** Who the caller is, is between him and us. */
const SECRET = /^(authorization$|impersonate-|x-remote-)/

/** Those of a protocol that an upgrade leads to. */
const UPGRADE = /^(sec-websocket-|x-stream-protocol-version$|origin$)/

export function requestHeaders(call: Call): [string, string][] {
  return [...call.headers()]
    .filter(([name]) => !HOP_BY_HOP.has(name) && !SECRET.test(name))
    .map(([name, value]) => [name, value])
}

/** For the node's own API: nothing but what the protocol needs. */
export function upgradeHeaders(call: Call): [string, string][] {
  return requestHeaders(call).filter(([name]) => UPGRADE.test(name))
}

/** What the answer tells, as an object; repeated ones as lists. */
export function answerHeaders(headers: HttpHeaders): Record<string, string | string[]> {
  const result = new Map<string, string[]>()
  for (const [name, value] of headers) {
    const key = name.toLowerCase()
    // Cross-origin rights are ours to give, not a pod's.
    if (HOP_BY_HOP.has(key) || key.startsWith('access-control-')) continue
    const seen = result.get(key)
    if (seen === undefined) result.set(key, [value])
    // One length is as good as the same length twice.
    else if (key !== 'content-length') seen.push(value)
  }
  return Object.fromEntries(
    [...result].map(([key, all]) => [key, all.length === 1 ? all[0]! : all]),
  )
}
