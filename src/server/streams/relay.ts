// Upgraded connections: the request goes to the node or pod, the answer comes back as it is, and
// after 101 bytes are passed on both ways. What they mean is between the two ends.

import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { ApiError, badRequest } from '../../api/status.ts'
import type { ByteStream } from '../../lib/byte-stream.ts'
import { bodyOf, formatHead, type HttpHead, readAnswerHead, statusOf } from '../../lib/net/http1.ts'
import { copyBytes } from '../../lib/net/pipe.ts'
import { socketStream } from '../../lib/net/socket-stream.ts'
import { HandshakeError } from '../../lib/net/websocket.ts'
import type { RequestInfo } from '../request/request-info.ts'
import type { Call } from '../transport/call.ts'
import { type Backend, dialTarget, sendHead } from './backend.ts'
import type { StreamDeps } from './contract.ts'
import { requestHeaders, upgradeHeaders } from './headers.ts'
import { sendLog } from './log-socket.ts'
import { planTarget } from './targets.ts'

/** Resolves when the connection is over. Never rejects: errors are answers on the socket. */
export async function relayUpgrade(
  deps: StreamDeps,
  call: Call,
  info: RequestInfo,
  socket: Duplex,
  head: Uint8Array,
): Promise<void> {
  if (info.subresource === 'log') {
    return sendLog(deps, call, info, socket, head).catch((error) =>
      refuse(socketStream(socket as Socket, head), error),
    )
  }
  const client = socketStream(socket as Socket, head)
  const gone = new AbortController()
  socket.once('close', () => gone.abort(new Error('client has gone')))
  try {
    const backend = await openBackend(deps, call, info, gone.signal)
    gone.signal.addEventListener('abort', () => backend.stream.abort(gone.signal.reason))
    const answer = await readAnswerHead(backend.reader)
    await client.write(formatHead(answer.line, answer.headers))
    if (statusOf(answer) === 101) await passBothWays(client, backend)
    else await passAnswer(client, backend, answer, call)
  } catch (error) {
    await refuse(client, error)
  }
}

async function openBackend(
  deps: StreamDeps,
  call: Call,
  info: RequestInfo,
  signal: AbortSignal,
): Promise<Backend> {
  const upgrade = call.header('upgrade')
  if (upgrade === undefined) throw badRequest('Upgrade request required')
  const target = planTarget(info, call, deps)
  if (target.is === 'nothing') throw badRequest('there is nothing to connect to yet')
  const backend = await dialTarget(deps, target, signal)
  const kept = target.is === 'node' ? upgradeHeaders(call) : requestHeaders(call)
  const headers: [string, string][] = [...kept, ['Connection', 'Upgrade'], ['Upgrade', upgrade]]
  await sendHead(backend, { method: call.method, target, headers })
  return backend
}

/** Over when the far end has said its last; what the client still sends is of no use to it then. */
async function passBothWays(client: ByteStream, { stream, reader }: Backend): Promise<void> {
  const outward = async () => {
    await copyBytes(client.readable, (bytes) => stream.write(bytes))
    await stream.end()
  }
  const broken = (reason: unknown) => stream.abort(reason)
  void outward().catch(broken)
  try {
    await copyBytes(reader.remaining(), (bytes) => client.write(bytes))
    await client.end()
  } catch (error) {
    client.abort(error)
  }
  stream.abort(new Error('connection is over'))
}

/** The far end has refused; its words reach the client as they are. */
async function passAnswer(
  client: ByteStream,
  { reader }: Backend,
  answer: HttpHead,
  { method }: Call,
): Promise<void> {
  try {
    await copyBytes(bodyOf(answer, reader, method), (bytes) => client.write(bytes))
    await client.end()
  } catch (error) {
    // Half an answer has gone out already.
    client.abort(error)
  }
}

export async function refuse(client: ByteStream, error: unknown): Promise<void> {
  const fault = asApiError(error)
  const body = Buffer.from(`${JSON.stringify(fault.toStatus())}\n`)
  const head = formatHead(`HTTP/1.1 ${fault.code} ${fault.reason || 'Error'}`, [
    ['Content-Type', 'application/json'],
    ['Content-Length', String(body.byteLength)],
    ['Connection', 'close'],
  ])
  try {
    await client.write(Buffer.concat([head, body]))
    await client.end()
  } catch {
    // The client is gone.
    client.abort(error)
  }
}

function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (error instanceof HandshakeError) return badRequest(error.message)
  const why = error instanceof Error ? error.message : String(error)
  return new ApiError(500, '', `error dialing backend: ${why}`)
}
