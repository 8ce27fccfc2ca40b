// Defaults in the schema of a definition must be what the schema allows.

import { embeddedFaults } from '../../../custom/embedded.ts'
import { instanceFaults } from '../../../custom/instance.ts'
import { coerceEmbedded, EmbeddedError, isGiven, pruneUnknown } from '../../../custom/prune.ts'
import {
  child,
  EMBEDDED,
  itemsOf,
  keyed,
  METADATA_FIELDS,
  type Props,
} from '../../../custom/schema.ts'
import { equalJson, isObject } from '../../../patch/value.ts'
import { type FieldError, fieldError } from '../../../status.ts'

/** Of structural schemas alone. Metadata is left to those who forbid defaults in it. */
export function defaultFaults(schema: Props, path: string, isRoot = true): FieldError[] {
  const faults = isGiven(schema.default) ? ofDefault(schema, child(path, 'default')) : []
  const items = itemsOf(schema)
  if (items !== undefined) faults.push(...defaultFaults(items, child(path, 'items'), false))
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if ((isRoot || schema[EMBEDDED]) && METADATA_FIELDS.has(name)) continue
    const at = keyed(child(path, 'properties'), name)
    faults.push(...defaultFaults(property, at, false))
  }
  return faults
}

function ofDefault(schema: Props, path: string): FieldError[] {
  const { default: value } = schema
  const pruned: unknown = structuredClone(value)
  const unknown =
    unknownIn(pruned, schema) || !equalJson(pruned, value)
      ? [fieldError.invalid(path, value, 'must not have unknown fields')]
      : []
  return [...unknown, ...wrongValue(pruned, schema, path)]
}

/** The schema is asked as that of a field, so that a list or a scalar may be pruned like any. */
function unknownIn(value: unknown, schema: Props): boolean {
  const holder = { type: 'object', properties: { value: schema } }
  return isObject(value) || Array.isArray(value)
    ? pruneUnknown({ value }, holder).length > 0
    : false
}

function wrongValue(value: unknown, schema: Props, path: string): FieldError[] {
  try {
    coerceEmbedded(value, schema, path)
  } catch (error) {
    if (!(error instanceof EmbeddedError)) throw error
    return [fieldError.invalid(error.path, error.value, error.message)]
  }
  const embedded = embeddedFaults(value, schema)
  if (embedded.length > 0) return embedded
  return instanceFaults(value, schema, path)
}
