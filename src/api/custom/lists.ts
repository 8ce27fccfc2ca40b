// Items of lists that are sets or maps must differ.

import { own } from '../../lib/own.ts'
import { isObject, type JsonObject } from '../patch/value.ts'
import { type FieldError, fieldError } from '../status.ts'
import { additionalOf, child, itemsOf, keyed, LIST_KEYS, LIST_TYPE, type Props } from './schema.ts'

/** Faults of all lists in a value; each item that is there again is told once. */
export function listFaults(value: unknown, schema: Props | undefined, path = ''): FieldError[] {
  if (schema === undefined) return []
  if (Array.isArray(value)) {
    const items = itemsOf(schema)
    const inner =
      items === undefined ? [] : value.flatMap((item, i) => listFaults(item, items, keyed(path, i)))
    return [...ofList(value, schema, path), ...inner]
  }
  if (!isObject(value)) return []
  const additional = additionalOf(schema)
  return Object.keys(value).flatMap((name) => {
    const property = own(schema.properties, name)
    if (property !== undefined) return listFaults(value[name], property, child(path, name))
    return listFaults(value[name], additional, keyed(path, name))
  })
}

function ofList(list: readonly unknown[], schema: Props, path: string): FieldError[] {
  const duplicate = (i: number, shown: unknown) => fieldError.duplicate(keyed(path, i), shown)
  if (schema[LIST_TYPE] === 'set') return repeated(list).map((i) => duplicate(i, list[i]))
  if (schema[LIST_TYPE] !== 'map') return []
  const odd = list.findIndex((item) => item !== null && !isObject(item))
  if (odd >= 0) {
    const why = 'must be an object for an array of list-type map'
    return [fieldError.invalid(keyed(path, odd), list[odd], why)]
  }
  const keys = list.map((item) => keyOf(item as JsonObject | null, schema[LIST_KEYS] ?? []))
  return repeated(keys).map((i) => duplicate(i, keys[i]))
}

function keyOf(item: JsonObject | null, names: readonly string[]): JsonObject {
  if (item === null) return {}
  const said = names.filter((name) => Object.hasOwn(item, name))
  return Object.fromEntries(said.map((name) => [name, item[name]]))
}

/** Where a value stands for the second time. */
function repeated(values: readonly unknown[]): number[] {
  const times = new Map<string, number>()
  return values.flatMap((value, i) => {
    const text = sortedText(value)
    const before = times.get(text) ?? 0
    times.set(text, before + 1)
    return before === 1 ? [i] : []
  })
}

function sortedText(value: unknown): string {
  return JSON.stringify(value, (_, inner) =>
    isObject(inner) ? Object.fromEntries(Object.entries(inner).sort()) : inner,
  )
}
