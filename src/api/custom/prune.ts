// Makes of a sent object what upstream keeps of it: no fields that the schema does not know, no
// nulls where none may be, proper metadata, here and in embedded resources.

import { own } from '../../lib/own.ts'
import { DecodeError, decodeValue } from '../codec/decode.ts'
import { isObject, type JsonObject } from '../patch/value.ts'
import { objectType } from '../schema/schema.ts'
import {
  additionalOf,
  child,
  EMBEDDED,
  fieldSchema,
  itemsOf,
  keyed,
  METADATA_FIELDS,
  PRESERVES,
  type Props,
} from './schema.ts'

const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'

/** Upstream stops counting strict faults here; so do we, and go on pruning. */
const UNKNOWN_MAX = 100

/** Removes what `schema` does not declare, in place, and says the paths of it. */
export function pruneUnknown(object: JsonObject, schema: Props): string[] {
  const unknown: string[] = []
  pruneIn(object, { ...schema, [EMBEDDED]: true }, '', unknown)
  return unknown.sort()
}

function pruneIn(value: unknown, schema: Props | undefined, path: string, unknown: string[]) {
  if (schema?.[PRESERVES]) return pruneKept(value, schema, path, unknown)
  if (Array.isArray(value)) {
    const items = schema && itemsOf(schema)
    value.forEach((item, i) => {
      pruneIn(item, items, keyed(path, i), unknown)
    })
    return
  }
  if (!isObject(value)) return
  for (const name of Object.keys(value)) {
    if (schema?.[EMBEDDED] && METADATA_FIELDS.has(name)) continue
    if (schema !== undefined && isDeclared(schema, name)) {
      pruneIn(value[name], fieldSchema(schema, name), child(path, name), unknown)
      continue
    }
    if (unknown.length < UNKNOWN_MAX) unknown.push(child(path, name))
    delete value[name]
  }
}

function isDeclared({ properties, additionalProperties }: Props, name: string): boolean {
  // Even `additionalProperties: false` declares them: values are then refused, not dropped.
  return own(properties, name) !== undefined || additionalProperties !== undefined
}

/** Where unknown fields stay, what is declared is still pruned inside. */
function pruneKept(value: unknown, schema: Props | undefined, path: string, unknown: string[]) {
  if (schema === undefined) return
  if (Array.isArray(value)) {
    const items = itemsOf(schema)
    value.forEach((item, i) => {
      pruneKept(item, items, keyed(path, i), unknown)
    })
    return
  }
  if (!isObject(value)) return
  for (const name of Object.keys(value)) {
    if (schema[EMBEDDED] && METADATA_FIELDS.has(name)) continue
    if (!isDeclared(schema, name)) continue
    pruneIn(value[name], fieldSchema(schema, name), child(path, name), unknown)
  }
}

/** Removes nulls where there may be none, unless a default comes in their place. */
export function pruneNulls(value: unknown, schema: Props | undefined) {
  if (Array.isArray(value)) {
    const items = schema && itemsOf(schema)
    for (const item of value) pruneNulls(item, items)
    return
  }
  if (!isObject(value)) return
  for (const name of Object.keys(value)) {
    const of = fieldSchema(schema, name)
    const isLeft = value[name] !== null || of === undefined || of.nullable
    if (isLeft || isGiven(of.default)) pruneNulls(value[name], of)
    else delete value[name]
  }
}

export const isGiven = (value: unknown) => value !== undefined && value !== null

/** Metadata of a resource as Go's API server would have it. Throws DecodeError. */
export function decodeMetadata(metadata: unknown): {
  metadata: JsonObject
  strictFaults: readonly string[]
} {
  if (!isObject(metadata)) {
    const what = Array.isArray(metadata) ? 'array' : typeof metadata
    const go = 'Go value of type v1.ObjectMeta'
    throw new DecodeError(`json: cannot unmarshal ${what} into ${go}`)
  }
  const { object, strictFaults } = decodeValue(structuredClone(metadata), objectType(OBJECT_META))
  if (object.creationTimestamp === null) delete object.creationTimestamp
  return { metadata: object, strictFaults }
}

/** What is wrong with the type of some metadata in an embedded resource. */
export class EmbeddedError extends Error {
  readonly path: string
  readonly value: unknown

  constructor(path: string, value: unknown, message: string) {
    super(message)
    this.path = path
    this.value = value
  }
}

/**
 * Brings the metadata of embedded resources in order, in place; says the paths of what is unknown.
 * Throws EmbeddedError.
 */
export function coerceEmbedded(value: unknown, schema: Props | undefined, path = ''): string[] {
  if (schema === undefined) return []
  if (Array.isArray(value)) {
    const items = itemsOf(schema)
    return value.flatMap((item, i) => coerceEmbedded(item, items, keyed(path, i)))
  }
  if (!isObject(value)) return []
  const unknown = schema[EMBEDDED] ? coerceMetadata(value, path) : []
  for (const name of Object.keys(value)) {
    const property = own(schema.properties, name)
    const of = property ?? additionalOf(schema)
    const at = property === undefined ? keyed(path, name) : child(path, name)
    if (of !== undefined) unknown.push(...coerceEmbedded(value[name], of, at))
  }
  return unknown
}

function coerceMetadata(resource: JsonObject, path: string): string[] {
  for (const name of ['apiVersion', 'kind']) {
    if (!(name in resource) || typeof resource[name] === 'string') continue
    throw new EmbeddedError(child(path, name), resource[name], 'must be a string')
  }
  if (resource.metadata === undefined) return []
  const at = child(path, 'metadata')
  try {
    const { metadata, strictFaults } = decodeMetadata(resource.metadata)
    resource.metadata = metadata
    return strictFaults.map((fault) => `${at}.${/"(.*)"$/.exec(fault)?.[1] ?? ''}`)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new EmbeddedError(at, resource.metadata, error.message)
  }
}
