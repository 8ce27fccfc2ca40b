// The one connection of a node: out to the server, kept open, over which the server reaches the
// node's HTTP API and addresses in its network. Nothing on the node listens.
//
//   dial ──► hand-shake ──► carry streams ──► broken ──► wait a little longer each time ──► dial

import type { TLSSocket } from 'node:tls'
import type { Backoff } from '../lib/backoff.ts'
import type { ByteStream } from '../lib/byte-stream.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { openTcp, openTls, type Target } from '../lib/net/dial.ts'
import { dialError, joinHostPort } from '../lib/net/dial-error.ts'
import { Mux } from '../lib/net/mux.ts'
import { joinStreams } from '../lib/net/pipe.ts'
import { socketStream } from '../lib/net/socket-stream.ts'
import { connectWebSocket, messagesOver, type WebSocketStream } from '../lib/net/websocket.ts'
import type { Random } from '../lib/random.ts'
import { TUNNEL_PATH, TUNNEL_PROTOCOL } from '../protocol/paths.ts'
import { parsePurpose } from '../protocol/tunnel.ts'

export type TunnelOptions = {
  /** Asked before each attempt: the server's address may change, and certificates are renewed. */
  server(): TunnelServer
  /** The node's HTTP API. */
  serveNode(stream: ByteStream, signal: AbortSignal): Promise<void>
  clock: Clock
  random: Random
  log: Log
  backoff: Backoff
}

export type TunnelServer = {
  host: string
  port: number
  caPem: string
  certificatePem: string
  privateKeyPem: string
}

const HANDSHAKE_MS_MAX = 20_000
/** A connection that lasted so long was a good one; the next attempt need not wait. */
const GOOD_MS = 60_000

/** Keeps the tunnel open until `signal` aborts. */
export async function keepTunnel(options: TunnelOptions, signal: AbortSignal): Promise<void> {
  const { clock, log, backoff, random } = options
  while (!signal.aborted) {
    const startedMs = clock.monotonicMs()
    try {
      const socket = await openTunnel(options, signal)
      log.info('connected to the server')
      await carryTunnel(options, socket, signal)
      if (!signal.aborted) log.warn('connection to the server is lost')
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      if (!signal.aborted) log.warn('cannot connect to the server', { error: why })
    }
    if (clock.monotonicMs() - startedMs >= GOOD_MS) backoff.reset('tunnel')
    // Spread out, so that all nodes do not come back in one moment after the server was away.
    const delayMs = backoff.next('tunnel') * (0.5 + random.next() / 2)
    await clock.sleep(delayMs, signal).catch(ignoreAbort)
  }
}

/** The loop looks at the signal itself. */
function ignoreAbort(): void {}

/** Serves what the server opens, until the connection is over. */
export async function carryTunnel(
  { clock, serveNode, log }: Pick<TunnelOptions, 'clock' | 'serveNode' | 'log'>,
  socket: WebSocketStream,
  signal: AbortSignal,
): Promise<void> {
  const stop = new AbortController()
  const until = AbortSignal.any([signal, stop.signal])
  const accept = async (purpose: string, opening: AbortSignal) => {
    const wanted = parsePurpose(purpose)
    if (wanted === undefined) throw new Error('purpose of the stream is not known')
    if (wanted.to === 'address') {
      const connection = await dialAddress(wanted, opening)
      return (opened: ByteStream) => void joinStreams(opened, connection, until)
    }
    return (opened: ByteStream) => void serve(opened)
  }
  const serve = async (opened: ByteStream) => {
    try {
      await serveNode(opened, until)
    } catch (error) {
      log.error('stream to this node failed', { error })
      opened.abort(error)
    }
  }
  await new Mux(messagesOver(socket), { initiator: false, clock, accept }).run(signal)
  stop.abort(new Error('connection to the server is lost'))
}

/** A TCP connection from this node. */
export async function dialAddress(target: Target, signal: AbortSignal): Promise<ByteStream> {
  const socket = await openTcp(target, signal).catch((error) => {
    signal.throwIfAborted()
    throw dialError(target.host, target.port, error)
  })
  return socketStream(socket)
}

/** Connects, proves who this node is, and asks for the tunnel. */
async function openTunnel(options: TunnelOptions, signal: AbortSignal): Promise<WebSocketStream> {
  const limit = new AbortController()
  const cancel = options.clock.after(HANDSHAKE_MS_MAX, () => {
    limit.abort(new Error('server did not answer in time'))
  })
  const until = AbortSignal.any([signal, limit.signal])
  try {
    const server = options.server()
    const identity = { ca: server.caPem, cert: server.certificatePem, key: server.privateKeyPem }
    const socket = await openTls(server, identity, until)
    const onAbort = () => socket.destroy()
    until.addEventListener('abort', onAbort, { once: true })
    try {
      return await handshake(socket, server)
    } catch (error) {
      // It broke because we had waited long enough.
      until.throwIfAborted()
      throw error
    } finally {
      until.removeEventListener('abort', onAbort)
    }
  } finally {
    cancel()
  }
}

function handshake(socket: TLSSocket, { host, port }: TunnelServer): Promise<WebSocketStream> {
  return connectWebSocket(socket, {
    authority: joinHostPort(host, port),
    path: TUNNEL_PATH,
    protocols: [TUNNEL_PROTOCOL],
    encrypted: true,
  })
}
