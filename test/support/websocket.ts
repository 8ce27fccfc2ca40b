// WebSockets in memory: a client of our server, and both ends of one.

import type { ByteStream } from '../../src/lib/byte-stream.ts'
import { ByteReader } from '../../src/lib/net/byte-reader.ts'
import { duplexOf } from '../../src/lib/net/duplex.ts'
import { headerOf, readHead } from '../../src/lib/net/http1.ts'
import { streamPair } from '../../src/lib/net/pipe.ts'
import {
  acceptWebSocket,
  connectWebSocket,
  type WebSocketStream,
} from '../../src/lib/net/websocket.ts'

/** Asks for a WebSocket over `stream`. Rejects with what the other side answered instead. */
export function dialWebSocket(
  stream: ByteStream,
  path: string,
  protocols: readonly string[] = [],
): Promise<WebSocketStream> {
  return connectWebSocket(duplexOf(stream), { authority: 'test', path, protocols })
}

/** Reads the request for a WebSocket that comes over `stream`, and accepts it. */
export async function takeWebSocket(stream: ByteStream): Promise<WebSocketStream> {
  const reader = new ByteReader(stream.readable)
  const head = await readHead(reader)
  if (head === undefined) throw new Error('nobody asked')
  const request = {
    method: head.line.split(' ')[0]!,
    header: (name: string) => headerOf(head, name),
  }
  const rest: ByteStream = {
    readable: reader.remaining(),
    write: (bytes) => stream.write(bytes),
    end: () => stream.end(),
    abort: (reason) => stream.abort(reason),
  }
  const [protocol] = (request.header('sec-websocket-protocol') ?? '').split(', ')
  return acceptWebSocket(duplexOf(rest), request, { protocol: protocol || undefined })
}

/** The two ends of one WebSocket, and the connection at the client's. */
export async function webSocketPair(capacityBytes?: number) {
  const [wire, far] = streamPair(capacityBytes)
  const [client, server] = await Promise.all([dialWebSocket(wire, '/'), takeWebSocket(far)])
  return { client, server, wire }
}
