// Opens a TCP connection, and says in Go's words why it could not.

import { connect, type Socket } from 'node:net'
import { joinHostPort } from './target.ts'

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ECONNRESET: 'connect: connection reset by peer',
  ETIMEDOUT: 'i/o timeout',
}

/** Rejects with `dial tcp 10.0.0.1:80: connect: connection refused`, or when `signal` aborts. */
export function openTcp(host: string, port: number, signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted()
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port })
    const onAbort = () => {
      socket.destroy()
      reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    const settle = () => signal.removeEventListener('abort', onAbort)
    socket.once('connect', () => {
      settle()
      resolve(socket)
    })
    socket.once('error', (error: Error & { code?: string }) => {
      settle()
      const why = REASONS[error.code ?? ''] ?? error.message
      reject(new Error(`dial tcp ${joinHostPort(host, port)}: ${why}`))
    })
  })
}
