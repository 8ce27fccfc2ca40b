// A TCP connection to a port inside a pod's network namespace, also to what listens on localhost
// only.
//
// A socket belongs to the namespace in which it was made, and `Bun.connect` makes the socket for a
// literal address before it returns (node:net does so later). So the thread enters the namespace,
// calls, and leaves.

import { orAbort } from '../lib/abort.ts'
import type { ByteStream } from '../lib/byte-stream.ts'
import type { Syscalls } from '../lib/linux/syscalls.ts'
import { dialError } from '../lib/net/dial-error.ts'

const LOCALHOSTS = ['127.0.0.1', '::1']

/** Tries both localhosts, as kubectl port-forward promises. `netns` undefined means the host's. */
export async function dialLocalhost(
  syscalls: Syscalls,
  netns: string | undefined,
  port: number,
  signal: AbortSignal,
): Promise<ByteStream> {
  const failures: string[] = []
  for (const host of LOCALHOSTS) {
    signal.throwIfAborted()
    const connection = new Connection()
    const call = () => connection.open(host, port)
    const opening = netns === undefined ? call() : syscalls.inNetns(netns, call)
    try {
      await orAbort(opening, signal)
      return connection
    } catch (error) {
      connection.abort(error)
      opening.catch(() => {}) // Reported below, or the caller has left.
      signal.throwIfAborted()
      failures.push(dialError(host, port, error).message)
    }
  }
  throw new Error(`failed to connect to localhost:${port}: ${failures.join(', ')}`)
}

/** A socket of Bun's as streams, reading only as fast as the reader takes. */
class Connection implements ByteStream {
  readonly readable: ReadableStream<Uint8Array>
  #socket: Bun.Socket | undefined
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #isClosed = false
  /** Settles when there is room to write, or nothing can be written any more. */
  #room = Promise.withResolvers<void>()

  constructor() {
    this.readable = new ReadableStream({
      start: (controller) => {
        this.#controller = controller
      },
      pull: () => void this.#socket?.resume(),
      cancel: () => this.abort('the reader has left'),
    })
  }

  async open(hostname: string, port: number): Promise<void> {
    this.#socket = await Bun.connect({
      hostname,
      port,
      allowHalfOpen: true,
      socket: {
        data: (socket, bytes) => {
          this.#controller?.enqueue(new Uint8Array(bytes))
          if ((this.#controller?.desiredSize ?? 0) <= 0) socket.pause()
        },
        drain: () => this.#room.resolve(),
        end: () => this.#endReading(),
        close: () => this.#close(),
        error: (_, error) => this.#fail(error),
      },
    })
    if (this.#isClosed) this.#socket.terminate()
  }

  async write(bytes: Uint8Array): Promise<void> {
    let rest = bytes
    while (rest.length > 0) {
      if (this.#isClosed || this.#socket === undefined) throw new Error('the connection is closed')
      this.#room = Promise.withResolvers()
      const written = this.#socket.write(rest)
      if (written < 0) throw new Error('the connection is closed')
      rest = rest.subarray(written)
      if (rest.length > 0) await this.#room.promise
    }
  }

  async end(): Promise<void> {
    this.#socket?.shutdown()
  }

  abort(_reason: unknown): void {
    this.#isClosed = true
    this.#socket?.terminate()
    this.#room.resolve()
  }

  #endReading(): void {
    this.#controller?.close()
    this.#controller = undefined
  }

  #fail(error: Error): void {
    this.#controller?.error(error)
    this.#controller = undefined
    this.#close()
  }

  #close(): void {
    this.#isClosed = true
    this.#room.resolve()
    this.#endReading()
  }
}
