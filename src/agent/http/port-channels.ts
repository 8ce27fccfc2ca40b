// port-forward over plain WebSocket channels: 2i for the bytes of the i-th port, 2i+1 for its
// errors. The first message on each is the port, as two bytes.

import { orAbort } from '../../lib/abort.ts'
import type { ByteStream } from '../../lib/byte-stream.ts'
import { type Clock, timeLimit } from '../../lib/clock.ts'
import { copyBytes } from '../../lib/net/pipe.ts'
import { ChannelSocket } from './channel-socket.ts'
import { HttpError, type NodeRequest } from './request.ts'
import { offered, upgradeToWebSocket } from './upgrade.ts'

/** Connects to a port of the pod; what it rejects with is shown to the user. */
export type DialPod = (port: number, signal: AbortSignal) => Promise<ByteStream>

const PROTOCOLS: Readonly<Record<string, { base64: boolean }>> = {
  '': { base64: false },
  'v4.channel.k8s.io': { base64: false },
  'v4.base64.channel.k8s.io': { base64: true },
}

/** So long a pod may take what a client has sent before it left. */
const LAST_WORDS_MS_MAX = 30_000

export async function acceptPortChannels(
  stream: ByteStream,
  request: NodeRequest,
  { dial, clock }: { dial: DialPod; clock: Clock },
  signal: AbortSignal,
): Promise<void> {
  const names = offered(request, 'sec-websocket-protocol')
  const name = names.length === 0 ? '' : names.find((offer) => Object.hasOwn(PROTOCOLS, offer))
  if (name === undefined) {
    throw new HttpError(400, `requested protocol(s) are not supported: ${names.join(', ')}`)
  }
  const ports = parsePorts(request)
  const messages = upgradeToWebSocket(stream, request, name || undefined)
  const socket = new ChannelSocket(messages, PROTOCOLS[name]!.base64)
  for (const [index, port] of ports.entries()) {
    const bytes = Buffer.from([port & 255, port >> 8])
    await socket.send(2 * index, bytes)
    await socket.send(2 * index + 1, bytes)
  }
  const forwarded = await Promise.all(ports.map((port) => forwardPort(port, dial, signal)))
  // Channels have no end of their own: when the last connection is over, so is the WebSocket.
  const told = Promise.all(forwarded.map((port, index) => tell(socket, index, port))).then(
    () => socket.close(),
    (error) => socket.abort(error),
  )
  await carry(socket, forwarded)
  const limit = timeLimit(clock, LAST_WORDS_MS_MAX, signal)
  await orAbort(told, limit.signal).catch(ignoreGone)
  limit.done()
  for (const port of forwarded) if (!('failure' in port)) port.abort(new Error('client has gone'))
}

type Forwarded = ByteStream | { readonly failure: string }

async function forwardPort(port: number, dial: DialPod, signal: AbortSignal): Promise<Forwarded> {
  try {
    return await dial(port, signal)
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) }
  }
}

/** Passes on what the pod sends, or what went wrong. Rejects when the client takes no more. */
async function tell(socket: ChannelSocket, index: number, port: Forwarded): Promise<void> {
  if ('failure' in port) return socket.send(2 * index + 1, Buffer.from(port.failure))
  let isTaken = true
  const send = async (bytes: Uint8Array) => {
    isTaken = false
    await socket.send(2 * index, bytes)
    isTaken = true
  }
  await copyBytes(port.readable, send).catch((error) => {
    // A connection that the pod has broken is over as well.
    if (!isTaken) throw error
  })
}

/** Passes on what the client sends, until it goes. */
async function carry(socket: ChannelSocket, ports: readonly Forwarded[]): Promise<void> {
  const connections = ports.map((port) => ('failure' in port ? undefined : port))
  try {
    for (;;) {
      const message = await socket.receive()
      if (message === undefined) break
      const connection = message.channel % 2 === 0 ? connections[message.channel / 2] : undefined
      await connection?.write(message.data).catch(ignoreGone)
    }
    // What the client has sent last reaches the pod, too.
    await Promise.all(connections.map((connection) => connection?.end()))
  } catch (error) {
    socket.abort(error)
  }
}

/** One end of a connection that is over; the other ports go on. */
function ignoreGone(): void {}

function parsePorts({ query }: NodeRequest): number[] {
  const values = query.getAll('port')
  if (values.length === 0) throw new HttpError(400, 'query parameter "port" is required')
  return values.flatMap((value) => {
    if (value === '') throw new HttpError(400, 'query parameter "port" cannot be empty')
    return value.split(',').map((text) => {
      const port = Number(text)
      const isPort = /^\d+$/.test(text) && port < 65_536
      if (!isPort) throw new HttpError(400, `unable to parse ${JSON.stringify(text)} as a port`)
      if (port < 1) throw new HttpError(400, `port ${JSON.stringify(value)} must be > 0`)
      return port
    })
  })
}
