// A TCP connection to a port inside a pod's network namespace, also to what listens on localhost only.
//
// A socket belongs to the namespace in which it was made, and Bun makes the socket for a literal
// address within the call of `connect`. So the thread enters the namespace, calls, and leaves.

import { connect, type Socket } from 'node:net'
import { orAbort } from '../../lib/abort.ts'
import type { ByteStream } from '../../lib/byte-stream.ts'
import type { Syscalls } from './syscalls.ts'

const LOCALHOSTS = ['127.0.0.1', '::1']

/** Tries both localhosts, as kubectl port-forward promises. `netns` undefined means the host's. */
export async function dialLocalhost(
  syscalls: Syscalls,
  netns: string | undefined,
  port: number,
  signal: AbortSignal,
): Promise<ByteStream> {
  let failure: unknown
  for (const host of LOCALHOSTS) {
    signal.throwIfAborted()
    const call = () => connect({ host, port })
    const socket = netns === undefined ? call() : syscalls.inNetns(netns, call)
    try {
      await orAbort(connected(socket), signal)
      return streamOf(socket)
    } catch (error) {
      socket.destroy()
      signal.throwIfAborted()
      failure ??= error
    }
  }
  throw new Error(`connect to port ${port} in the pod`, { cause: failure })
}

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
}

function streamOf(socket: Socket): ByteStream {
  const failed = new Promise<never>((_, reject) => {
    socket.on('error', reject)
    socket.once('close', () => reject(new Error('the connection is closed')))
  })
  failed.catch(() => {}) // Whoever writes hears of it.
  return {
    readable: readableOf(socket),
    async write(bytes) {
      if (socket.destroyed) throw new Error('the connection is closed')
      if (socket.write(bytes)) return
      const drained = new Promise<void>((resolve) => {
        socket.once('drain', () => resolve())
      })
      await Promise.race([drained, failed])
    },
    end: async () => void socket.end(),
    abort: () => void socket.destroy(),
  }
}

/** Reads only as fast as the reader takes. */
function readableOf(socket: Socket): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    start(controller) {
      let isOver = false
      const finish = (act: () => void) => {
        if (isOver) return
        isOver = true
        act()
      }
      socket.on('data', (chunk: Uint8Array) => {
        if (isOver) return
        controller.enqueue(new Uint8Array(chunk))
        if ((controller.desiredSize ?? 0) <= 0) socket.pause()
      })
      socket.once('end', () => finish(() => controller.close()))
      socket.once('error', (error) => finish(() => controller.error(error)))
      socket.once('close', () => finish(() => controller.close()))
    },
    pull: () => void socket.resume(),
    cancel: () => void socket.destroy(),
  })
}
