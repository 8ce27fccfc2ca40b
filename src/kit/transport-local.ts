// The API in this same process: no socket, no TLS, the same bytes.

import type { UserInfo } from '../api/resource.ts'
import { linesOf } from '../lib/lines.ts'
import type { ApiRequest, Transport, WatchRequest } from './client.ts'
import { errorOf } from './client-impl.ts'

/** `app.fetch` of the server; `user` takes the place of authentication. */
export type Fetch = (request: Request, env: { user: UserInfo }) => Promise<Response>

// The host is only there because a Request needs one.
const ORIGIN = 'http://kedge.internal'

export function localTransport(fetch: Fetch, user: UserInfo, userAgent: string): Transport {
  const call = ({ method, path, contentType, accept, body }: ApiRequest, signal: AbortSignal) => {
    const headers = new Headers({ 'user-agent': userAgent })
    if (accept !== undefined) headers.set('accept', accept)
    if (contentType !== undefined) headers.set('content-type', contentType)
    const init =
      body === undefined ? { method, headers, signal } : { method, headers, signal, body }
    return fetch(new Request(ORIGIN + path, init), { user })
  }
  return {
    async request(request, signal) {
      signal.throwIfAborted()
      const response = await call(request, signal)
      return { code: response.status, headers: response.headers, body: await response.text() }
    },

    async *watch(request: WatchRequest, signal) {
      signal.throwIfAborted()
      const response = await call({ method: 'GET', ...request }, signal)
      if (!response.ok) throw errorOf(response.status, await response.text())
      yield* linesOf(response.body, signal)
    },
  }
}
