// One entry for the patches that change a document as it stands. Server-side apply knows managers,
// and has an entry of its own: apply/apply.ts.

import { own } from '../../lib/own.ts'
import type { ObjectType } from '../schema/schema.ts'
import { ApiError, badRequest } from '../status.ts'
import { applyJsonPatch } from './json.ts'
import { applyMergePatch } from './merge.ts'
import { applyStrategicMergePatch } from './strategic.ts'
import { isObject, type JsonObject } from './value.ts'

export type PatchType = 'json' | 'merge' | 'strategic'

export type PatchRequest = {
  readonly type: PatchType
  /** The body, parsed. */
  readonly body: unknown
  /** What is stored. It is not changed; parts of it are shared with the result. */
  readonly live: object
  /** Undefined for custom resources, which have no strategic merge patch. */
  readonly objectType: ObjectType | undefined
}

const CONTENT_TYPES: Readonly<Record<string, PatchType | 'apply'>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
}

/** Undefined for a Content-Type that is no patch. Parameters (`; charset=…`) are passed over. */
export function patchTypeOf(contentType: string): PatchType | 'apply' | undefined {
  const [name] = contentType.split(';')
  return own(CONTENT_TYPES, name!.trim())
}

/** Goes before the decoder's own words when the body cannot be parsed; the answer is a 400. */
export const UNREADABLE: Readonly<Record<PatchType | 'apply', string>> = {
  json: 'error decoding patch: ',
  merge: 'error decoding patch: ',
  strategic: '',
  apply: 'error decoding YAML: ',
}

/**
 * The patched document, which the caller decodes, defaults and validates. Throws ApiError for a
 * patch that does not apply, in upstream's words.
 */
export function applyPatch({ type, body, live, objectType }: PatchRequest): JsonObject {
  switch (type) {
    case 'json':
      return asDocument(applyJsonPatch(live, body))
    case 'merge':
      return applyMergePatch(live, asPatch(body, type)) as JsonObject
    case 'strategic':
      if (objectType === undefined) {
        throw badRequest('strategic merge patch format is not supported')
      }
      return applyStrategicMergePatch(live as JsonObject, asPatch(body, type), objectType)
  }
}

function asPatch(body: unknown, type: PatchType): JsonObject {
  if (isObject(body)) return body
  if (body === null && type === 'merge') throw badRequest('Invalid JSON Patch')
  if (body === null) return {}
  const what = Array.isArray(body) ? 'array' : typeof body === 'boolean' ? 'bool' : typeof body
  const message = `json: cannot unmarshal ${what} into Go value of type map[string]interface {}`
  throw badRequest(UNREADABLE[type] + message)
}

function asDocument(document: unknown): JsonObject {
  if (isObject(document)) return document
  throw new ApiError(
    422,
    'Invalid',
    'the server rejected our request due to an error in our request',
    {},
  )
}
