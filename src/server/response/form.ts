// The form of an answer, and values written in it.

import { encodeKnown } from '../../api/codec/protobuf-write.ts'
import type { Clock } from '../../lib/clock.ts'
import { MEDIA_TYPES, type Output } from '../request/negotiation.ts'
import type { Query } from '../request/query.ts'
import type { Answer, Call } from '../transport/call.ts'
import { renderJson } from './errors.ts'
import { renderYaml } from './yaml.ts'

export type Form = {
  output: Output
  query: Query
  /** For the ages that tables show. */
  nowMs: number
}

/** metadata of a list. */
export type ListMeta = { resourceVersion: string; continue?: string; remainingItemCount?: number }

/** `value` is JSON; asking for protobuf gets it where `value` has such a form, else JSON. */
export function rendered(code: number, value: unknown, { output }: Form): Answer {
  if (output.format === 'yaml') {
    return { code, headers: { 'content-type': MEDIA_TYPES.yaml }, body: renderYaml(value) }
  }
  const bytes = output.format === 'protobuf' ? encodeKnown(value as object) : undefined
  if (bytes !== undefined) {
    return { code, headers: { 'content-type': MEDIA_TYPES.protobuf }, body: bytes }
  }
  const headers = { 'content-type': MEDIA_TYPES.json }
  return { code, headers, body: renderJson(value, output.pretty) }
}

export function formOf(request: { server: { clock: Clock }; call: Call }, output: Output): Form {
  return { output, query: request.call.query, nowMs: request.server.clock.nowMs() }
}
