// The sockets of the DNS: UDP and TCP on one address.
//
// Over TCP nobody can keep others out: a client has its share of the connections, one that says
// nothing is closed, and when all are taken the one that has been silent for longest makes room.

import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { type Asker, Share } from './forward.ts'
import { FrameReader, framed } from './frames.ts'
import type { Responder } from './respond.ts'

export type ListenOptions = { address: string; port: number; clock: Clock; log: Log }

const CONNECTIONS_MAX = 1000
const CONNECTIONS_PER_CLIENT_MAX = 64
/** For a whole query to come, and for its replies to be read. */
const IDLE_MS_MAX = 10_000
/** Queries of one connection that are being answered; further ones are not read until then. */
const PENDING_MAX = 32
/** What is shorter has no head: whoever sends it speaks something else. */
const QUERY_BYTES_MIN = 12
/** Replies of one connection that wait to be read. */
const UNREAD_BYTES_MAX = 256 * 1024

/** Resolves once both sockets are bound; they close when `signal` aborts. */
export async function listen(
  options: ListenOptions,
  respond: Responder,
  signal: AbortSignal,
): Promise<{ port: number }> {
  const { address, port, clock, log } = options
  const safely = async (query: Uint8Array, asker: Asker) => {
    try {
      return await respond(query, asker, signal)
    } catch (error) {
      if (!signal.aborted) log.warn('dns: answer a query', { error })
      return undefined
    }
  }
  const udp = await Bun.udpSocket({
    hostname: address,
    port,
    socket: {
      async data(socket, query, fromPort, fromAddress) {
        const reply = await safely(query, { over: 'udp', address: fromAddress })
        if (reply && !signal.aborted) socket.send(reply, fromPort, fromAddress)
      },
      error: (_socket, error) => log.debug('dns: udp socket', { error }),
    },
  })
  const connections = new Connections(clock, safely)
  const tcp = Bun.listen<Connection>({
    hostname: address,
    port: udp.port,
    socket: {
      open: (socket) => connections.open(socket),
      data: (socket, chunk) => socket.data?.receive(chunk),
      drain: (socket) => socket.data?.flush(),
      close: (socket) => connections.closed(socket.data),
      error: (_socket, error) => log.debug('dns: tcp socket', { error }),
    },
  })
  const close = () => {
    udp.close()
    tcp.stop(true)
    connections.stop()
  }
  signal.addEventListener('abort', close, { once: true })
  return { port: udp.port }
}

type Answer = (query: Uint8Array, asker: Asker) => Promise<Uint8Array | undefined>

class Connections {
  readonly #clock: Clock
  readonly #answer: Answer
  readonly #share = new Share(CONNECTIONS_MAX, CONNECTIONS_PER_CLIENT_MAX)
  /** The one that has been silent for longest comes first. */
  readonly #all = new Set<Connection>()

  constructor(clock: Clock, answer: Answer) {
    this.#clock = clock
    this.#answer = answer
  }

  open(socket: Bun.Socket<Connection>): void {
    const client = socket.remoteAddress
    if (this.#share.isFull) this.#makeRoom()
    if (!this.#share.take(client)) return void socket.terminate()
    const connection = new Connection(socket, client, {
      answer: this.#answer,
      clock: this.#clock,
      heard: () => this.#heard(connection),
    })
    socket.data = connection
    this.#all.add(connection)
  }

  closed(connection: Connection | undefined): void {
    if (connection === undefined || !this.#all.delete(connection)) return
    connection.closed()
    this.#share.giveBack(connection.client)
  }

  stop(): void {
    for (const connection of this.#all) this.closed(connection)
  }

  #makeRoom(): void {
    const [oldest] = this.#all
    if (oldest === undefined) return
    this.closed(oldest)
    oldest.end()
  }

  #heard(connection: Connection): void {
    if (!this.#all.delete(connection)) return
    this.#all.add(connection)
  }
}

type ConnectionDeps = { answer: Answer; clock: Clock; heard: () => void }

class Connection {
  readonly client: string
  readonly #socket: Bun.Socket<Connection>
  readonly #deps: ConnectionDeps
  readonly #frames = new FrameReader()
  /** What came while as many queries as may be were being answered. */
  readonly #waiting: Uint8Array[] = []
  #pendingCount = 0
  #unread: Uint8Array[] = []
  #unreadBytes = 0
  #cancelLimit: () => void

  constructor(socket: Bun.Socket<Connection>, client: string, deps: ConnectionDeps) {
    this.#socket = socket
    this.client = client
    this.#deps = deps
    this.#cancelLimit = deps.clock.after(IDLE_MS_MAX, () => this.end())
  }

  receive(chunk: Uint8Array): void {
    for (const query of this.#frames.read(chunk)) {
      if (query.length < QUERY_BYTES_MIN) return this.end()
      this.#waiting.push(query)
      this.#renew()
    }
    this.#next()
  }

  /** Writes on what the client has not read yet. */
  flush(): void {
    while (this.#unread.length > 0) {
      const [first] = this.#unread
      const written = Math.max(0, this.#socket.write(first!))
      this.#unreadBytes -= written
      if (written < first!.length) {
        this.#unread[0] = first!.subarray(written)
        return
      }
      this.#unread.shift()
    }
  }

  end(): void {
    this.#socket.terminate()
  }

  closed(): void {
    this.#cancelLimit()
    this.#waiting.length = 0
    this.#unread = []
  }

  /** Only a whole query counts: bytes that trickle in buy no time. */
  #renew(): void {
    this.#cancelLimit()
    this.#cancelLimit = this.#deps.clock.after(IDLE_MS_MAX, () => this.end())
    this.#deps.heard()
  }

  #next(): void {
    while (this.#pendingCount < PENDING_MAX && this.#waiting.length > 0) {
      this.#pendingCount++
      const answering = this.#deps.answer(this.#waiting.shift()!, {
        over: 'tcp',
        address: this.client,
      })
      // It says in the log what goes wrong; then there is no reply.
      answering.then(
        (reply) => this.#answered(reply),
        () => this.#answered(undefined),
      )
    }
    if (this.#waiting.length > 0) this.#socket.pause()
    else this.#socket.resume()
  }

  #answered(reply: Uint8Array | undefined): void {
    this.#pendingCount--
    if (this.#socket.readyState <= 0) return
    if (reply !== undefined) {
      const frame = framed(reply)
      this.#unread.push(frame)
      this.#unreadBytes += frame.length
      if (this.#unreadBytes > UNREAD_BYTES_MAX) return this.end()
      this.flush()
    }
    this.#next()
  }
}
