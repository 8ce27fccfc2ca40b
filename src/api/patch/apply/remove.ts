// An object without some of its fields.

import { setOwn } from '../../../lib/own.ts'
import type { ObjectType } from '../../schema/schema.ts'
import { isObject, type JsonObject } from '../value.ts'
import { type Fields, isEmpty, isMember } from './fields.ts'
import { fieldStep } from './path.ts'
import { childPlace, itemPlace, itemStep, type Place, shapeOf } from './shape.ts'

export function removeFields(object: JsonObject, set: Fields, type: ObjectType): JsonObject {
  if (isEmpty(set)) return object
  const place: Place = { type: { is: 'object', type }, field: undefined }
  return (removeFromMap(object, set, place) as JsonObject | undefined) ?? {}
}

/** Undefined when nothing is left of it. `below` holds what to remove inside `value`. */
function removeAt(value: unknown, below: Fields, place: Place): unknown {
  const shape = shapeOf(place)
  if (Array.isArray(value)) {
    return shape === 'set' || shape === 'keyed' ? removeFromList(value, below, place) : undefined
  }
  if (!isObject(value)) return value
  return shape === 'leaf' ? undefined : removeFromMap(value, below, place)
}

function removeFromMap(map: JsonObject, set: Fields, place: Place): JsonObject | undefined {
  const result: JsonObject = {}
  let some = false
  for (const key in map) {
    const value = map[key]
    const node = set[fieldStep(key)]
    if (value === undefined || isMember(node)) continue
    const left = node === undefined ? value : removeAt(value, node, childPlace(place, key))
    // Upstream leaves null where all parts went, so who owned the whole goes on owning it.
    setOwn(result, key, left ?? null)
    some = true
  }
  return some ? result : undefined
}

function removeFromList(list: unknown[], set: Fields, place: Place): unknown[] | undefined {
  const shape = shapeOf(place)
  const result: unknown[] = []
  for (const item of list) {
    const node = set[itemStep(place, shape, item)]
    if (isMember(node)) continue
    const left = node === undefined ? item : removeAt(item, node, itemPlace(place))
    if (left !== undefined) result.push(left)
  }
  return result.length > 0 ? result : undefined
}
