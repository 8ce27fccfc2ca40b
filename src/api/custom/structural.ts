// What makes a schema structural: every value has a declared shape, and what only restricts values
// (allOf, anyOf, oneOf, not) declares none. Words: apiextensions-apiserver/pkg/apiserver/schema.

import { own } from '../../lib/own.ts'
import { equalJson } from '../patch/value.ts'
import { type FieldError, fieldError } from '../status.ts'
import { patternOf } from './patterns.ts'
import {
  additionalOf,
  child,
  EMBEDDED,
  INT_OR_STRING,
  itemsOf,
  keyed,
  LIST_KEYS,
  LIST_TYPE,
  MAP_TYPE,
  PRESERVES,
  type Props,
  RULES,
} from './schema.ts'

type Level = 'root' | 'item' | 'field'

/** Why no structural schema can be made of this at all; undefined when one can. */
export function unsupportedFault(schema: Props | undefined): string | undefined {
  if (schema === undefined) return undefined
  const not = (what: string) => `OpenAPIV3Schema '${what}' is not supported`
  if (schema.id) return not('id')
  if (schema.$schema) return not('schema')
  if (schema.$ref) return not('$ref')
  for (const what of ['patternProperties', 'dependencies'] as const) {
    if (Object.keys(schema[what] ?? {}).length > 0) return not(what)
  }
  if (schema.additionalItems !== undefined) return not('additionalItems')
  if (Object.keys(schema.definitions ?? {}).length > 0) return not('definitions')
  const nested = [schema.not, ...(schema.allOf ?? []), ...(schema.anyOf ?? [])]
  const inner = firstFault([...nested, ...(schema.oneOf ?? [])])
  if (inner !== undefined) return inner
  if (schema[PRESERVES] === false) {
    return `internal error: '${PRESERVES}' must be true or undefined`
  }
  if (Array.isArray(schema.items) && schema.items.length > 0) {
    return "OpenAPIV3Schema 'items' must be a schema, but is an array"
  }
  const properties = Object.values(schema.properties ?? {})
  return firstFault([itemsOf(schema), ...properties, additionalOf(schema)])
}

function firstFault(schemas: readonly (Props | undefined)[]): string | undefined {
  for (const schema of schemas) {
    const fault = unsupportedFault(schema)
    if (fault !== undefined) return fault
  }
  return undefined
}

/** Every fault, by its text, as upstream sorts them. */
export function structuralFaults(path: string, schema: Props): FieldError[] {
  const faults = [...invariants(schema, 'root', path), ...completeness(schema, path)]
  const textOf = ({ field, message }: FieldError) => `${field}: ${message}`
  return faults.toSorted((a, b) => (textOf(a) < textOf(b) ? -1 : 1))
}

/** A definition from before schemas had to be structural may still hold one that is not. */
export function isStructural(schema: Props | undefined): boolean {
  if (schema === undefined) return true
  return unsupportedFault(schema) === undefined && structuralFaults('', schema).length === 0
}

function invariants(schema: Props, level: Level, path: string): FieldError[] {
  const faults: FieldError[] = []
  const items = itemsOf(schema)
  if (schema.type === 'array' && items === undefined) {
    faults.push(fieldError.required(child(path, 'items'), 'must be specified'))
  }
  if (items !== undefined) faults.push(...invariants(items, 'item', child(path, 'items')))
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    faults.push(...invariants(property, 'field', keyed(child(path, 'properties'), name)))
  }
  const additional = child(path, 'additionalProperties')
  if (schema.additionalProperties !== undefined && level === 'root') {
    faults.push(fieldError.forbidden(additional, 'must not be used at the root'))
  }
  const values = additionalOf(schema)
  if (values !== undefined) faults.push(...invariants(values, 'field', additional))
  faults.push(
    ...extensionFaults(schema, path),
    ...valueFaults(schema, level, path),
    ...typeFaults(schema, level, path),
    ...metadataFaults(schema, level, path),
  )
  const isEmpty = Object.keys(schema.properties ?? {}).length === 0
  if (schema[EMBEDDED] && !schema[PRESERVES] && isEmpty) {
    const why = `must not be empty if ${EMBEDDED} is true without ${PRESERVES}`
    faults.push(fieldError.required(child(path, 'properties'), why))
  }
  return faults
}

function extensionFaults(schema: Props, path: string): FieldError[] {
  if (!schema[INT_OR_STRING]) return []
  return [PRESERVES, EMBEDDED].flatMap((name) =>
    schema[name as typeof PRESERVES]
      ? [fieldError.invalid(child(path, name), true, `must be false if ${INT_OR_STRING} is true`)]
      : [],
  )
}

const WHERE_EMPTY = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
}

function typeFaults(schema: Props, level: Level, path: string): FieldError[] {
  const faults: FieldError[] = []
  const { type } = schema
  const typePath = child(path, 'type')
  if (schema[EMBEDDED] && type !== 'object') {
    const why = `must be object if ${EMBEDDED} is true`
    faults.push(type ? fieldError.invalid(typePath, type, why) : fieldError.required(typePath, why))
  } else if (!type && !schema[INT_OR_STRING] && !schema[PRESERVES]) {
    faults.push(fieldError.required(typePath, WHERE_EMPTY[level]))
  }
  if (schema[EMBEDDED] && schema.additionalProperties !== undefined) {
    const why = `must not be used if ${EMBEDDED} is set`
    faults.push(fieldError.forbidden(child(path, 'additionalProperties'), why))
  }
  if (level === 'root' && type && type !== 'object') {
    faults.push(fieldError.invalid(typePath, type, 'must be object at the root'))
  }
  return faults
}

/** Names, and nothing else of metadata, may be restricted. */
function metadataFaults(schema: Props, level: Level, path: string): FieldError[] {
  const faults: FieldError[] = []
  const isResource = level === 'root' || schema[EMBEDDED] === true
  const at = (name: string) => keyed(child(path, 'properties'), name)
  for (const name of isResource ? ['kind', 'apiVersion'] : []) {
    const property = own(schema.properties, name)
    if (property === undefined || property.type === 'string') continue
    faults.push(fieldError.invalid(child(at(name), 'type'), property.type ?? '', 'must be string'))
  }
  const metadata = own(schema.properties, 'metadata')
  if (metadata === undefined) return faults
  if (isResource && metadata.type !== 'object') {
    const typePath = child(at('metadata'), 'type')
    faults.push(fieldError.invalid(typePath, metadata.type ?? '', 'must be object'))
  }
  if (level === 'root' && !isOnlyNames(metadata)) {
    const why =
      'must not specify anything other than name and generateName, but metadata is implicitly specified'
    faults.push(fieldError.forbidden(at('metadata'), why))
  }
  return faults
}

function isOnlyNames({ type: _type, default: _default, properties = {}, ...rest }: Props): boolean {
  const names = Object.keys(properties)
  const known = names.every((name) => name === 'name' || name === 'generateName')
  return known && Object.values(rest).every((value) => value === undefined)
}

const INT_OR_STRING_TYPES = [{ type: 'integer' }, { type: 'string' }]

/** The two ways in which a schema may say int-or-string once more. */
function isIntOrString(anyOf: readonly Props[] | undefined): boolean {
  return equalJson(anyOf, INT_OR_STRING_TYPES)
}

function valueFaults(
  schema: Props,
  level: Level,
  path: string,
  skips = {
    anyOf: isIntOrString(schema.anyOf),
    firstAnyOf: isIntOrString(schema.allOf?.[0]?.anyOf),
  },
): FieldError[] {
  const faults: FieldError[] = []
  const nested = (inner: Props, where: string, anyOf = false) => {
    faults.push(...nestedFaults(inner, level, where, anyOf))
  }
  if (!skips.anyOf)
    schema.anyOf?.forEach((one, i) => {
      nested(one, keyed(child(path, 'anyOf'), i))
    })
  schema.allOf?.forEach((one, i) => {
    nested(one, keyed(child(path, 'allOf'), i), skips.firstAnyOf && i === 0)
  })
  schema.oneOf?.forEach((one, i) => {
    nested(one, keyed(child(path, 'oneOf'), i))
  })
  if (schema.not !== undefined) nested(schema.not, child(path, 'not'))
  if (schema.pattern) {
    const pattern = patternOf(schema.pattern)
    if ('fault' in pattern) {
      const why = `must be a valid regular expression, but isn't: ${pattern.fault}`
      faults.push(fieldError.invalid(child(path, 'pattern'), schema.pattern, why))
    }
  }
  return faults
}

/** What may not be said where values are only restricted, in upstream's order. */
const FORBIDDEN: readonly (readonly [name: keyof Props, what: string])[] = [
  ['default', 'undefined'],
  ['title', 'empty'],
  ['description', 'empty'],
  ['nullable', 'false'],
  [PRESERVES, 'false'],
  [EMBEDDED, 'false'],
  [INT_OR_STRING, 'false'],
  [LIST_KEYS, 'empty'],
  [LIST_TYPE, 'undefined'],
  [MAP_TYPE, 'undefined'],
  [RULES, 'empty'],
]

function nestedFaults(schema: Props, level: Level, path: string, skipAnyOf: boolean): FieldError[] {
  const faults = valueFaults(schema, level, path, { anyOf: skipAnyOf, firstAnyOf: false })
  const items = itemsOf(schema)
  if (items !== undefined) faults.push(...nestedFaults(items, level, child(path, 'items'), false))
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    faults.push(...nestedFaults(property, 'field', keyed(child(path, 'properties'), name), false))
  }
  const forbid = (name: string, what: string) => {
    faults.push(fieldError.forbidden(child(path, name), `must be ${what} to be structural`))
  }
  if (schema.type) forbid('type', 'empty')
  if (schema.additionalProperties) forbid('additionalProperties', 'undefined')
  for (const [name, what] of FORBIDDEN) if (isSaid(schema[name])) forbid(name, what)
  if (own(schema.properties, 'metadata') !== undefined) {
    const where = keyed(child(path, 'properties'), 'metadata')
    faults.push(fieldError.forbidden(where, 'must not be specified in a nested context'))
  }
  return faults
}

function isSaid(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === '') return false
  return !Array.isArray(value) || value.length > 0
}

/** What restricts the root must be declared there; upstream looks no deeper. */
function completeness(schema: Props, path: string): FieldError[] {
  return restrictions(schema, path).flatMap(([nested, where]) =>
    incomplete(nested, { schema, path }, where),
  )
}

function restrictions(schema: Props, path: string): [schema: Props, path: string][] {
  const listed = (['allOf', 'anyOf', 'oneOf'] as const).flatMap((name) =>
    (schema[name] ?? []).map((one, i): [Props, string] => [one, keyed(child(path, name), i)]),
  )
  return schema.not === undefined ? listed : [[schema.not, child(path, 'not')], ...listed]
}

type Declared = { schema: Props | undefined; path: string }

function incomplete(nested: Props, declared: Declared, where: string): FieldError[] {
  const because = (path: string) => `because it is defined in ${path}`
  const { schema, path } = declared
  if (schema === undefined) return [fieldError.required(path, because(where))]
  const faults = restrictions(nested, where).flatMap(([inner, at]) =>
    incomplete(inner, declared, at),
  )
  const items = itemsOf(nested)
  if (items !== undefined) {
    const of = { schema: itemsOf(schema), path: child(path, 'items') }
    faults.push(...incomplete(items, of, child(where, 'items')))
  }
  for (const [name, property] of Object.entries(nested.properties ?? {})) {
    const at = keyed(child(where, 'properties'), name)
    const of = {
      schema: own(schema.properties, name),
      path: keyed(child(path, 'properties'), name),
    }
    faults.push(...incomplete(property, of, at))
  }
  return faults
}
