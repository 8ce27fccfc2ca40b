// Nodes that have dialled in, and the node in this process: the way to every node's HTTP API, and
// to the pods and services that it reaches. A node needs no port that anybody could connect to.

import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ByteStream } from '../../lib/byte-stream.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { Mux } from '../../lib/net/mux.ts'
import { socketStream } from '../../lib/net/socket-stream.ts'
import {
  acceptWebSocket,
  HandshakeError,
  messagesOver,
  type WebSocketStream,
} from '../../lib/net/websocket.ts'
import { TUNNEL_PROTOCOL } from '../../protocol/paths.ts'
import { formatPurpose, type StreamPurpose } from '../../protocol/tunnel.ts'
import type { NodeDialer } from '../contract.ts'
import type { Call } from '../transport/call.ts'
import { Reconnects } from './reconnects.ts'
import { refuse } from './relay.ts'

type Address = { host: string; port: number }

/** The agent in this process, reached without a network. */
export type LocalNode = {
  readonly name: string
  /** The node's HTTP API. */
  dial(signal: AbortSignal): Promise<ByteStream>
  dialAddress(target: Address, signal: AbortSignal): Promise<ByteStream>
}

export class Tunnels implements NodeDialer {
  readonly #clock: Clock
  readonly #log: Log
  readonly #tunnels = new Map<string, Mux>()
  readonly #reconnects: Reconnects<Mux>
  readonly #stop = new AbortController()
  #local: LocalNode | undefined

  constructor({ clock, log }: { clock: Clock; log: Log }) {
    this.#clock = clock
    this.#log = log
    this.#reconnects = new Reconnects(clock)
  }

  /** Names the agent of this process; undefined takes it away. */
  setLocal(node: LocalNode | undefined): void {
    this.#local = node
  }

  /** Ends every tunnel, and those that come later. */
  close(): void {
    this.#stop.abort(new Error('the server stops'))
  }

  /** Names of the nodes that can be reached now. */
  get connected(): readonly string[] {
    const local = this.#local === undefined ? [] : [this.#local.name]
    return [...local, ...this.#tunnels.keys()]
  }

  /**
   * Takes over a connection from `nodeName`, whose identity the caller has verified. Resolves when
   * it is over. A newer tunnel of the same node takes the place of the older one.
   */
  async accept(nodeName: string, call: Call, socket: Duplex, head: Uint8Array): Promise<void> {
    let connection: WebSocketStream
    try {
      if (call.header('sec-websocket-protocol') !== TUNNEL_PROTOCOL) {
        throw new HandshakeError('a tunnel has a protocol of its own')
      }
      connection = acceptWebSocket(socket, call, { protocol: TUNNEL_PROTOCOL, head })
    } catch (error) {
      return refuse(socketStream(socket as Socket, head), error)
    }
    await this.carry(nodeName, connection)
  }

  /** Serves a tunnel over a connection on which the handshake is over. */
  async carry(nodeName: string, socket: WebSocketStream): Promise<void> {
    const accept = () => Promise.reject(new Error('the server takes no streams from nodes'))
    const mux = new Mux(messagesOver(socket), { initiator: true, clock: this.#clock, accept })
    const older = this.#tunnels.get(nodeName)
    this.#tunnels.set(nodeName, mux)
    this.#reconnects.came(nodeName, mux)
    older?.close(new Error('node has opened a new tunnel'))
    this.#log.info('node connected', { node: nodeName })
    await mux.run(this.#stop.signal)
    if (this.#tunnels.get(nodeName) === mux) {
      this.#tunnels.delete(nodeName)
      this.#reconnects.lost(nodeName)
    }
    this.#log.info('node disconnected', { node: nodeName })
  }

  dialNode(nodeName: string, signal: AbortSignal): Promise<ByteStream> {
    if (this.#local?.name === nodeName) return this.#local.dial(signal)
    return this.#tunnelTo(nodeName, signal, { to: 'node' })
  }

  /** With no node to dial from, the one in this process does; else any that is connected. */
  dialFrom(nodeName: string, target: Address, signal: AbortSignal): Promise<ByteStream> {
    const from = nodeName === '' ? this.connected[0] : nodeName
    if (from === undefined) return Promise.reject(new Error('no node is connected'))
    if (this.#local?.name === from) return this.#local.dialAddress(target, signal)
    return this.#tunnelTo(from, signal, { to: 'address', ...target })
  }

  async #tunnelTo(
    nodeName: string,
    signal: AbortSignal,
    purpose: StreamPurpose,
  ): Promise<ByteStream> {
    const tunnel = this.#tunnels.get(nodeName) ?? (await this.#reconnects.of(nodeName, signal))
    if (tunnel === undefined) throw new Error(`node ${JSON.stringify(nodeName)} is not connected`)
    return await tunnel.open(formatPurpose(purpose), signal)
  }
}
