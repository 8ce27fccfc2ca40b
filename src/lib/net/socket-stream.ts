// A socket as a byte stream. The socket is paused while nobody reads, so that the other side stops.

import type { Socket } from 'node:net'
import type { ByteStream } from '../byte-stream.ts'
import { ByteQueue } from './byte-queue.ts'

/** Read ahead of whoever takes the bytes. */
const READ_AHEAD_BYTES = 128 * 1024

/** Takes over `socket`; `head` are bytes that came with it already. */
export function socketStream(socket: Socket, head?: Uint8Array): ByteStream {
  const queue = new ByteQueue({
    capacityBytes: READ_AHEAD_BYTES,
    onCancel() {
      cancelled = true
      // What we have written last must get out still; what comes in now is of no use to anybody.
      if (socket.writableEnded) socket.resume()
      else socket.destroy()
    },
  })
  let cancelled = false
  const push = (bytes: Uint8Array) => {
    if (cancelled) return
    const room = queue.push(bytes)
    if (queue.waitingBytes < READ_AHEAD_BYTES) return
    socket.pause()
    void room.then(() => socket.resume())
  }
  if (head !== undefined && head.byteLength > 0) push(head)
  let failure: unknown
  socket.on('data', push)
  socket.on('end', () => queue.end())
  socket.on('error', (error) => {
    failure = error
    queue.fail(error)
  })
  socket.on('close', () => queue.fail(failure ?? new Error('connection closed')))

  return {
    readable: queue.readable,
    write: (bytes) => writeTo(socket, bytes),
    end: () => endOf(socket),
    abort(reason) {
      // Before the socket says anything: some of its ways to end look like the end of the stream.
      queue.fail(reason)
      socket.destroy()
    },
  }
}

function writeTo(socket: Socket, bytes: Uint8Array): Promise<void> {
  if (socket.destroyed || socket.writableEnded) {
    return Promise.reject(new Error('connection closed'))
  }
  if (socket.write(bytes)) return Promise.resolve()
  return new Promise((resolve, reject) => {
    const settle = (run: () => void) => () => {
      socket.off('drain', onDrain)
      socket.off('close', onClose)
      run()
    }
    const onDrain = settle(resolve)
    const onClose = settle(() => reject(new Error('connection closed')))
    socket.on('drain', onDrain)
    socket.on('close', onClose)
  })
}

function endOf(socket: Socket): Promise<void> {
  if (socket.destroyed || socket.writableEnded) return Promise.resolve()
  return new Promise((resolve) => {
    socket.once('close', () => resolve())
    socket.end(() => resolve())
  })
}
