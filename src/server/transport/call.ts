// One request and its answer, whichever way they came: a socket, or a call in this process.
//
//   node:http2 listener ─► Call ─┐                    ┌─► Answer ─► socket
//   app.fetch(Request)  ─► Call ─┴─► the same chain ─┴─► Answer ─► Response

import type { Duplex } from 'node:stream'
import { ApiError } from '../../api/status.ts'
import type { RequestEnv } from '../contract.ts'
import type { Query } from '../request/query.ts'

export interface Call {
  readonly method: string
  /** Percent-decoded, without the query; as it was sent when it makes no sense. */
  readonly path: string
  /** As it was sent, without the query. */
  readonly rawPath: string
  readonly query: Query
  readonly env: RequestEnv
  /** `name` in lower case. Several lines of one header are joined with ", ". */
  header(name: string): string | undefined
  /** Every line of the headers, names in lower case. */
  headers(): Iterable<readonly [string, string]>
  /** Reads the whole body. Throws `BodyTooLargeError` past `bytesMax`. */
  body(bytesMax: number): Promise<Uint8Array>
  /** The body as it comes in, for proxies. */
  bodyStream(): ReadableStream<Uint8Array> | undefined
  /** Aborts when the caller is gone. */
  readonly signal: AbortSignal
}

export type Answer = {
  code: number
  headers: Record<string, string | string[]>
  body: string | Uint8Array | ReadableStream<Uint8Array> | Push
  /** To be called once the reader has taken all of it, or never will. */
  whenWritten?: () => void
}

/** A body that is written while it comes into being: watches, and lists that are large. */
export type Push = {
  push(sink: Sink): Promise<void>
  /** It has an end of its own, which the reader waits for. */
  isDocument?: true
}

/** Where a push goes. */
export interface Sink {
  /** True while the receiver keeps up; after false, wait for `drained`. */
  write(bytes: Uint8Array): boolean
  /** Resolves when there is room again, or the receiver is gone. */
  drained(): Promise<void>
  /** Aborts when the receiver is gone. */
  readonly signal: AbortSignal
}

export function isPush(body: Answer['body']): body is Push {
  return typeof body === 'object' && 'push' in body
}

/** What every body may hold at most: the limit of upstream's server. */
export const BODY_BYTES_MAX = 3 * 1024 * 1024

export function bodyTooLarge(bytesMax: number): ApiError {
  return new ApiError(
    413,
    'RequestEntityTooLarge',
    `Request entity is too large: limit is ${bytesMax}`,
  )
}

/** A body that comes in too slowly; upstream gives a whole request as long. */
export const BODY_MS_MAX = 60_000

export function bodyTooSlow(): ApiError {
  const message = 'Timeout: request did not complete within the allotted timeout'
  return new ApiError(504, 'Timeout', message)
}

const decoder = new TextDecoder()

export async function bodyText(call: Call): Promise<string> {
  return decoder.decode(await call.body(BODY_BYTES_MAX))
}

/** Percent-decoding as Go does it for URL.Path; undefined for what is not valid. */
export function decodePath(rawPath: string): string | undefined {
  if (!rawPath.includes('%')) return rawPath
  try {
    return decodeURIComponent(rawPath)
  } catch {
    // The path is malformed; the caller answers 400.
    return undefined
  }
}

/** What connections are served by. */
export interface CallHandler {
  /** Never throws. */
  handle(call: Call): Promise<Answer>
  /** A connection that asks to be upgraded; refusals are answers on the socket. */
  upgrade(call: Call, socket: Duplex, head: Uint8Array): Promise<void>
}
