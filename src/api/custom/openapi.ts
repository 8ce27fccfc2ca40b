// What OpenAPI says of a custom resource.

import { isObject } from '../patch/value.ts'
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionVersion,
  JSONSchemaProps,
} from '../schema/generated/types.ts'
import { EMBEDDED, INT_OR_STRING, PRESERVES, type Props } from './schema.ts'
import { isStructural } from './structural.ts'

export type PublishedKind = {
  definition: CustomResourceDefinition
  version: CustomResourceDefinitionVersion
  names: CustomResourceDefinitionNames
}

type Schema = { [keyword: string]: unknown }
type Dialect = 'v2' | 'v3'

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.'
const CONVENTIONS =
  'https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md'

/** `com.example.v1.Foo` for Foo of example.com/v1. */
export function modelName({
  group,
  version,
  kind,
}: {
  group: string
  version: string
  kind: string
}) {
  return `${group.split('.').reverse().join('.')}.${version}.${kind}`
}

/** The schemas of the kind and of its list, by name; `refers` are those that they refer to. */
export function publishedSchemas(
  { definition, version, names }: PublishedKind,
  dialect: Dialect,
): { schemas: [name: string, schema: Schema][]; refers: string[] } {
  const { group } = definition.spec
  const kind = { group, version: version.name, kind: names.kind }
  const listKind = names.listKind ?? `${names.kind}List`
  const list = { group, version: version.name, kind: listKind }
  const fields = (version.selectableFields ?? []).map(({ jsonPath }) => ({
    fieldPath: jsonPath.replace(/^\./, ''),
  }))
  const beside = (of: typeof kind): Schema => ({
    'x-kubernetes-group-version-kind': [of],
    ...(fields.length > 0 && dialect === 'v3' ? { 'x-kubernetes-selectable-fields': fields } : {}),
  })
  const item = { ...objectSchema(definition, version, dialect), ...beside(kind) }
  return {
    schemas: [
      [modelName(kind), item],
      [
        modelName(list),
        { ...listSchema(names, listKind, modelName(kind), dialect), ...beside(list) },
      ],
    ],
    refers: [`${META}ObjectMeta`, `${META}ListMeta`],
  }
}

function reference(name: string, dialect: Dialect, description: string): Schema {
  if (dialect === 'v2') return { description, $ref: `#/definitions/${name}` }
  return { description, allOf: [{ $ref: `#/components/schemas/${name}` }] }
}

function typeMeta(): Record<string, Schema> {
  return {
    apiVersion: {
      type: 'string',
      description:
        'APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: ' +
        `${CONVENTIONS}#resources`,
    },
    kind: {
      type: 'string',
      description:
        'Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: ' +
        `${CONVENTIONS}#types-kinds`,
    },
  }
}

const objectMeta = (dialect: Dialect) =>
  reference(
    `${META}ObjectMeta`,
    dialect,
    `Standard object's metadata. More info: ${CONVENTIONS}#metadata`,
  )

function objectSchema(
  { spec }: CustomResourceDefinition,
  { schema: validation }: CustomResourceDefinitionVersion,
  dialect: Dialect,
): Schema {
  const schema = validation?.openAPIV3Schema
  if (schema === undefined || !isStructural(schema)) return { type: 'object' }
  // kubectl takes properties for all that there may be.
  if (dialect === 'v2' && (schema[PRESERVES] || spec.preserveUnknownFields)) {
    return { type: 'object' }
  }
  const published = publish(schema, dialect)
  const properties = published.properties as Record<string, Schema> | undefined
  return {
    ...published,
    properties: { ...properties, ...typeMeta(), metadata: objectMeta(dialect) },
  }
}

function listSchema(
  names: CustomResourceDefinitionNames,
  listKind: string,
  item: string,
  dialect: Dialect,
): Schema {
  const folder = dialect === 'v2' ? '#/definitions' : '#/components/schemas'
  const meta = `Standard list metadata. More info: ${CONVENTIONS}#types-kinds`
  return {
    description: `${listKind} is a list of ${names.kind}`,
    type: 'object',
    required: ['items'],
    properties: {
      ...typeMeta(),
      metadata: reference(`${META}ListMeta`, dialect, meta),
      items: {
        description: `List of ${names.plural}. More info: ${CONVENTIONS}`,
        type: 'array',
        items: { $ref: `${folder}/${item}` },
      },
    },
  }
}

/** Version 2 cannot say these; what they restrict is checked on the server. */
const NOT_IN_V2 = ['allOf', 'anyOf', 'oneOf', 'not'] as const

function publish(schema: Props, dialect: Dialect): Schema {
  const result: Schema = { ...schema }
  if (dialect === 'v2') {
    for (const name of NOT_IN_V2) delete result[name]
    delete result.nullable
    delete result.default
    if (schema.nullable || schema[INT_OR_STRING] || schema[PRESERVES]) return looseSchema(schema)
  } else if (schema[INT_OR_STRING] && schema.anyOf === undefined) {
    result.anyOf = [{ type: 'integer' }, { type: 'string' }]
  }
  const { properties, items, additionalProperties } = schema
  if (properties !== undefined) {
    const entries = Object.entries(properties).map(([name, of]) => [name, publish(of, dialect)])
    result.properties = Object.fromEntries(entries)
  }
  if (isObject(items)) result.items = publish(items as JSONSchemaProps, dialect)
  if (isObject(additionalProperties)) {
    result.additionalProperties = publish(additionalProperties as JSONSchemaProps, dialect)
  }
  return schema[EMBEDDED] ? withResource(result, dialect) : result
}

/** What version 2 can say of a value that is not always of one type. */
function looseSchema(schema: Props): Schema {
  const extensions = Object.entries(schema).filter(([name]) => name.startsWith('x-kubernetes-'))
  const isObjectType = schema[PRESERVES] && schema.type !== undefined && !schema.nullable
  return {
    ...(schema.description ? { description: schema.description } : {}),
    ...(isObjectType ? { type: schema.type } : {}),
    ...Object.fromEntries(extensions),
  }
}

function withResource(schema: Schema, dialect: Dialect): Schema {
  const properties = schema.properties as Record<string, Schema> | undefined
  const required = (schema.required ?? []) as string[]
  return {
    ...schema,
    required: [...new Set([...required, 'kind', 'apiVersion'])],
    properties: {
      ...properties,
      apiVersion: {
        type: 'string',
        description: `apiVersion defines the versioned schema of this representation of an object. More info: ${CONVENTIONS}#resources`,
      },
      kind: {
        type: 'string',
        description: `kind is a string value representing the type of this object. In CamelCase. More info: ${CONVENTIONS}#types-kinds`,
      },
      metadata: objectMeta(dialect),
    },
  }
}
