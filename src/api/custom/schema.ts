// The schemas of custom resources, as a definition holds them, and ways through them.

import { own } from '../../lib/own.ts'
import type { JSONSchemaProps } from '../schema/generated/types.ts'

export type Props = JSONSchemaProps

export const METADATA_FIELDS: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata'])

export const PRESERVES = 'x-kubernetes-preserve-unknown-fields'
export const EMBEDDED = 'x-kubernetes-embedded-resource'
export const INT_OR_STRING = 'x-kubernetes-int-or-string'
export const LIST_TYPE = 'x-kubernetes-list-type'
export const LIST_KEYS = 'x-kubernetes-list-map-keys'
export const MAP_TYPE = 'x-kubernetes-map-type'
export const RULES = 'x-kubernetes-validations'

/** The schema of all items; undefined when there is none, or a list of them. */
export function itemsOf({ items }: Props): Props | undefined {
  return items === undefined || Array.isArray(items) ? undefined : items
}

/** The schema of values whose names no property has. */
export function additionalOf({ additionalProperties }: Props): Props | undefined {
  return typeof additionalProperties === 'object' ? additionalProperties : undefined
}

/** The schema of one field: its own, or that of any name. */
export function fieldSchema(schema: Props | undefined, name: string): Props | undefined {
  if (schema === undefined) return undefined
  return own(schema.properties, name) ?? additionalOf(schema)
}

/** Paths as upstream writes them: `spec.a`, `spec[a]`, `spec[0]`. */
export const child = (path: string, name: string) => (path === '' ? name : `${path}.${name}`)
export const keyed = (path: string, key: string | number) => `${path}[${key}]`

/** Whether `holds` is true of this schema or of any in it. */
export function someSchema(schema: Props | undefined, holds: (schema: Props) => boolean): boolean {
  if (schema === undefined) return false
  return holds(schema) || innerSchemas(schema).some((inner) => someSchema(inner, holds))
}

function innerSchemas(schema: Props): Props[] {
  const { items, allOf, anyOf, oneOf, not, additionalItems, dependencies } = schema
  const objects = (values: Iterable<unknown>) =>
    [...values].filter((value): value is Props => isSchema(value))
  return [
    ...(items === undefined ? [] : [items].flat()),
    ...(allOf ?? []),
    ...(anyOf ?? []),
    ...(oneOf ?? []),
    ...objects([not, additionalOf(schema), additionalItems]),
    ...Object.values(schema.properties ?? {}),
    ...Object.values(schema.patternProperties ?? {}),
    ...Object.values(schema.definitions ?? {}),
    ...objects(Object.values(dependencies ?? {})),
  ]
}

function isSchema(value: unknown): value is Props {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
