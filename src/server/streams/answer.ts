// Requests without an upgrade that end at a node or in a pod: logs and proxies. One HTTP exchange;
// the answer comes as a stream, as fast as the caller takes it.

import { ApiError, badRequest } from '../../api/status.ts'
import {
  bodyOf,
  formatChunk,
  framingOf,
  type HttpHead,
  LAST_CHUNK,
  readAnswerHead,
  statusOf,
} from '../../lib/net/http1.ts'
import { copyBytes } from '../../lib/net/pipe.ts'
import type { RequestInfo } from '../request/request-info.ts'
import type { Answer, Call } from '../transport/call.ts'
import { type Backend, dialTarget, sendHead } from './backend.ts'
import type { StreamDeps, Target } from './contract.ts'
import { answerHeaders, requestHeaders } from './headers.ts'
import { proxyPrefix, rewriteHtml, rewriteLocation } from './rewrite.ts'
import { planTarget } from './targets.ts'

/** Of an error of the node, what is worth passing on. */
const ERROR_BYTES_MAX = 2000
const PLAIN = { 'content-type': 'text/plain' }

/** Throws ApiError. The body of the answer must be read to its end, or cancelled. */
export async function answerStream(
  deps: StreamDeps,
  call: Call,
  info: RequestInfo,
): Promise<Answer> {
  const { subresource } = info
  if (subresource !== 'log' && subresource !== 'proxy') {
    planTarget(info, call, deps)
    throw badRequest('Upgrade request required')
  }
  if (subresource === 'proxy' && info.rest === '' && isReading(call)) return redirectToRoot(call)
  const target = planTarget(info, call, deps)
  if (target.is === 'nothing') return { code: 200, headers: { ...PLAIN }, body: '' }
  const stop = new AbortController()
  const signal = AbortSignal.any([call.signal, stop.signal])
  const backend = await dialTarget(deps, target, signal)
  const onAbort = () => backend.stream.abort(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    const head = await exchange(backend, call, target)
    const answer = { head, body: bodyOf(head, backend.reader, call.method) }
    if (subresource === 'log') return await logAnswer(answer, info)
    return await proxyAnswer(answer, call, info, target)
  } catch (error) {
    stop.abort(error)
    throw error instanceof ApiError ? error : unreachable(error)
  }
}

const isReading = ({ method }: Call) => method === 'GET' || method === 'HEAD'

/** Pages at the root of a pod have links that are relative to it. */
function redirectToRoot({ rawPath, query }: Call): Answer {
  const location = `${rawPath}/${query.raw === '' ? '' : `?${query.raw}`}`
  return { code: 301, headers: { location }, body: '' }
}

function unreachable(error: unknown): ApiError {
  const why = error instanceof Error ? error.message : String(error)
  return new ApiError(503, 'ServiceUnavailable', `error trying to reach service: ${why}`)
}

async function exchange(
  backend: Backend,
  call: Call,
  target: Exclude<Target, { is: 'nothing' }>,
): Promise<HttpHead> {
  const headers = target.is === 'node' && isReading(call) ? [] : requestHeaders(call)
  const body = isReading(call) ? undefined : call.bodyStream()
  const length = call.header('content-length')
  const sized = length !== undefined
  const framing: [string, string][] = [['Connection', 'close']]
  if (body !== undefined && !sized) framing.push(['Transfer-Encoding', 'chunked'])
  await sendHead(backend, { method: call.method, target, headers: [...headers, ...framing] })
  if (body === undefined) return readAnswerHead(backend.reader)
  const { stream } = backend
  const sending = copyBytes(body, (bytes) => stream.write(sized ? bytes : formatChunk(bytes)))
  const sent = sending.then(() => (sized ? undefined : stream.write(LAST_CHUNK)))
  // A server may answer, and close, before it has read everything: then the answer counts.
  sent.catch(() => {})
  return readAnswerHead(backend.reader)
}

type Incoming = { head: HttpHead; body: ReadableStream<Uint8Array> }

async function logAnswer({ head, body }: Incoming, { name }: RequestInfo): Promise<Answer> {
  const code = statusOf(head)
  if (code >= 200 && code <= 206) return { code: 200, headers: { ...PLAIN }, body }
  const text = await textOf(body, ERROR_BYTES_MAX)
  if (code === 400) throw badRequest(text)
  if (code === 500) {
    const details = { causes: [{ message: text }] }
    throw new ApiError(500, 'InternalError', `Internal error occurred: ${text}`, details)
  }
  const message = 'the server could not find the requested resource'
  if (code === 404)
    throw new ApiError(404, 'NotFound', `${message} ( pods/log ${name})`, {
      name,
      kind: 'pods/log',
    })
  throw new ApiError(code, 'Unknown', text)
}

async function proxyAnswer(
  { head, body }: Incoming,
  call: Call,
  info: RequestInfo,
  target: Exclude<Target, { is: 'nothing' }>,
): Promise<Answer> {
  const code = statusOf(head)
  if (code === 101) throw new Error('unexpected 101 response')
  const headers = answerHeaders(head.headers)
  // It may lie beside a framing that counts.
  if (framingOf(head, call.method).is === 'chunked') delete headers['content-length']
  const prefix = proxyPrefix(call.path, info.rest)
  const { location } = headers
  if (typeof location === 'string' && target.is === 'address') {
    headers.location = rewriteLocation(location, `${target.host}:${target.port}`, prefix)
  }
  const type = headers['content-type']
  const isHtml = typeof type === 'string' && type.toLowerCase().startsWith('text/html')
  if (target.is === 'node' || !isHtml || headers['content-encoding'] !== undefined) {
    return { code, headers, body }
  }
  if (call.method === 'HEAD') return { code, headers, body }
  delete headers['content-length']
  return { code, headers, body: rewriteHtml(body, prefix) }
}

async function textOf(body: ReadableStream<Uint8Array>, bytesMax: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    bytes += chunk.byteLength
    if (bytes >= bytesMax) break
  }
  return Buffer.concat(chunks).subarray(0, bytesMax).toString()
}
