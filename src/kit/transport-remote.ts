// The API across the network: requests over HTTPS with keep-alive, watches over WebSocket.
//
// Address and credentials are asked for at every use, so that both may change while running:
// connections made before keep going, those made after use the new ones.

import type { Clock } from '../lib/clock.ts'
import { timeLimit } from '../lib/clock.ts'
import { linesOf } from '../lib/lines.ts'
import type { ApiRequest, Transport } from './client.ts'
import { errorOf } from './client-impl.ts'
import { messagesOf, RefusedError } from './stream.ts'

export type Credentials = {
  /** PEM of the authorities that may have signed the server's certificate. */
  ca: string
  /** PEM of the client certificate and its key. */
  cert?: string
  key?: string
  token?: string
}

export type RemoteOptions = {
  /** `https://host:port` */
  url: () => string
  credentials: () => Credentials
  userAgent: string
  clock: Clock
}

/** As the server's own limit for what is no watch or stream. */
const REQUEST_MS_MAX = 60_000

export function remoteTransport(options: RemoteOptions): Transport {
  return {
    async request(request, signal) {
      const limit = timeLimit(options.clock, REQUEST_MS_MAX, signal)
      try {
        const response = await send(options, request, limit.signal)
        const body = await response.text()
        return { code: response.status, headers: response.headers, body }
      } finally {
        limit.done()
      }
    },

    async *watch(request, signal) {
      const { tls, headers } = secured(options, { accept: request.accept })
      const url = options.url() + request.path
      try {
        yield* messagesOf({ url, tls, headers, clock: options.clock }, signal)
      } catch (error) {
        if (!(error instanceof RefusedError)) throw error
        // A refused handshake does not say why; the same request over plain HTTP does. And where
        // something between us and the server knows no WebSocket, it is the watch itself.
        const limit = timeLimit(options.clock, REQUEST_MS_MAX, signal)
        const response = await send(options, { method: 'GET', ...request }, limit.signal)
        limit.done()
        if (!response.ok) throw errorOf(response.status, await response.text())
        yield* linesOf(response.body, signal)
      }
    },
  }
}

async function send(options: RemoteOptions, request: ApiRequest, signal: AbortSignal) {
  const { method, path, body, accept, contentType } = request
  const { tls, headers } = secured(options, { accept, 'content-type': contentType })
  const init = { method, headers, tls, signal, ...(body === undefined ? {} : { body }) }
  return fetch(options.url() + path, init)
}

function secured(options: RemoteOptions, more: Record<string, string | undefined>) {
  const { token, ...tls } = options.credentials()
  const headers: Record<string, string> = { 'user-agent': options.userAgent }
  if (token !== undefined) headers.authorization = `Bearer ${token}`
  for (const [name, value] of Object.entries(more)) if (value !== undefined) headers[name] = value
  return { tls, headers }
}
