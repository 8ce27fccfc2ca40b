// pods/log over WebSocket: each piece of the log is a message, with no channels.

import { badRequest } from '../../api/status.ts'
import type { ByteStream } from '../../lib/byte-stream.ts'
import { formatHead } from '../../lib/net/http1.ts'
import { copyBytes } from '../../lib/net/pipe.ts'
import { acceptKey, WebSocketStream } from '../../lib/net/websocket.ts'
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

/** Throws ApiError as long as nothing is sent. */
export async function sendLog(
  deps: StreamDeps,
  call: Call,
  info: RequestInfo,
  client: ByteStream,
): Promise<void> {
  const key = call.header('sec-websocket-key')
  if (key === undefined) throw badRequest('logs are upgraded to WebSocket only')
  const offers = (call.header('sec-websocket-protocol') ?? '').split(',').map((name) => name.trim())
  const protocol = offers.find((name) => name in PROTOCOLS)
  if (protocol === undefined) {
    throw badRequest(`requested protocol(s) are not supported: ${offers.join(', ')}`)
  }
  const { body } = await answerStream(deps, call, info)
  const head = formatHead('HTTP/1.1 101 Switching Protocols', [
    ['Upgrade', 'websocket'],
    ['Connection', 'Upgrade'],
    ['Sec-WebSocket-Accept', acceptKey(key)],
    ...(protocol === '' ? [] : ([['Sec-WebSocket-Protocol', protocol]] as const)),
  ])
  await client.write(head)
  const socket = new WebSocketStream(client)
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
