// The schema of a definition: structural, with defaults that fit, and nothing that is not served.

import {
  additionalOf,
  child,
  EMBEDDED,
  itemsOf,
  keyed,
  MAP_TYPE,
  METADATA_FIELDS,
  PRESERVES,
  type Props,
} from '../../../custom/schema.ts'
import { structuralFaults, unsupportedFault } from '../../../custom/structural.ts'
import type { FieldError } from '../../../status.ts'
import { FieldErrors } from '../../../validation/field-errors.ts'
import { defaultFaults } from './default-validation.ts'
import { checkLists } from './list-validation.ts'
import { checkRules } from './rule-validation.ts'

const ROOT_FIELDS = [
  ...['Description', 'Type', 'Format', 'Title', 'Maximum', 'ExclusiveMaximum', 'Minimum'],
  ...['ExclusiveMinimum', 'MaxLength', 'MinLength', 'Pattern', 'MaxItems', 'MinItems'],
  ...['UniqueItems', 'MultipleOf', 'Required', 'Items', 'Properties', 'ExternalDocs', 'Example'],
  ...['XPreserveUnknownFields', 'XValidations'],
]
const AT_ROOT = new Set([
  ...['description', 'type', 'format', 'title', 'maximum', 'exclusiveMaximum', 'minimum'],
  ...['exclusiveMinimum', 'maxLength', 'minLength', 'pattern', 'maxItems', 'minItems'],
  ...['uniqueItems', 'multipleOf', 'required', 'items', 'properties', 'externalDocs', 'example'],
  ...[PRESERVES, 'x-kubernetes-validations'],
])

export function checkSchema(faults: FieldErrors, schema: Props, hasStatus: boolean, path: string) {
  const at = child(path, 'openAPIV3Schema')
  const own = new FieldErrors()
  if (hasStatus) checkRootFields(own, schema, at)
  if (schema.nullable) own.forbidden(`${at}.nullable`, 'nullable cannot be true at the root')
  const unsupported = unsupportedFault(schema)
  if (unsupported === undefined) own.list.push(...shapeFaults(schema, at))
  own.list.push(...servedFaults(schema, at))
  // What cannot be served is mostly told already.
  if (own.list.length === 0 && unsupported !== undefined) own.invalid(at, '', unsupported)
  faults.list.push(...own.list)
}

function shapeFaults(schema: Props, path: string): FieldError[] {
  const structural = structuralFaults(path, schema)
  return structural.length > 0 ? structural : defaultFaults(schema, path)
}

/** The schema of the status must be its own, so the root says nothing that reaches into it. */
function checkRootFields(faults: FieldErrors, schema: Props, path: string) {
  const said = Object.entries(schema).filter(([, value]) => isSaid(value))
  for (const [name] of said) {
    if (name === 'type' && schema.type !== 'object') {
      const only = 'only "object" is allowed as the type at the root of the schema'
      faults.invalid(`${path}.type`, schema.type, `${only} if the status subresource is enabled`)
      return
    }
    if (AT_ROOT.has(name)) continue
    const only = `only [${ROOT_FIELDS.join(' ')}] fields are allowed at the root of the schema`
    faults.invalid(path, schema, `${only} if the status subresource is enabled`)
    return
  }
}

function isSaid(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false && value !== ''
}

/** What is known on the way down. */
type Way = {
  /** Why there may be no default. */
  noDefaults: string | undefined
  isInMetadata: boolean
  isRoot: boolean
}

function servedFaults(schema: Props, path: string): FieldError[] {
  const faults = new FieldErrors()
  const way = { noDefaults: undefined, isInMetadata: false, isRoot: true }
  checkServed(faults, schema, path, way)
  return faults.list
}

function checkServed(faults: FieldErrors, schema: Props | undefined, path: string, way: Way) {
  if (schema === undefined) return
  checkKeywords(faults, schema, path, way)
  const inner = { ...way, isRoot: false }
  const additional = child(path, 'additionalProperties')
  const { properties = {}, additionalProperties } = schema
  const hasProperties = Object.keys(properties).length > 0
  if (additionalProperties !== undefined && additionalProperties !== true && hasProperties) {
    const why = 'additionalProperties and properties are mutual exclusive'
    faults.forbidden(additional, why)
  }
  const why = 'inside additionalProperties applying to object metadata'
  const noDefaults = way.isInMetadata ? why : way.noDefaults
  checkServed(faults, additionalOf(schema), additional, { ...inner, noDefaults })
  for (const [name, property] of Object.entries(properties)) {
    const isMetadata = (way.isRoot || schema[EMBEDDED] === true) && METADATA_FIELDS.has(name)
    const of = {
      isRoot: false,
      isInMetadata: way.isInMetadata || isMetadata,
      noDefaults: isMetadata && way.isRoot ? `in top-level ${name}` : way.noDefaults,
    }
    checkServed(faults, property, keyed(child(path, 'properties'), name), of)
  }
  checkServed(faults, schema.not, child(path, 'not'), inner)
  for (const name of ['allOf', 'oneOf', 'anyOf'] as const) {
    schema[name]?.forEach((one, i) => {
      checkServed(faults, one, keyed(child(path, name), i), inner)
    })
  }
  for (const [name, one] of Object.entries(schema.definitions ?? {})) {
    checkServed(faults, one, keyed(child(path, 'definitions'), name), inner)
  }
  checkServed(faults, itemsOf(schema), child(path, 'items'), inner)
  if (Array.isArray(schema.items)) {
    schema.items.forEach((one, i) => {
      checkServed(faults, one, keyed(child(path, 'items'), i), inner)
    })
  }
  checkExtensions(faults, schema, path)
  checkLists(faults, schema, path)
  checkRules(faults, schema, path)
}

const TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string']

function checkKeywords(faults: FieldErrors, schema: Props, path: string, way: Way) {
  const at = (name: string) => child(path, name)
  const unsupported = (name: string) => faults.forbidden(at(name), `${name} is not supported`)
  if (schema.type && !TYPES.includes(schema.type)) {
    faults.notSupported(at('type'), schema.type, TYPES)
  }
  if (schema.default !== undefined && schema.default !== null && way.noDefaults !== undefined) {
    faults.forbidden(at('default'), `must not be set ${way.noDefaults}`)
  }
  if (schema.id) unsupported('id')
  if (schema.additionalItems !== undefined) unsupported('additionalItems')
  if (Object.keys(schema.patternProperties ?? {}).length > 0) unsupported('patternProperties')
  if (Object.keys(schema.definitions ?? {}).length > 0) unsupported('definitions')
  if (schema.dependencies !== undefined) unsupported('dependencies')
  if (schema.$ref !== undefined) unsupported('$ref')
  if (schema.type === 'null') {
    const why = 'type cannot be set to null, use nullable as an alternative'
    faults.forbidden(at('type'), why)
  }
  if (Array.isArray(schema.items) && schema.items.length > 0) {
    faults.forbidden(at('items'), 'items must be a schema object and not an array')
  }
  if (way.isInMetadata && schema[EMBEDDED]) {
    faults.forbidden(at(EMBEDDED), 'must not be used inside of resource meta')
  }
  if (schema.uniqueItems) {
    const why = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic'
    faults.forbidden(at('uniqueItems'), why)
  }
}

function checkExtensions(faults: FieldErrors, schema: Props, path: string) {
  if (schema[PRESERVES] === false) {
    faults.invalid(child(path, PRESERVES), false, 'must be true or undefined')
  }
  const mapType = schema[MAP_TYPE]
  if (mapType === undefined) return
  if (schema.type !== 'object') {
    const why = `must be object if ${MAP_TYPE} is specified`
    if (schema.type) faults.invalid(child(path, 'type'), schema.type, why)
    else faults.required(child(path, 'type'), why)
  }
  if (mapType !== 'atomic' && mapType !== 'granular') {
    faults.notSupported(child(path, MAP_TYPE), mapType, ['atomic', 'granular'])
  }
}
