// Every place in an object of some type where a person chooses a word: values of strings, keys of
// maps. Each field of each type is named once, at the first path that leads there.

import type { Field, FieldType, ObjectType } from '../../src/api/schema/schema.ts'
import type { Json } from './corpus.ts'

export type Place = {
  /** `spec.template.metadata.labels{}` */
  path: string
  /** Puts a word there, making what leads to it. */
  put(object: Json, word: string): void
}

type Reach = (object: Json) => Json

const SCALARS = new Set(['string', 'bytes', 'time', 'microtime', 'duration', 'quantity'])

export function placesOf(type: ObjectType): Place[] {
  const places: Place[] = []
  const seen = new Set<Field>()
  walk(type, '', (object) => object)
  return places

  function walk(of: ObjectType, at: string, reach: Reach): void {
    const fields = [...of.fields.values()].filter((field) => !seen.has(field))
    for (const field of fields) seen.add(field)
    for (const field of fields) visit(field, field.type, `${at}${field.name}`, reach)
  }

  function visit(field: Field, type: FieldType, path: string, reach: Reach): void {
    const { name } = field
    if (type.is === 'object') {
      walk(type.type, `${path}.`, (object) => childOf(reach(object), name))
    } else if (type.is === 'list') {
      const { of } = type
      if (of.is === 'object') {
        walk(of.type, `${path}[].`, (object) => itemOf(reach(object), name))
      } else if (of.is === 'string') {
        places.push({ path: `${path}[]`, put: (o, word) => listOf(reach(o), name).push(word) })
      }
    } else if (type.is === 'map') {
      const put = (o: Json, word: string) => define(childOf(reach(o), name), word, sample(type.of))
      places.push({ path: `${path}{}`, put })
    } else if (type.is === 'any' || type.is === 'fields') {
      const put = (o: Json, word: string) => define(childOf(reach(o), name), word, {})
      places.push({ path: `${path}{}`, put })
    } else if (SCALARS.has(type.is) || type.is === 'intOrString') {
      places.push({ path, put: (object, word) => define(reach(object), name, word) })
    }
  }
}

export type Collection = {
  path: string
  /** Puts `size` entries there, as different as their type lets them be. */
  fill(object: Json, size: number): void
}

/** Every list and map in an object of some type, each field of each type once. */
export function collectionsOf(type: ObjectType): Collection[] {
  const found: Collection[] = []
  const seen = new Set<Field>()
  walk(type, '', (object) => object)
  return found

  function walk(of: ObjectType, at: string, reach: Reach): void {
    const fields = [...of.fields.values()].filter((field) => !seen.has(field))
    for (const field of fields) seen.add(field)
    for (const { name, type } of fields) {
      const path = `${at}${name}`
      if (type.is === 'object') walk(type.type, `${path}.`, (o) => childOf(reach(o), name))
      else if (type.is === 'map') {
        const fill = (object: Json, size: number) => {
          for (let i = 0; i < size; i++) childOf(reach(object), name)[`k${i}`] = sample(type.of)
        }
        found.push({ path: `${path}{}`, fill })
      } else if (type.is === 'list') {
        const fill = (object: Json, size: number) => {
          const list = listOf(reach(object), name)
          for (let i = 0; i < size; i++) list.push(entry(type.of, i))
        }
        found.push({ path: `${path}[]`, fill })
        const { of: item } = type
        if (item.is === 'object') walk(item.type, `${path}[].`, (o) => itemOf(reach(o), name))
      }
    }
  }
}

/** One of many: its strings and numbers tell it from the others. */
function entry(type: FieldType, i: number): unknown {
  if (type.is === 'string') return `a${i}`
  if (type.is === 'int32' || type.is === 'int64') return i + 1
  if (type.is !== 'object') return sample(type)
  const item: Json = {}
  for (const field of type.type.fields.values()) {
    if (field.type.is === 'string') item[field.name] = field.enum?.[0] ?? `a${i}`
    else if (field.required && field.type.is === 'int32') item[field.name] = i + 1
  }
  return item
}

function define(object: Json, key: string, value: unknown): void {
  Object.defineProperty(object, key, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  })
}

function childOf(object: Json, name: string): Json {
  object[name] ??= {}
  return object[name] as Json
}

function listOf(object: Json, name: string): unknown[] {
  object[name] ??= []
  return object[name] as unknown[]
}

function itemOf(object: Json, name: string): Json {
  const list = listOf(object, name)
  if (list.length === 0) list.push({})
  return list[0] as Json
}

function sample(type: FieldType): unknown {
  switch (type.is) {
    case 'string':
      return 'a'
    case 'bytes':
      return 'YQ=='
    case 'quantity':
    case 'intOrString':
      return '1'
    case 'boolean':
      return true
    case 'int32':
    case 'int64':
    case 'double':
      return 1
    case 'list':
      return [sample(type.of)]
    default:
      return {}
  }
}
