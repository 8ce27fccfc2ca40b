// Printer columns, selectable fields and sub-resources of a definition.

import { fieldAt } from '../../../custom/field-path.ts'
import { child, keyed, type Props } from '../../../custom/schema.ts'
import type {
  CustomResourceColumnDefinition,
  CustomResourceSubresources,
  SelectableField,
} from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'

export function checkSubresources(
  faults: FieldErrors,
  subresources: CustomResourceSubresources | undefined,
  path: string,
) {
  const scale = subresources?.scale
  if (scale === undefined) return
  const judge = (field: string, value: string, starts: readonly string[], where: string) => {
    const at = `${path}.scale.${field}`
    const wrong = simplePathFault(value)
    if (wrong !== undefined) faults.invalid(at, value, wrong)
    else if (!starts.some((start) => value.startsWith(start))) {
      faults.invalid(at, value, `should be a json path under ${where}`)
    }
  }
  for (const [field, start] of [
    ['specReplicasPath', '.spec'],
    ['statusReplicasPath', '.status'],
  ] as const) {
    if (scale[field] === '') faults.required(`${path}.scale.${field}`)
    else judge(field, scale[field], [`${start}.`], start)
  }
  if (!scale.labelSelectorPath) return
  const starts = ['.spec.', '.status.']
  judge('labelSelectorPath', scale.labelSelectorPath, starts, 'either .spec or .status')
}

function simplePathFault(path: string): string | undefined {
  return path.startsWith('.') ? undefined : 'must be a simple json path starting with .'
}

const TYPES = ['boolean', 'date', 'integer', 'number', 'string']
const FORMATS = [...['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password']]

export function checkColumns(
  faults: FieldErrors,
  columns: readonly CustomResourceColumnDefinition[] | undefined,
  path: string,
) {
  const oneOf = (names: readonly string[]) => `must be one of ${names.join(',')}`
  columns?.forEach(({ name, type, format, jsonPath }, i) => {
    const at = (field: string) => child(keyed(path, i), field)
    if (name === '') faults.required(at('name'))
    if (type === '') faults.required(at('type'), oneOf(TYPES))
    else if (!TYPES.includes(type)) faults.invalid(at('type'), type, oneOf(TYPES))
    if (format && !FORMATS.includes(format)) faults.invalid(at('format'), format, oneOf(FORMATS))
    const wrong = simplePathFault(jsonPath)
    if (jsonPath === '') faults.required(at('JSONPath'))
    else if (wrong !== undefined) faults.invalid(at('JSONPath'), jsonPath, wrong)
  })
}

const SELECTABLE_MAX = 8
const SELECTABLE_TYPES = new Set(['string', 'boolean', 'integer'])

export function checkSelectableFields(
  faults: FieldErrors,
  fields: readonly SelectableField[],
  schema: Props,
  path: string,
) {
  const seen = new Set<string>()
  fields.forEach(({ jsonPath }, i) => {
    const at = `${keyed(path, i)}.jsonPath`
    if (jsonPath === '') {
      faults.required(at)
      return
    }
    const found = fieldAt(jsonPath, schema)
    if ('fault' in found) {
      faults.invalid(at, jsonPath, `is an invalid path: ${found.fault}`)
      return
    }
    if (found.names[0] === 'metadata') {
      faults.invalid(at, jsonPath, 'must not point to fields in metadata')
    }
    if (!SELECTABLE_TYPES.has(found.schema.type ?? '')) {
      const may = 'Enum string fields and strings with formats are allowed.'
      const why = `must point to a field of type string, boolean or integer. ${may}`
      faults.invalid(at, jsonPath, why)
    }
    const key = JSON.stringify(found.names)
    if (seen.has(key)) faults.duplicate(at, jsonPath)
    seen.add(key)
  })
  if (seen.size > SELECTABLE_MAX) faults.tooMany(path, seen.size, SELECTABLE_MAX)
}
