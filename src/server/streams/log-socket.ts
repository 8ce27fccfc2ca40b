// pods/log over WebSocket: each piece of the log is a message, with no channels.

import type { Duplex } from 'node:stream'
import { badRequest } from '../../api/status.ts'
import { copyBytes } from '../../lib/net/pipe.ts'
import { acceptWebSocket, type WebSocketStream } from '../../lib/net/websocket.ts'
import type { RequestInfo } from '../request/request-info.ts'
import type { Call } from '../transport/call.ts'
import { answerStream } from './answer.ts'
import type { StreamDeps } from './contract.ts'

/** Whether messages are base64 text; without a protocol they are not. */
const PROTOCOLS: Readonly<Record<string, boolean>> = {
  '': false,
  'binary.k8s.io': false,
  'base64.binary.k8s.io': true,
}

/** Throws ApiError, or HandshakeError, as long as nothing is sent. */
export async function sendLog(
  deps: StreamDeps,
  call: Call,
  info: RequestInfo,
  client: Duplex,
  head: Uint8Array,
): Promise<void> {
  const offers = (call.header('sec-websocket-protocol') ?? '').split(',').map((name) => name.trim())
  const protocol = offers.find((name) => Object.hasOwn(PROTOCOLS, name))
  if (protocol === undefined) {
    throw badRequest(`requested protocol(s) are not supported: ${offers.join(', ')}`)
  }
  const { body } = await answerStream(deps, call, info)
  let socket: WebSocketStream
  try {
    socket = acceptWebSocket(client, call, { protocol: protocol || undefined, head })
  } catch (error) {
    if (body instanceof ReadableStream) await body.cancel(error)
    throw error
  }
  void readAway(socket)
  try {
    const isText = PROTOCOLS[protocol]!
    const send = (bytes: Uint8Array) => socket.send(isText ? base64(bytes) : bytes, isText)
    if (body instanceof ReadableStream) await copyBytes(body, send)
    await socket.close(1000, '')
  } catch (error) {
    socket.abort(error)
  }
}

const base64 = (bytes: Uint8Array) => Buffer.from(Buffer.from(bytes).toString('base64'))

/** What the client says means nothing, but pings want their answer, and its end is the end. */
async function readAway(socket: WebSocketStream): Promise<void> {
  try {
    while ((await socket.receive()) !== undefined);
  } catch (error) {
    socket.abort(error)
  }
}
