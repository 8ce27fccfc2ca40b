// The set of fields that an applied configuration speaks of.

import type { ObjectType } from '../../schema/schema.ts'
import { isObject, type JsonObject } from '../value.ts'
import { asMember, type Fields, MEMBER, NOTHING } from './fields.ts'
import { fieldStep } from './path.ts'
import { childPlace, itemPlace, itemStep, type Place, shapeOf } from './shape.ts'

/** Every field that `object` sets. Throws ItemError for list items that cannot be told apart. */
export function fieldsOf(object: JsonObject, type: ObjectType): Fields {
  return fieldsOfMap(object, { type: { is: 'object', type }, field: undefined }) ?? NOTHING
}

/** Undefined: nothing at or below this value is a field. MEMBER: the value itself is. */
function fieldsAt(value: unknown, place: Place): Fields | undefined {
  switch (shapeOf(place)) {
    case 'leaf':
      return MEMBER
    case 'object':
    case 'map':
      return fieldsOfMap(value, place)
    case 'set':
    case 'keyed':
      return fieldsOfList(value, place)
    default:
      return isObject(value) || value === null ? fieldsOfMap(value, place) : MEMBER
  }
}

function fieldsOfMap(value: unknown, place: Place): Fields | undefined {
  if (!isObject(value)) return undefined
  const node: { [step: string]: Fields } = {}
  let some = false
  for (const key in value) {
    const child = value[key]
    if (child === undefined) continue
    const here = fieldsAt(child, childPlace(place, key))
    const owned = isOwnedItself(child, place, key) ? asMember(here) : here
    if (owned === undefined) continue
    node[fieldStep(key)] = owned
    some = true
  }
  return some ? node : undefined
}

/** Empty values and keys that no schema declares count themselves, not only what is below them. */
function isOwnedItself(child: unknown, parent: Place, key: string): boolean {
  if (child === null || (isObject(child) && Object.keys(child).length === 0)) return true
  return !(parent.type.is === 'object' && parent.type.type.fields.has(key))
}

function fieldsOfList(value: unknown, place: Place): Fields | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined
  const shape = shapeOf(place)
  const item = itemPlace(place)
  const node: { [step: string]: Fields } = {}
  for (const child of value) {
    const step = itemStep(place, shape, child)
    // A key that is there twice is owned as one value.
    node[step] = node[step] === undefined ? asMember(fieldsAt(child, item)) : MEMBER
  }
  return node
}

/**
 * `set` with every declared field that leads to a member as a member too. Maps are left out: owning
 * one entry is not owning the map.
 */
export function withNamedFields(set: Fields, type: ObjectType): Fields {
  return namedFields(set, { type: { is: 'object', type }, field: undefined })
}

function namedFields(node: Fields, place: Place): Fields {
  const result: { [step: string]: Fields } = {}
  const shape = shapeOf(place)
  for (const step in node) {
    const child = node[step]!
    result[step] = child
    if (step === '.' || child === MEMBER) continue
    const below = namedFields(child, placeOfStep(place, shape, step))
    result[step] = isDeclared(place, shape, step) ? asMember(below) : below
  }
  return result
}

function placeOfStep(place: Place, shape: string, step: string): Place {
  return shape === 'keyed' || shape === 'set' ? itemPlace(place) : childPlace(place, step.slice(2))
}

function isDeclared({ type }: Place, shape: string, step: string): boolean {
  return shape === 'object' && type.is === 'object' && type.type.fields.has(step.slice(2))
}
