// Objects that kubectl applied from the client carry their configuration in an annotation. When
// kubectl applies to them from the server, fields that still are as the annotation says are its
// own, whoever owns them by the book; and the annotation is kept up to date.

import { goJson } from '../../codec/go-json.ts'
import type { ObjectType } from '../../schema/schema.ts'
import { isObject, type JsonObject } from '../value.ts'
import { compareObjects } from './compare.ts'
import { fieldsOf } from './extract.ts'
import { difference, type Fields } from './fields.ts'

const ANNOTATION = 'kubectl.kubernetes.io/last-applied-configuration'
/** Other managers opt out by their name. */
export const KUBECTL = 'kubectl'
/** All annotations of an object together. */
const ANNOTATIONS_BYTES_MAX = 256 * 1024

/** Fields which the annotation speaks of and which still have its values; undefined without one. */
export function fieldsLastApplied(
  live: JsonObject,
  apiVersion: string,
  type: ObjectType,
): Fields | undefined {
  const text = annotationsOf(live)?.[ANNOTATION]
  if (typeof text !== 'string' || text === '') return undefined
  try {
    const config: unknown = JSON.parse(text)
    if (!isObject(config) || config.apiVersion !== apiVersion) return undefined
    const { modified, added, removed } = compareObjects(config, live, type)
    const fields = difference(difference(fieldsOf(config, type), modified), added)
    return difference(fields, removed)
  } catch {
    // People edit annotations; one that cannot be read allows nothing.
    return undefined
  }
}

/** `object` with its annotation renewed, if it has one. */
export function withLastApplied(object: JsonObject, config: JsonObject): JsonObject {
  const annotations = annotationsOf(object)
  if (!annotations?.[ANNOTATION]) return object
  const renewed: JsonObject = { ...annotations, [ANNOTATION]: configText(config) }
  if (bytesOf(renewed) > ANNOTATIONS_BYTES_MAX) delete renewed[ANNOTATION]
  return { ...object, metadata: { ...(object.metadata as JsonObject), annotations: renewed } }
}

function annotationsOf(object: JsonObject): JsonObject | undefined {
  const metadata = object.metadata
  const annotations = isObject(metadata) ? metadata.annotations : undefined
  return isObject(annotations) ? annotations : undefined
}

function configText(config: JsonObject): string {
  const annotations = annotationsOf(config)
  if (annotations === undefined) return `${goJson(sortKeys(config))}\n`
  const { [ANNOTATION]: _, ...others } = annotations
  const metadata: JsonObject = { ...(config.metadata as JsonObject), annotations: others }
  if (Object.keys(others).length === 0) delete metadata.annotations
  return `${goJson(sortKeys({ ...config, metadata }))}\n`
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys)
  if (!isObject(value)) return value
  const keys = Object.keys(value).sort()
  return Object.fromEntries(keys.map((key) => [key, sortKeys(value[key])]))
}

function bytesOf(annotations: JsonObject): number {
  let bytes = 0
  for (const [name, value] of Object.entries(annotations)) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(String(value))
  }
  return bytes
}
