// The shape of every type, from the generated facts: fields, list keys, patch keys, numbers.
//
// Everything that must know a type walks these values: defaulting, pruning, field validation,
// strategic merge, server-side apply, protobuf, OpenAPI. Nothing is parsed before the first
// question, and each type is built when it is first reached, so types may contain themselves
// (JSONSchemaProps).

import { assert } from '../../lib/assert.ts'
import tables from './generated/schema.json' with { type: 'text' }

export type FieldType =
  | { readonly is: ScalarName }
  | {
      readonly is: 'object'
      readonly type: ObjectType
      /** JSON may hold this instead of the object: JSONSchemaPropsOrBool and its like. */
      readonly or?: 'bool' | 'list' | 'strings'
    }
  | {
      readonly is: 'list'
      readonly of: FieldType
      /** A named list type of Go, which protobuf puts into a message of its own. */
      readonly wrapped?: true
    }
  | { readonly is: 'map'; readonly of: FieldType }

/**
 * `bytes` is base64 text, `time` RFC 3339 to the second, `microtime` with six digits, `duration`
 * Go's text (`1m30s`), `any` any JSON (RawExtension), `fields` a FieldsV1.
 */
export type ScalarName =
  | 'string'
  | 'boolean'
  | 'int32'
  | 'int64'
  | 'double'
  | 'bytes'
  | 'time'
  | 'microtime'
  | 'duration'
  | 'quantity'
  | 'intOrString'
  | 'any'
  | 'fields'

export type ListType = 'atomic' | 'set' | 'map'

export interface Field {
  readonly name: string
  readonly type: FieldType
  readonly required: boolean
  /** A pointer in Go: zero values and absence differ, and zero values are kept. */
  readonly pointer: boolean
  /** Written even when empty: a Go field without omitempty, or a struct by value. */
  readonly alwaysWritten: boolean
  readonly listType: ListType | undefined
  readonly listMapKeys: readonly string[]
  /** A map or object that server-side apply treats as one value. */
  readonly atomicMap: boolean
  /** Of no declared type: server-side apply looks into maps, and takes the rest as one value. */
  readonly deduced?: boolean
  /** Server-side apply looks into this object, although its type is atomic elsewhere. */
  readonly granularMap?: boolean
  readonly patchStrategy: readonly ('merge' | 'replace' | 'retainKeys')[]
  readonly patchMergeKey: string | undefined
  /** Of the field, or of the items of its list or map. */
  readonly enum: readonly string[] | undefined
  readonly default: unknown
  /** Zero: not in protobuf (kind, apiVersion). */
  readonly protobufNumber: number
  /** Numbers of the messages that protobuf nests this field in, outermost first. Mostly empty. */
  readonly protobufWithin: readonly number[]
  /** Go's names of the embedded structs that hold the field, for decoding errors. Mostly empty. */
  readonly embeddedIn: readonly string[]
  /** Go's name of the type, for decoding errors, when it does not follow from `type`. */
  readonly goType: string | undefined
}

export interface ObjectType {
  /** As in OpenAPI: io.k8s.api.core.v1.Pod. */
  readonly name: string
  /** In Go's order, which is the order that objects are written in. */
  readonly fields: ReadonlyMap<string, Field>
  /** The whole object is one value for server-side apply. */
  readonly atomic: boolean
  /** Fields that are not declared may be there too, of any type (custom resources). */
  readonly open?: boolean
  /** What it is served or sent as; undefined for parts of objects. */
  readonly kind: GroupVersionKind | undefined
}

export type GroupVersionKind = {
  readonly group: string
  readonly version: string
  readonly kind: string
}

/** Throws when the facts have no such type. `name` is as in OpenAPI: io.k8s.api.core.v1.Pod. */
export function objectType(name: string): ObjectType {
  const type = findObjectType(name)
  assert(type !== undefined, `no type ${name} in the generated schema`)
  return type
}

export function findObjectType(name: string): ObjectType | undefined {
  const { rows, indexes } = TABLES.read()
  const index = indexes.get(name)
  return index === undefined ? undefined : typeAt(rows, index)
}

/** The type of a built-in kind; undefined for a kind that the facts do not know. */
export function typeOfKind(kind: GroupVersionKind): ObjectType | undefined {
  const { rows, kinds } = TABLES.read()
  const index = kinds.get(`${kind.group}/${kind.version}/${kind.kind}`)
  if (index !== undefined) return typeAt(rows, index)
  // Status, DeleteOptions and their like call themselves v1.
  const isCore = kind.group === '' && kind.version === 'v1'
  return isCore ? findObjectType(`io.k8s.apimachinery.pkg.apis.meta.v1.${kind.kind}`) : undefined
}

// [name, [group, version, kind] or 0, atomic, fields], as src/build/emit-schema.ts writes it.
type TypeRow = [string, [string, string, string] | 0, 0 | 1, FieldRow[]]
type FieldRow = [string, string, number, number, FieldExtras?]
type FieldExtras = {
  within?: number[]
  embedded?: string[]
  list?: ListType
  keys?: string[]
  patch?: ('merge' | 'replace' | 'retainKeys')[]
  mergeKey?: string
  enum?: string[]
  default?: unknown
  go?: string
}

type Tables = {
  /** A row is replaced by its type once somebody asked for it. */
  rows: (TypeRow | ObjectType)[]
  indexes: ReadonlyMap<string, number>
  kinds: ReadonlyMap<string, number>
}

const SCALARS: Record<string, FieldType> = {
  s: { is: 'string' },
  b: { is: 'boolean' },
  i: { is: 'int32' },
  l: { is: 'int64' },
  d: { is: 'double' },
  y: { is: 'bytes' },
  t: { is: 'time' },
  m: { is: 'microtime' },
  u: { is: 'duration' },
  q: { is: 'quantity' },
  x: { is: 'intOrString' },
  a: { is: 'any' },
  f: { is: 'fields' },
}
const ALTERNATIVES = { '?': 'bool', '+': 'list', '*': 'strings' } as const
const NONE: readonly never[] = []

const TABLES = lazily(readTables)

function readTables(): Tables {
  const rows = JSON.parse(tables as unknown as string) as TypeRow[]
  const indexes = new Map<string, number>()
  const kinds = new Map<string, number>()
  rows.forEach(([name, kind], index) => {
    indexes.set(name, index)
    if (kind !== 0) kinds.set(kind.join('/'), index)
  })
  return { rows, indexes, kinds }
}

function typeAt(rows: Tables['rows'], index: number): ObjectType {
  const row = rows[index]
  assert(row !== undefined, `no type ${index} in the generated schema`)
  if (!Array.isArray(row)) return row
  const type = new GeneratedType(rows, row)
  rows[index] = type
  return type
}

/** Builds its fields when they are first asked for. */
class GeneratedType implements ObjectType {
  readonly name: string
  readonly atomic: boolean
  readonly kind: GroupVersionKind | undefined
  readonly #rows: Tables['rows']
  #fieldRows: FieldRow[] | undefined
  #fields: ReadonlyMap<string, Field> | undefined

  constructor(rows: Tables['rows'], [name, kind, atomic, fieldRows]: TypeRow) {
    this.name = name
    this.atomic = atomic === 1
    this.kind = kind === 0 ? undefined : { group: kind[0], version: kind[1], kind: kind[2] }
    this.#rows = rows
    this.#fieldRows = fieldRows
  }

  get fields(): ReadonlyMap<string, Field> {
    if (this.#fields === undefined) {
      const rows = this.#fieldRows ?? []
      this.#fields = new Map(rows.map((row) => [row[0], fieldOf(this.#rows, row)]))
      this.#fieldRows = undefined
    }
    return this.#fields
  }
}

function fieldOf(rows: Tables['rows'], [name, type, flags, number, extras]: FieldRow): Field {
  return {
    name,
    type: fieldTypeOf(rows, type),
    required: (flags & 1) !== 0,
    pointer: (flags & 2) !== 0,
    alwaysWritten: (flags & 4) !== 0,
    atomicMap: (flags & 8) !== 0,
    granularMap: (flags & 16) !== 0,
    listType: extras?.list,
    listMapKeys: extras?.keys ?? NONE,
    patchStrategy: extras?.patch ?? NONE,
    patchMergeKey: extras?.mergeKey,
    enum: extras?.enum,
    default: extras?.default,
    protobufNumber: number,
    protobufWithin: extras?.within ?? NONE,
    embeddedIn: extras?.embedded ?? NONE,
    goType: extras?.go,
  }
}

function fieldTypeOf(rows: Tables['rows'], text: string): FieldType {
  const first = text[0]!
  if (first === '[') return { is: 'list', of: fieldTypeOf(rows, text.slice(1)) }
  if (first === '(') return { is: 'list', of: fieldTypeOf(rows, text.slice(1)), wrapped: true }
  if (first === '{') return { is: 'map', of: fieldTypeOf(rows, text.slice(1)) }
  if (first !== '#') return SCALARS[first]!
  const type = typeAt(rows, Number.parseInt(text.slice(1), 10))
  const or = ALTERNATIVES[text.at(-1) as keyof typeof ALTERNATIVES]
  return or === undefined ? { is: 'object', type } : { is: 'object', type, or }
}

function lazily<T>(make: () => T): { read(): T } {
  let value: T | undefined
  return {
    read() {
      value ??= make()
      return value
    },
  }
}
