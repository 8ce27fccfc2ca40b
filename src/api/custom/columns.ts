// Columns that a definition wants printed, and fields to select by.

import type { KubeObject } from '../object.ts'
import { isObject } from '../patch/value.ts'
import type { Column } from '../resource.ts'
import type {
  CustomResourceColumnDefinition,
  CustomResourceDefinitionVersion,
} from '../schema/generated/types.ts'
import { since } from '../table/cells.ts'
import { findAll, type JsonPath, parseJsonPath } from './jsonpath.ts'

const AGE: CustomResourceColumnDefinition = {
  name: 'Age',
  type: 'date',
  description: 'Time since the object was created.',
  jsonPath: '.metadata.creationTimestamp',
}

/** The age alone where nothing else is asked for, or what is asked for cannot be read. */
export function columnsOf(version: CustomResourceDefinitionVersion): Column<KubeObject>[] {
  const wanted = version.additionalPrinterColumns ?? []
  const columns = (wanted.length > 0 ? wanted : [AGE]).map(columnOf)
  return columns.includes(undefined) ? [] : (columns as Column<KubeObject>[])
}

function columnOf(column: CustomResourceColumnDefinition): Column<KubeObject> | undefined {
  const path = parseJsonPath(column.jsonPath)
  if (path === undefined) return undefined
  const type = column.type as Column<KubeObject>['type']
  return {
    name: column.name,
    type,
    priority: (column.priority ?? 0) as 0 | 1,
    description:
      column.description ||
      `Custom resource definition column (in JSONPath format): ${column.jsonPath}`,
    ...(column.format ? { format: column.format } : {}),
    cell: (object, nowMs) => cellOf(type, findAll(object, path)[0], nowMs),
  }
}

function cellOf(type: string, value: unknown, nowMs: number): string | number | boolean | null {
  if (value === undefined || value === null) return null
  switch (type) {
    case 'string':
      return textOf(value)
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null
    case 'number':
      return typeof value === 'number' ? value : null
    case 'boolean':
      return typeof value === 'boolean' ? value : null
    case 'date':
      return typeof value === 'string' ? ageOf(value, nowMs) : null
    default:
      return null
  }
}

function ageOf(text: string, nowMs: number): string {
  return Number.isNaN(Date.parse(text)) ? '<invalid>' : since(text, nowMs)
}

function textOf(value: unknown): string {
  return isObject(value) || Array.isArray(value) ? JSON.stringify(value) : String(value)
}

/** By path without its first dot. */
export function selectableOf(
  version: CustomResourceDefinitionVersion,
): Record<string, (object: KubeObject) => string> {
  const fields = (version.selectableFields ?? []).map(({ jsonPath }) => {
    const path: JsonPath = parseJsonPath(jsonPath) ?? []
    const read = (object: KubeObject) => {
      const value = path.length === 0 ? undefined : findAll(object, path)[0]
      return value === undefined || value === null ? '' : textOf(value)
    }
    return [jsonPath.replace(/^\./, ''), read] as const
  })
  return Object.fromEntries(fields)
}
