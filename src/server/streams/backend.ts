// A connection to where a request goes, and the one exchange that is made over it.

import { connect as connectTls } from 'node:tls'
import { ApiError } from '../../api/status.ts'
import type { ByteStream } from '../../lib/byte-stream.ts'
import { ByteReader } from '../../lib/net/byte-reader.ts'
import { joinHostPort } from '../../lib/net/dial-error.ts'
import { duplexOf } from '../../lib/net/duplex.ts'
import { formatHead, type HttpHeaders } from '../../lib/net/http1.ts'
import { socketStream } from '../../lib/net/socket-stream.ts'
import type { StreamDeps, Target } from './contract.ts'
import { isProxyable } from './targets.ts'

export type Backend = {
  stream: ByteStream
  reader: ByteReader
}

type Reachable = Exclude<Target, { is: 'nothing' }>

/** Throws ApiError with what upstream would say when there is no way. */
export async function dialTarget(
  { nodes }: StreamDeps,
  target: Reachable,
  signal: AbortSignal,
): Promise<Backend> {
  try {
    const stream =
      target.is === 'node'
        ? await nodes.dialNode(target.nodeName, signal)
        : await dialAddress(nodes, target, signal)
    return { stream, reader: new ByteReader(stream.readable) }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    if (target.is === 'node') throw new ApiError(500, '', `error dialing backend: ${why}`)
    const message = `error trying to reach service: ${why}`
    throw new ApiError(503, 'ServiceUnavailable', message)
  }
}

async function dialAddress(
  nodes: StreamDeps['nodes'],
  { nodeName, host, port, tls }: Extract<Target, { is: 'address' }>,
  signal: AbortSignal,
): Promise<ByteStream> {
  // Looked at here as well: whatever has led to it, this is where the connection is made.
  if (!isProxyable(host)) throw new Error('address not allowed')
  const plain = await nodes.dialFrom(nodeName, { host, port }, signal)
  if (!tls) return plain
  // As upstream: pods and services behind a proxy are not asked who they are.
  const socket = connectTls({ socket: duplexOf(plain), rejectUnauthorized: false })
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve)
    socket.once('error', reject)
  })
  return socketStream(socket)
}

export type Outgoing = { method: string; target: Reachable; headers: HttpHeaders }

export async function sendHead({ stream }: Backend, { method, target, headers }: Outgoing) {
  const host = target.is === 'node' ? target.nodeName : joinHostPort(target.host, target.port)
  await stream.write(formatHead(`${method} ${target.path} HTTP/1.1`, [['Host', host], ...headers]))
}
