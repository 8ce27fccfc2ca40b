// The node's HTTP API, with the kubelet's paths, on any byte stream: a stream of the tunnel, or
// memory in the process of the server. Nothing listens for it.

import { REMOVE_VOLUME } from '../../api/volume/local.ts'
import type { ByteStream } from '../../lib/byte-stream.ts'
import { ByteReader } from '../../lib/net/byte-reader.ts'
import { readHead } from '../../lib/net/http1.ts'
import { own } from '../../lib/own.ts'
import { VolumeInUse } from '../../volumes/claimed.ts'
import { handleLogs } from './logs.ts'
import { handleMetrics } from './metrics.ts'
import type { NodeHttp } from './pods-on-node.ts'
import { handlePortForward } from './port-forward.ts'
import { handleAttach, handleExec } from './remote-command.ts'
import { HttpError, type NodeRequest, parseRequest, respond } from './request.ts'

type Handler = (
  node: NodeHttp,
  request: NodeRequest,
  stream: ByteStream,
  signal: AbortSignal,
) => Promise<void>

type Route = {
  /** How many the path has. */
  segments: number
  handle: Handler
  upgrades: boolean
  asksPods: boolean
  /** Default: GET. */
  method?: 'POST'
}

/** By the first segment of the path. */
const HANDLERS: Readonly<Record<string, Route>> = {
  containerLogs: { segments: 4, handle: handleLogs, upgrades: false, asksPods: true },
  exec: { segments: 4, handle: handleExec, upgrades: true, asksPods: true },
  attach: { segments: 4, handle: handleAttach, upgrades: true, asksPods: true },
  portForward: { segments: 3, handle: handlePortForward, upgrades: true, asksPods: true },
  healthz: { segments: 1, handle: handleHealth, upgrades: false, asksPods: false },
  pods: { segments: 1, handle: handlePods, upgrades: false, asksPods: true },
  metrics: { segments: 1, handle: handleMetrics, upgrades: false, asksPods: false },
  stats: { segments: 2, handle: handleStats, upgrades: false, asksPods: true },
  [REMOVE_VOLUME]: {
    segments: 2,
    handle: handleRemoveVolume,
    upgrades: false,
    asksPods: true,
    method: 'POST',
  },
}

/** One request and its answer. Never rejects; the stream is over when it resolves. */
export async function serveNode(
  node: NodeHttp,
  connection: ByteStream,
  signal: AbortSignal,
): Promise<void> {
  const reader = new ByteReader(connection.readable)
  let answered = false
  const answer: Omit<ByteStream, 'readable'> = {
    write(bytes) {
      answered = true
      return connection.write(bytes)
    },
    end: () => connection.end(),
    abort: (reason) => connection.abort(reason),
  }
  try {
    const head = await readHead(reader)
    if (head === undefined) return
    const request = parseRequest(head)
    if (request === undefined) throw new HttpError(400, 'malformed request')
    await dispatch(node, request, { answer, reader }, signal)
  } catch (error) {
    // After the first byte of an answer there can be no other.
    if (answered) connection.abort(error)
    else await answerError(node, connection, error)
  } finally {
    await reader.cancel(undefined)
  }
}

type Exchange = { answer: Omit<ByteStream, 'readable'>; reader: ByteReader }

async function dispatch(
  node: NodeHttp,
  request: NodeRequest,
  { answer, reader }: Exchange,
  signal: AbortSignal,
): Promise<void> {
  const route = own(HANDLERS, request.segments[0]!)
  if (route === undefined || route.segments !== request.segments.length) {
    throw new HttpError(404, '404 page not found')
  }
  if (route.asksPods) await node.pods.known(signal)
  if (route.upgrades) {
    // What the client has sent already belongs to the protocol that comes next.
    return route.handle(node, request, { ...answer, readable: reader.remaining() }, signal)
  }
  const { method = 'GET' } = route
  if (request.method !== method) throw new HttpError(405, 'method not allowed')
  if (method === 'POST') {
    // Its body says nothing; and what was begun is not left half done when the caller goes.
    return route.handle(node, request, { ...answer, readable: reader.remaining() }, signal)
  }
  const gone = new AbortController()
  void reader.some().then(
    () => gone.abort(new Error('client has gone')),
    (error) => gone.abort(error),
  )
  const nothing = new ReadableStream<Uint8Array>()
  const until = AbortSignal.any([signal, gone.signal])
  await route.handle(node, request, { ...answer, readable: nothing }, until)
}

async function answerError(node: NodeHttp, connection: ByteStream, error: unknown): Promise<void> {
  const isOurs = error instanceof HttpError
  const message = error instanceof Error ? error.message : String(error)
  if (!isOurs) node.log.warn('request to the node failed', { error: message })
  try {
    await respond(connection, isOurs ? error.code : 500, 'text/plain; charset=utf-8', message)
  } catch {
    // The client is gone.
    connection.abort(error)
  }
}

async function handleHealth(_: NodeHttp, __: NodeRequest, stream: ByteStream): Promise<void> {
  await respond(stream, 200, 'text/plain; charset=utf-8', 'ok')
}

async function handlePods(node: NodeHttp, _: NodeRequest, stream: ByteStream): Promise<void> {
  const list = { kind: 'PodList', apiVersion: 'v1', metadata: {}, items: node.pods.list() }
  await respond(stream, 200, 'application/json', JSON.stringify(list))
}

async function handleStats(
  node: NodeHttp,
  request: NodeRequest,
  stream: ByteStream,
  signal: AbortSignal,
): Promise<void> {
  if (request.segments[1] !== 'summary') throw new HttpError(404, '404 page not found')
  await respond(stream, 200, 'application/json', JSON.stringify(await node.stats(signal)))
}

async function handleRemoveVolume(
  node: NodeHttp,
  request: NodeRequest,
  stream: ByteStream,
): Promise<void> {
  try {
    await node.removeVolume(request.segments[1]!)
  } catch (error) {
    if (error instanceof VolumeInUse) throw new HttpError(409, error.message)
    throw error
  }
  await respond(stream, 200, 'application/json', '{}')
}
