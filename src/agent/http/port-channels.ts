// port-forward over plain WebSocket channels: 2i for the bytes of the i-th port, 2i+1 for its
// errors. The first message on each is the port, as two bytes.

import type { ByteStream } from '../../lib/byte-stream.ts'
import { copyBytes } from '../../lib/net/pipe.ts'
import { ChannelSocket } from './channel-socket.ts'
import type { DialPod } from './port-forward.ts'
import { HttpError, type NodeRequest } from './request.ts'
import { offered, upgradeToWebSocket } from './upgrade.ts'

const PROTOCOLS: Readonly<Record<string, { base64: boolean }>> = {
  '': { base64: false },
  'v4.channel.k8s.io': { base64: false },
  'v4.base64.channel.k8s.io': { base64: true },
}

export async function acceptPortChannels(
  stream: ByteStream,
  request: NodeRequest,
  dial: DialPod,
  signal: AbortSignal,
): Promise<void> {
  const names = offered(request, 'sec-websocket-protocol')
  const name = names.length === 0 ? '' : names.find((offer) => offer in PROTOCOLS)
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
  const connections = await Promise.all(ports.map((port, i) => open(socket, i, port, dial, signal)))
  await carry(socket, connections)
}

async function open(
  socket: ChannelSocket,
  index: number,
  port: number,
  dial: DialPod,
  signal: AbortSignal,
): Promise<ByteStream | undefined> {
  try {
    const connection = await dial(port, signal)
    void copyBytes(connection.readable, (bytes) => socket.send(2 * index, bytes)).catch(ignoreGone)
    return connection
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    await socket.send(2 * index + 1, Buffer.from(text))
    return undefined
  }
}

/** Passes on what the client sends, until it goes. */
async function carry(
  socket: ChannelSocket,
  connections: readonly (ByteStream | undefined)[],
): Promise<void> {
  const reason = new Error('client has gone')
  try {
    for (;;) {
      const message = await socket.receive()
      if (message === undefined) break
      const connection = message.channel % 2 === 0 ? connections[message.channel / 2] : undefined
      await connection?.write(message.data).catch(ignoreGone)
    }
  } catch (error) {
    socket.abort(error)
  }
  for (const connection of connections) connection?.abort(reason)
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
