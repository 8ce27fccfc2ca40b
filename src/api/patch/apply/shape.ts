// How server-side apply looks at a value of a type: as one leaf, or as something with parts that
// may have different managers (KEP-555, sigs.k8s.io/structured-merge-diff: merge strategy).

import { goJson } from '../../codec/go-json.ts'
import { emptyValue } from '../../schema/empty.ts'
import type { Field, FieldType } from '../../schema/schema.ts'
import { isObject, type JsonObject } from '../value.ts'
import { keyStep, valueStep } from './path.ts'

/**
 * - leaf: one value, owned as a whole: scalars, atomic lists and maps
 * - object: fields of a declared type
 * - map: any keys, one type of value
 * - set: a list of scalars, each a manager's own
 * - keyed: a list of objects which some of their fields tell apart
 * - any: no type; maps have parts, everything else is a leaf
 */
export type Shape = 'leaf' | 'object' | 'map' | 'set' | 'keyed' | 'any'

/** A type with what its field says about merging; a place inside a list or map has no field. */
export type Place = { readonly type: FieldType; readonly field: Field | undefined }

const UNTYPED: Place = { type: { is: 'any' }, field: undefined }

/** The field is its own place: Field has a `type`, and says how it merges. */
export function placeOf(field: Field | undefined): Place {
  return field === undefined ? UNTYPED : { type: field.type, field }
}

const elementPlace = (of: FieldType): Place => ({ type: of, field: undefined })

export function shapeOf({ type, field }: Place): Shape {
  switch (type.is) {
    case 'object':
      if (type.or !== undefined) return 'any'
      if (field?.granularMap) return 'object'
      return field?.atomicMap || type.type.atomic ? 'leaf' : 'object'
    case 'map':
      return field?.atomicMap ? 'leaf' : 'map'
    case 'list':
      return listShape(field)
    case 'any':
      return field === undefined || field.deduced ? 'any' : 'leaf'
    case 'fields':
      return 'any'
    default:
      return 'leaf'
  }
}

/** Lists without a list type follow their patch strategy, and are atomic when they have none. */
function listShape(field: Field | undefined): Shape {
  if (field?.listType === 'map') return 'keyed'
  if (field?.listType === 'set') return 'set'
  if (field?.listType === 'atomic' || !field?.patchStrategy.includes('merge')) return 'leaf'
  return field.patchMergeKey === undefined ? 'set' : 'keyed'
}

/** The place of a field of an object or of an entry of a map; declared names only for objects. */
export function childPlace(parent: Place, name: string): Place {
  const { type } = parent
  if (type.is === 'object') return placeOf(type.type.fields.get(name))
  return type.is === 'map' ? elementPlace(type.of) : UNTYPED
}

export function itemPlace(list: Place): Place {
  return list.type.is === 'list' ? elementPlace(list.type.of) : UNTYPED
}

/** Thrown for an item that its list cannot tell apart from others, in upstream's words. */
export class ItemError extends Error {}

/** The step that leads to `item` of a set or keyed list. */
export function itemStep(list: Place, shape: Shape, item: unknown): string {
  return shape === 'set' ? setStep(item) : keyedStep(list, item)
}

function setStep(item: unknown): string {
  const kind = 'associative list without keys has an element'
  if (item === null || item === undefined) throw new ItemError(`${kind} that's an explicit null`)
  if (Array.isArray(item)) {
    throw new ItemError('not supported: associative list with lists as elements')
  }
  if (typeof item === 'object') throw new ItemError(`${kind} that's a map type`)
  return valueStep(item)
}

function keyedStep(list: Place, item: unknown): string {
  if (item === null || item === undefined) {
    throw new ItemError('associative list with keys may not have a null element')
  }
  if (!isObject(item)) {
    throw new ItemError('associative list with keys may not have non-map elements')
  }
  const names = keysOf(list.field)
  if (names.length === 1 && item[names[0]!] !== undefined) {
    return `k:{${goJson(names[0])}:${goJson(item[names[0]!])}}`
  }
  return keyStep(keyPairs(list, names, item))
}

export function keysOf(field: Field | undefined): readonly string[] {
  if (field === undefined) return []
  if (field.listMapKeys.length > 0) return field.listMapKeys
  return field.patchMergeKey === undefined ? [] : [field.patchMergeKey]
}

function keyPairs(list: Place, names: readonly string[], item: JsonObject): [string, unknown][] {
  const pairs: [string, unknown][] = []
  for (const name of names) {
    const value = item[name] ?? defaultOfKey(list.type, name)
    if (value !== undefined) pairs.push([name, value])
  }
  if (pairs.length > 0) return pairs
  const quoted = names.map((name) => JSON.stringify(name)).join(' ')
  const omits = `associative list with keys has an element that omits all key fields [${quoted}]`
  throw new ItemError(`${omits} (and doesn't have default values for any key fields)`)
}

function defaultOfKey(list: FieldType, name: string): unknown {
  if (list.is !== 'list' || list.of.is !== 'object') return undefined
  const field = list.of.type.fields.get(name)
  if (field === undefined || field.default !== undefined) return field?.default
  // In OpenAPI the zero value is the default of a field that is always there.
  return field.alwaysWritten ? (emptyValue(field) ?? undefined) : undefined
}
