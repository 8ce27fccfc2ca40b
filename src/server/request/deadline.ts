// `?timeout=`: how long a client wants to wait, which must at least be a time.

import { DurationError, parseDuration } from '../../api/duration.ts'
import { badRequest } from '../../api/status.ts'
import type { Query } from './query.ts'
import type { RequestInfo } from './request-info.ts'

/** Requests that last as long as they last. */
const LASTING = new Set(['proxy', 'exec', 'attach', 'portforward', 'log'])

/** Throws 400. */
export function checkDeadline({ isResource, verb, subresource }: RequestInfo, query: Query): void {
  const text = query.get('timeout')
  if (!text || (isResource && (verb === 'watch' || LASTING.has(subresource)))) return
  try {
    parseDuration(text)
  } catch (error) {
    if (!(error instanceof DurationError)) throw error
    throw badRequest(`invalid timeout specified in the request URL - ${error.message}`)
  }
}
