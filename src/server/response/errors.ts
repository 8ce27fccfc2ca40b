// Errors in upstream's words that api/status.ts does not know, and how they become answers.

import { ApiError, internal, type Status, type StatusDetails } from '../../api/status.ts'
import type { Log } from '../../lib/log.ts'
import { StoreFullError } from '../../store/store.ts'
import { MEDIA_TYPES, negotiateError } from '../request/negotiation.ts'
import type { Answer, Call } from '../transport/call.ts'
import { renderYaml } from './yaml.ts'

/** A path that no row serves; `details` is empty but there. */
export function unknownResource(): ApiError {
  const message = 'the server could not find the requested resource'
  return new ApiError(404, 'NotFound', message, {})
}

export function methodNotAllowed(): ApiError {
  const message = 'the server does not allow this method on the requested resource'
  return new ApiError(405, 'MethodNotAllowed', message, {})
}

export function expired(message: string, continueToken?: string): ApiError {
  return new ApiError(410, 'Expired', message, undefined, continueToken)
}

export function tooManyRequests(message: string, retryAfterSeconds: number): ApiError {
  return new ApiError(429, 'TooManyRequests', message, { retryAfterSeconds })
}

/** Upstream's answer to a revision that lies in the future. */
export function tooLargeRevision(asked: number, current: number): ApiError {
  const message = `Timeout: Too large resource version: ${asked}, current: ${current}`
  const details: StatusDetails = {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  }
  return new ApiError(504, 'Timeout', message, details)
}

/** What everybody may see of `error`; faults of our own making are logged where they are found. */
export function toApiError(error: unknown, log: Log): ApiError {
  if (error instanceof ApiError) return error
  if (error instanceof StoreFullError)
    return new ApiError(507, 'InsufficientStorage', error.message)
  log.error('request failed', { error })
  return internal(error instanceof Error ? error.message : String(error))
}

export function errorAnswer(call: Call, error: ApiError): Answer {
  return statusAnswer(call, error.code, error.toStatus())
}

function statusAnswer(call: Call, code: number, status: Status): Answer {
  const output = negotiateError(call)
  const headers: Answer['headers'] = {}
  const retryAfter = status.details?.retryAfterSeconds
  if (retryAfter !== undefined) headers['retry-after'] = String(retryAfter)
  if (output.format === 'yaml') {
    headers['content-type'] = MEDIA_TYPES.yaml
    return { code, headers, body: renderYaml(status) }
  }
  headers['content-type'] = MEDIA_TYPES.json
  return { code, headers, body: renderJson(status, output.pretty) }
}

/** Go's encoder ends every document with a line break. */
export function renderJson(value: unknown, pretty: boolean): string {
  return pretty ? JSON.stringify(value, undefined, 2) : `${JSON.stringify(value)}\n`
}

/** What upstream's mux says to a path that nobody has registered. */
export function pageNotFound(): Answer {
  const headers = { 'content-type': PLAIN_TEXT, 'x-content-type-options': 'nosniff' }
  return { code: 404, headers, body: '404 page not found\n' }
}

const PLAIN_TEXT = 'text/plain; charset=utf-8'

/** What Go's server says to a path whose percent signs make no sense. */
export function badPath(): Answer {
  return { code: 400, headers: { 'content-type': PLAIN_TEXT }, body: '400 Bad Request' }
}
