// The connections of the port, and how long each may be without a request that is under way:
//
//   opened ─► [ 32 s ] ─► request ─► … ─► over ─► [ 90 s ] ─► request ─► …
//                │                                   │
//                └────────────► closed ◄─────────────┘
//
// So a hand-shake, the head of a request or a pause takes no longer than that. There is room for so
// many connections; for one more, the one goes that has been idle longest.

import type { Duplex } from 'node:stream'
import type { Clock } from '../../lib/clock.ts'

/** Upstream's time for the first head, hand-shake included, and its pause between two requests. */
const FIRST_MS_MAX = 32_000
const IDLE_MS_MAX = 90_000
/** Each costs some 50 KB: what a small machine can bear. */
export const CONNECTIONS_MAX = 2000

type Connection = { socket: Duplex; requestCount: number; cancel: () => void }

/** A socket, or the face of one that HTTP/2 shows. */
type Face = { remoteAddress?: string | undefined; remotePort?: number | undefined }

export class Connections {
  readonly #clock: Clock
  readonly #max: number
  readonly #all = new Map<string, Connection>()
  /** In the order in which they became idle. */
  readonly #idle = new Set<Connection>()

  constructor(clock: Clock, max = CONNECTIONS_MAX) {
    this.#clock = clock
    this.#max = max
  }

  get count(): number {
    return this.#all.size
  }

  /** To be called before the hand-shake. */
  opened(socket: Duplex & Face): void {
    if (this.#all.size >= this.#max) {
      const [longest] = this.#idle
      if (longest === undefined) return void socket.destroy()
      longest.socket.destroy()
      this.#forget(longest)
    }
    const connection: Connection = { socket, requestCount: 0, cancel: () => {} }
    const key = keyOf(socket)
    this.#all.set(key, connection)
    this.#rest(connection, FIRST_MS_MAX)
    socket.once('close', () => {
      if (this.#all.get(key) === connection) this.#all.delete(key)
      this.#wake(connection)
    })
  }

  /** A request has come whole, but for its body. Returns what says that it is over. */
  begin(face: Face): () => void {
    const connection = this.#all.get(keyOf(face))
    if (connection === undefined) return () => {}
    this.#wake(connection)
    connection.requestCount++
    return () => {
      connection.requestCount--
      if (connection.requestCount === 0) this.#rest(connection, IDLE_MS_MAX)
    }
  }

  destroyAll(): void {
    for (const { socket } of [...this.#all.values()]) socket.destroy()
  }

  #rest(connection: Connection, ms: number): void {
    if (connection.socket.destroyed) return
    this.#idle.add(connection)
    connection.cancel = this.#clock.after(ms, () => connection.socket.destroy())
  }

  #wake(connection: Connection): void {
    this.#idle.delete(connection)
    connection.cancel()
  }

  #forget(connection: Connection): void {
    this.#wake(connection)
    for (const [key, one] of this.#all) if (one === connection) this.#all.delete(key)
  }
}

const keyOf = ({ remoteAddress = '', remotePort = 0 }: Face) => `${remoteAddress} ${remotePort}`
