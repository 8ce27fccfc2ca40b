// Types of lists in the schema of a definition.

import { own } from '../../../../lib/own.ts'
import {
  child,
  itemsOf,
  keyed,
  LIST_KEYS,
  LIST_TYPE,
  MAP_TYPE,
  type Props,
} from '../../../custom/schema.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'

const LIST_TYPES = ['atomic', 'set', 'map']

export function checkLists(faults: FieldErrors, schema: Props, path: string) {
  const type = schema[LIST_TYPE]
  const at = (name: string) => child(path, name)
  if (type !== undefined && schema.type !== 'array') {
    const why = `must be array if ${LIST_TYPE} is specified`
    if (schema.type) faults.invalid(at('type'), schema.type, why)
    else faults.required(at('type'), why)
  } else if (type === 'set') checkSet(faults, itemsOf(schema), at('items'))
  if (type !== undefined && !LIST_TYPES.includes(type)) {
    faults.notSupported(at(LIST_TYPE), type, LIST_TYPES)
  }
  if ((schema[LIST_KEYS] ?? []).length > 0) {
    const why = `must be map if ${LIST_KEYS} is non-empty`
    if (type === undefined) faults.required(at(LIST_TYPE), why)
    else if (type !== 'map') faults.invalid(at(LIST_TYPE), type, why)
  }
  if (type === 'map') checkMap(faults, schema, path)
  if (type === 'map' || type === 'set') checkNulls(faults, schema, path)
}

function checkSet(faults: FieldErrors, items: Props | undefined, path: string) {
  if (items === undefined) return
  const why = `must be atomic as item of a list with ${LIST_TYPE}=set`
  const type = items[LIST_TYPE]
  if (items.type === 'array' && type !== undefined && type !== 'atomic') {
    faults.invalid(child(path, LIST_TYPE), type, why)
  }
  if (items.type === 'object' && items[MAP_TYPE] !== 'atomic') {
    faults.invalid(child(path, MAP_TYPE), type ?? null, why)
  }
}

function checkMap(faults: FieldErrors, schema: Props, path: string) {
  const at = (name: string) => child(path, name)
  const keys = schema[LIST_KEYS] ?? []
  if (keys.length === 0) {
    faults.required(at(LIST_KEYS), `must not be empty if ${LIST_TYPE} is map`)
  }
  const items = itemsOf(schema)
  if (schema.items === undefined) {
    faults.required(at('items'), `must have a schema if ${LIST_TYPE} is map`)
  } else if (items === undefined) {
    faults.invalid(
      at('items'),
      schema.items,
      `must only have a single schema if ${LIST_TYPE} is map`,
    )
  }
  if (items === undefined) return
  if (items.type !== 'object') {
    const why = `must be object if parent array's ${LIST_TYPE} is map`
    faults.invalid(child(at('items'), 'type'), items.type ?? '', why)
    return
  }
  const seen = new Set<string>()
  for (const key of keys) {
    const property = own(items.properties, key)
    if (property === undefined) {
      faults.invalid(at(LIST_KEYS), keys, 'entries must all be names of item properties')
    } else if (property.type === 'array' || property.type === 'object') {
      const where = child(keyed(child(at('items'), 'properties'), key), 'type')
      const why = `must be a scalar type if parent array's ${LIST_TYPE} is map`
      faults.invalid(where, items.type, why)
    }
    if (seen.has(key)) faults.invalid(at(LIST_KEYS), keys, 'must not contain duplicate entries')
    seen.add(key)
  }
}

/** Items must be there to be told apart, and so must their keys. */
function checkNulls(faults: FieldErrors, schema: Props, path: string) {
  const items = itemsOf(schema)
  if (items === undefined) return
  const at = child(path, 'items')
  if (items.nullable) {
    const why = `cannot be nullable when ${LIST_TYPE} is ${schema[LIST_TYPE]}`
    faults.forbidden(child(at, 'nullable'), why)
  }
  if (schema[LIST_TYPE] !== 'map') return
  const belongs = `this property is in ${LIST_KEYS}`
  for (const key of schema[LIST_KEYS] ?? []) {
    const property = own(items.properties, key)
    if (property === undefined) continue
    const where = keyed(child(at, 'properties'), key)
    const isGiven = property.default !== undefined && property.default !== null
    if (!items.required?.includes(key) && !isGiven) {
      const why = `${belongs}, so it must have a default or be a required property`
      faults.required(child(where, 'default'), why)
    }
    if (property.nullable) {
      faults.forbidden(child(where, 'nullable'), `${belongs}, so it cannot be nullable`)
    }
  }
}
