// OpenAPI schemas of types, for both versions of OpenAPI.
//
// What differs: version 3 says defaults and enumerations of the Go types and wraps references in
// `allOf` when something stands beside them; version 2 knows neither `oneOf` nor those defaults.

import type { AnyRow } from '../../api/resource.ts'
import { type Field, type FieldType, type ObjectType, objectType } from '../../api/schema/schema.ts'

export type Dialect = 'v2' | 'v3'
export type Schema = { [keyword: string]: unknown }

/** Text for people, where it is known: of a whole type, or of one of its fields. */
export type Describe = (type: string, field?: string) => string | undefined

/** The group versions that share types like DeleteOptions and WatchEvent. */
export type SchemaContext = {
  dialect: Dialect
  describe: Describe
  groupVersions: readonly { group: string; version: string }[]
  /** Schemas that definitions brought, and what each of them refers to. */
  custom: ReadonlyMap<string, { schema: Schema; refers: readonly string[] }>
}

/** Of those rows that are custom. */
export function customSchemas(rows: readonly AnyRow[], dialect: Dialect): SchemaContext['custom'] {
  const found = rows.flatMap(({ custom }) => {
    if (custom === undefined) return []
    const { schemas, refers } = custom.schemas(dialect)
    return schemas.map(([name, schema]) => [name, { schema, refers }] as const)
  })
  return new Map(found)
}

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.'
const APIEXTENSIONS = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.'
const RAW_EXTENSION = 'io.k8s.apimachinery.pkg.runtime.RawExtension'

export const PATCH = `${META}Patch`

/** Scalars that have a definition of their own. */
const SCALAR_NAMES: Readonly<Record<string, string>> = {
  time: `${META}Time`,
  microtime: `${META}MicroTime`,
  duration: `${META}Duration`,
  fields: `${META}FieldsV1`,
  quantity: 'io.k8s.apimachinery.pkg.api.resource.Quantity',
  intOrString: 'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
}
const ALTERNATIVE_NAMES = {
  bool: `${APIEXTENSIONS}JSONSchemaPropsOrBool`,
  list: `${APIEXTENSIONS}JSONSchemaPropsOrArray`,
  strings: `${APIEXTENSIONS}JSONSchemaPropsOrStringArray`,
}

/** Types that are not objects of fields. */
const NAMED: Readonly<Record<string, { v2: Schema; v3: Schema }>> = {
  [`${META}Time`]: both({ type: 'string', format: 'date-time' }),
  [`${META}MicroTime`]: both({ type: 'string', format: 'date-time' }),
  [`${META}Duration`]: both({ type: 'string' }),
  [`${META}FieldsV1`]: both({ type: 'object' }),
  [RAW_EXTENSION]: both({ type: 'object' }),
  [PATCH]: both({ type: 'object' }),
  [`${APIEXTENSIONS}JSON`]: both({}),
  [ALTERNATIVE_NAMES.bool]: both({}),
  [ALTERNATIVE_NAMES.list]: both({}),
  [ALTERNATIVE_NAMES.strings]: both({}),
  [SCALAR_NAMES.quantity!]: {
    v2: { type: 'string' },
    v3: { oneOf: [{ type: 'string' }, { type: 'number' }] },
  },
  [SCALAR_NAMES.intOrString!]: {
    v2: { type: 'string', format: 'int-or-string' },
    v3: { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
  },
}

/** Served in every group version, and said to be of each. */
const SHARED_KINDS = new Set([`${META}DeleteOptions`, `${META}WatchEvent`])

/** The definitions of `roots` and all that they refer to, by name. */
export function schemasOf(roots: Iterable<string>, context: SchemaContext): Record<string, Schema> {
  const found = new Map<string, Schema>()
  const queue = [...roots]
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (found.has(name)) continue
    const { schema, refers } = context.custom.get(name) ?? definition(name, context)
    found.set(name, schema)
    queue.push(...refers)
  }
  return Object.fromEntries([...found].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

export function reference(name: string, dialect: Dialect): Schema {
  const folder = dialect === 'v2' ? '#/definitions' : '#/components/schemas'
  return { $ref: `${folder}/${name}` }
}

function definition(name: string, context: SchemaContext) {
  const description = context.describe(name)
  const said = description === undefined ? {} : { description }
  const named = NAMED[name]
  if (named !== undefined) {
    return { schema: { ...said, ...named[context.dialect] }, refers: [] }
  }
  const type = objectType(name)
  const refers: string[] = []
  const fields = [...type.fields.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const properties = fields.map((field) => {
    refers.push(...namesIn(field))
    return [field.name, fieldSchema(type, field, context)]
  })
  const required = fields.filter((field) => field.required).map((field) => field.name)
  const schema: Schema = {
    ...said,
    type: 'object',
    ...(required.length === 0 ? {} : { required: requiredInOrder(type) }),
    ...(properties.length === 0 ? {} : { properties: Object.fromEntries(properties) }),
    ...kindsOf(type, context),
    ...(type.atomic ? { 'x-kubernetes-map-type': 'atomic' } : {}),
  }
  return { schema, refers }
}

/** Required fields are listed in Go's order. */
function requiredInOrder(type: ObjectType): string[] {
  return [...type.fields.values()].filter((field) => field.required).map((field) => field.name)
}

function kindsOf(type: ObjectType, { groupVersions }: SchemaContext): Schema {
  const key = 'x-kubernetes-group-version-kind'
  if (SHARED_KINDS.has(type.name)) {
    const kind = type.name.slice(META.length)
    const all = [{ group: '', version: 'v1' }, ...groupVersions]
    const unique = new Map(all.map((gv) => [`${gv.group}/${gv.version}`, gv]))
    return { [key]: [...unique.values()].map(({ group, version }) => ({ group, kind, version })) }
  }
  if (type.name === `${META}Status`)
    return { [key]: [{ group: '', kind: 'Status', version: 'v1' }] }
  if (type.kind === undefined) return {}
  const { group, version, kind } = type.kind
  return { [key]: [{ group, kind, version }] }
}

function fieldSchema(owner: ObjectType, field: Field, context: SchemaContext): Schema {
  const description = context.describe(owner.name, field.name)
  const { dialect } = context
  const base = typeSchema(field.type, { goType: field.goType, values: field.enum }, dialect)
  const byDefault = dialect === 'v3' ? defaultOf(field) : undefined
  const beside: Schema = {
    ...(description === undefined ? {} : { description }),
    ...(byDefault === undefined ? {} : { default: byDefault }),
    ...(field.listMapKeys.length === 0
      ? {}
      : { 'x-kubernetes-list-map-keys': [...field.listMapKeys] }),
    ...(field.listType === undefined ? {} : { 'x-kubernetes-list-type': field.listType }),
    ...(field.atomicMap ? { 'x-kubernetes-map-type': 'atomic' } : {}),
    ...(field.granularMap ? { 'x-kubernetes-map-type': 'granular' } : {}),
    ...(field.patchMergeKey === undefined
      ? {}
      : { 'x-kubernetes-patch-merge-key': field.patchMergeKey }),
    ...(field.patchStrategy.length === 0
      ? {}
      : { 'x-kubernetes-patch-strategy': field.patchStrategy.join(',') }),
  }
  if (dialect === 'v2') return { ...beside, ...base }
  return '$ref' in base ? wrapped(base, beside) : { ...beside, ...base }
}

/** In OpenAPI 3.0 nothing may stand beside a reference. */
function wrapped(base: Schema, beside: Schema): Schema {
  return { ...beside, allOf: [base] }
}

/** What the facts say, else Go's zero value where there is no other way to say nothing. */
function defaultOf(field: Field): unknown {
  if (field.default !== undefined) return field.default
  if (field.pointer || !field.alwaysWritten) return undefined
  return zeroOf(field.type)
}

function zeroOf(type: FieldType): unknown {
  switch (type.is) {
    case 'string':
      return ''
    case 'boolean':
      return false
    case 'int32':
    case 'int64':
    case 'double':
      return 0
    case 'object':
      return {}
    default:
      return undefined
  }
}

/** What a field says of its innermost type: the Go name, and the values of an enumeration. */
type Said = { goType: string | undefined; values: readonly string[] | undefined }

function typeSchema(type: FieldType, said: Said, dialect: Dialect): Schema {
  switch (type.is) {
    case 'string':
      return said.values ? { type: 'string', enum: [...said.values] } : { type: 'string' }
    case 'boolean':
      return { type: 'boolean' }
    case 'int32':
    case 'int64':
      return { type: 'integer', format: type.is }
    case 'double':
      return { type: 'number', format: 'double' }
    case 'bytes':
      return { type: 'string', format: 'byte' }
    case 'list':
      return { type: 'array', items: itemSchema(type.of, said, dialect) }
    case 'map':
      return { type: 'object', additionalProperties: itemSchema(type.of, said, dialect) }
    default:
      return reference(nameOf(type, said.goType)!, dialect)
  }
}

/** Items and values say their zero value too, in version 3. */
function itemSchema(type: FieldType, said: Said, dialect: Dialect): Schema {
  const base = typeSchema(type, { ...said, goType: innerGoType(said.goType) }, dialect)
  const zero = dialect === 'v3' ? zeroOf(type) : undefined
  if (zero === undefined) return base
  return '$ref' in base ? wrapped(base, { default: zero }) : { ...base, default: zero }
}

function innerGoType(goType: string | undefined): string | undefined {
  return goType?.replace(/^(\[\]|map\[string\])/, '')
}

/** Definitions that a field refers to. */
function namesIn(field: Field): string[] {
  let { type, goType } = field
  while (type.is === 'list' || type.is === 'map') {
    type = type.of
    goType = innerGoType(goType)
  }
  const name = nameOf(type, goType)
  return name === undefined ? [] : [name]
}

function nameOf(type: FieldType, goType: string | undefined): string | undefined {
  if (type.is === 'object') return type.or ? ALTERNATIVE_NAMES[type.or] : type.type.name
  if (type.is === 'any') return goType === 'v1.JSON' ? `${APIEXTENSIONS}JSON` : RAW_EXTENSION
  return SCALAR_NAMES[type.is]
}

function both(schema: Schema): { v2: Schema; v3: Schema } {
  return { v2: schema, v3: schema }
}
