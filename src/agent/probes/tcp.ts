// Opens a TCP connection, and says in Go's words why it could not.

import { connect, type Socket } from 'node:net'
import { dialError } from '../../lib/net/dial-error.ts'

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
    socket.once('error', (error) => {
      settle()
      reject(dialError(host, port, error))
    })
  })
}
