// Sockets to somewhere else, once they are connected.

import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'

export type Target = { readonly host: string; readonly port: number }

/** In PEM: who may have signed what the other side shows, and what we show. */
export type TlsIdentity = {
  readonly ca: string
  readonly cert?: string | undefined
  readonly key?: string | undefined
}

/** Either side may end before the other. */
export function openTcp({ host, port }: Target, signal: AbortSignal): Promise<Socket> {
  return opened(connectTcp({ host, port, allowHalfOpen: true }), 'connect', signal)
}

/** For HTTP/1.1. Rejects when the certificate is not the host's, or signed by somebody else. */
export function openTls(
  { host, port }: Target,
  { ca, cert, key }: TlsIdentity,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const socket = connectTls({ host, port, ca, cert, key, ALPNProtocols: ['http/1.1'] })
  return opened(socket, 'secureConnect', signal)
}

/** What goes wrong after that is told by the socket itself. */
function opened<S extends Socket>(socket: S, event: string, signal: AbortSignal): Promise<S> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      signal.removeEventListener('abort', onAbort)
      socket.off('error', onError)
    }
    const onError = (error: Error) => {
      settle()
      reject(error)
    }
    const onAbort = () => {
      settle()
      socket.on('error', ignoreLateError)
      socket.destroy()
      reject(signal.reason)
    }
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    socket.once('error', onError)
    socket.once(event, () => {
      settle()
      socket.setNoDelay(true)
      resolve(socket)
    })
  })
}

/** Nobody waits for the connection any more. */
function ignoreLateError(): void {}
