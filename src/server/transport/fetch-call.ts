// Calls that come as a Request and are answered with a Response: callers in this process, and the
// documents that Hono routes.

import type { RequestEnv } from '../contract.ts'
import { Query } from '../request/query.ts'
import { BodyBuffer } from './body.ts'
import { type Answer, type Call, decodePath, isPush, type Push, type Sink } from './call.ts'

export function callOf(request: Request, env: RequestEnv): Call {
  const { rawPath, query } = splitUrl(request.url)
  return {
    method: request.method,
    path: decodePath(rawPath) ?? rawPath,
    rawPath,
    query: new Query(query),
    env,
    header: (name) => request.headers.get(name) ?? undefined,
    headers: () => request.headers,
    body: (bytesMax) => readAll(request, bytesMax),
    bodyStream: () => request.body ?? undefined,
    get signal() {
      return request.signal
    },
  }
}

/** Without parsing the whole URL: the path begins after the host. */
function splitUrl(url: string): { rawPath: string; query: string } {
  const start = url.indexOf('/', url.indexOf('//') + 2)
  const path = start < 0 ? '/' : url.slice(start)
  const at = path.indexOf('?')
  return at < 0
    ? { rawPath: path, query: '' }
    : { rawPath: path.slice(0, at), query: path.slice(at + 1) }
}

async function readAll(request: Request, bytesMax: number): Promise<Uint8Array> {
  if (request.body === null) return EMPTY
  const body = new BodyBuffer(bytesMax, request.headers.get('content-length') ?? undefined)
  const reader = request.body.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return body.join()
      body.add(value)
    }
  } finally {
    void reader.cancel().catch(() => {})
  }
}

const EMPTY = new Uint8Array()

/** `written`: what tells of the end, where somebody else does the writing. */
export function responseOf(
  answer: Answer,
  signal: AbortSignal,
  written?: (over: () => void) => void,
): Response {
  const over = answer.whenWritten ?? (() => {})
  // A caller in this process has what it is handed; only what is pushed takes time.
  if (written !== undefined) written(over)
  else if (!isPush(answer.body)) over()
  const headers = new Headers()
  for (const [name, value] of Object.entries(answer.headers)) {
    if (Array.isArray(value)) for (const one of value) headers.append(name, one)
    else if (name !== 'transfer-encoding') headers.set(name, value)
  }
  const body = isPush(answer.body) ? pushed(answer.body, signal, over) : answer.body
  return new Response(body as ConstructorParameters<typeof Response>[0], {
    status: answer.code,
    headers,
  })
}

/** What a reader may leave unread before the writer has to wait. */
const UNREAD_BYTES_MAX = 256 * 1024

function pushed(body: Push, signal: AbortSignal, over: () => void): ReadableStream<Uint8Array> {
  const gone = new AbortController()
  const ended = AbortSignal.any([signal, gone.signal])
  let wake = () => {}
  return new ReadableStream<Uint8Array>(
    {
      async start(controller) {
        const sink: Sink = {
          signal: ended,
          write: (bytes) => {
            if (ended.aborted) return false
            controller.enqueue(bytes)
            return (controller.desiredSize ?? 0) > 0
          },
          drained: () =>
            ended.aborted
              ? Promise.resolve()
              : new Promise((resolve) => {
                  wake = resolve
                }),
        }
        ended.addEventListener('abort', () => wake(), { once: true })
        finish(body.push(sink).finally(over), controller)
      },
      pull: () => wake(),
      cancel: (reason) => gone.abort(reason),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: UNREAD_BYTES_MAX }),
  )
}

/** `start` must not wait for the push: a stream that is starting is not read from. */
function finish(pushing: Promise<void>, controller: ReadableStreamDefaultController): void {
  pushing.then(
    () => quietly(() => controller.close()),
    (error) => quietly(() => controller.error(error)),
  )
}

function quietly(run: () => void): void {
  try {
    run()
  } catch {
    // The reader has cancelled the stream already.
  }
}
