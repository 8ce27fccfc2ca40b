// The fields of a custom resource in the form in which those of built-in kinds are known, so that
// server-side apply and its kin see no difference.

import { configMapMetadataFields } from '../schema/metadata-fields.ts'
import type { Field, FieldType, GroupVersionKind, ListType, ObjectType } from '../schema/schema.ts'
import {
  additionalOf,
  EMBEDDED,
  itemsOf,
  LIST_KEYS,
  LIST_TYPE,
  MAP_TYPE,
  PRESERVES,
  type Props,
} from './schema.ts'

const ANYTHING: FieldType = { is: 'any' }
const FREE_FORM: FieldType = { is: 'map', of: ANYTHING }

/** `schema` undefined: any fields may be there. */
export function customObjectType(
  name: string,
  kind: GroupVersionKind,
  schema: Props | undefined,
): ObjectType {
  const preserves = schema === undefined || schema[PRESERVES] === true
  return new CustomType({ name, kind, schema: schema ?? {}, preserves, isResource: true })
}

type Definition = {
  name: string
  kind: GroupVersionKind | undefined
  schema: Props
  /** Unknown fields are kept, here and below. */
  preserves: boolean
  isResource: boolean
}

/** Builds its fields when they are first asked for. */
class CustomType implements ObjectType {
  readonly name: string
  readonly kind: GroupVersionKind | undefined
  readonly atomic = false
  readonly open: boolean
  readonly #definition: Definition
  #fields: ReadonlyMap<string, Field> | undefined

  constructor(definition: Definition) {
    this.name = definition.name
    this.kind = definition.kind
    this.open = definition.preserves
    this.#definition = definition
  }

  get fields(): ReadonlyMap<string, Field> {
    this.#fields ??= fieldsOf(this.#definition)
    return this.#fields
  }
}

function fieldsOf({ name, schema, preserves, isResource }: Definition): Map<string, Field> {
  const declared = Object.entries(schema.properties ?? {}).map(([field, of]): [string, Field] => [
    field,
    fieldOf(`${name}.${field}`, field, of, preserves),
  ])
  return new Map([...declared, ...(isResource ? configMapMetadataFields() : [])])
}

function fieldOf(owner: string, name: string, schema: Props, preserves: boolean): Field {
  const type = typeOf(owner, schema, preserves)
  return {
    name,
    type,
    required: false,
    pointer: true,
    alwaysWritten: false,
    listType: type.is === 'list' ? ((schema[LIST_TYPE] ?? 'atomic') as ListType) : undefined,
    listMapKeys: schema[LIST_KEYS] ?? [],
    atomicMap: schema[MAP_TYPE] === 'atomic',
    deduced: type.is === 'any',
    patchStrategy: [],
    patchMergeKey: undefined,
    enum: undefined,
    default: schema.default,
    protobufNumber: 0,
    protobufWithin: [],
    embeddedIn: [],
    goType: undefined,
  }
}

function typeOf(owner: string, schema: Props, inherited: boolean): FieldType {
  const preserves = inherited || schema[PRESERVES] === true
  switch (schema.type) {
    case 'string':
      return { is: 'string' }
    case 'boolean':
      return { is: 'boolean' }
    case 'integer':
    case 'number':
      return { is: 'double' }
    case 'array':
      return { is: 'list', of: typeOf(owner, itemsOf(schema) ?? {}, preserves) }
    case 'object':
      return mapOrObject(owner, schema, preserves)
    default:
      return ANYTHING
  }
}

function mapOrObject(owner: string, schema: Props, preserves: boolean): FieldType {
  const isResource = schema[EMBEDDED] === true
  const hasFields = isResource || Object.keys(schema.properties ?? {}).length > 0
  const additional = additionalOf(schema)
  if (!hasFields && additional !== undefined) {
    return { is: 'map', of: typeOf(owner, additional, preserves) }
  }
  if (!hasFields && schema.additionalProperties !== false) return FREE_FORM
  const isOpen = preserves || schema.additionalProperties === true
  const definition = { name: owner, kind: undefined, schema, preserves: isOpen, isResource }
  return { is: 'object', type: new CustomType(definition) }
}
