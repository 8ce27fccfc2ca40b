// Checks an applied configuration against its type, in structured-merge-diff's words (they print Go
// values, and scripts match on them).

import type { FieldType, ObjectType } from '../../schema/schema.ts'
import { goPlain, goSyntax, goType } from '../go-text.ts'
import { isObject, type JsonObject } from '../value.ts'
import { fieldStep, stepText } from './path.ts'
import { childPlace, ItemError, itemPlace, itemStep, type Place, shapeOf } from './shape.ts'

/** Every fault as `.path: what is wrong`; empty when there is none. */
export function faultsOf(config: JsonObject, type: ObjectType): string[] {
  const faults: string[] = []
  check(config, { type: { is: 'object', type }, field: undefined }, '', faults)
  return faults
}

/** One fault stands alone, several are a list: upstream's layout. */
export function faultText(faults: readonly string[]): string {
  return faults.length === 1 ? faults[0]! : ['errors:', ...faults].join('\n  ')
}

function check(value: unknown, place: Place, path: string, faults: string[]): void {
  if (value === null || value === undefined) return
  const { type } = place
  const fault = kindFault(value, type)
  if (fault !== undefined) faults.push(path === '' ? fault : `${path}: ${fault}`)
  else if (type.is === 'list') checkList(value as unknown[], place, path, faults)
  else if (type.is === 'map' || (type.is === 'object' && !type.or)) {
    checkMap(value as JsonObject, place, path, faults)
  }
}

function kindFault(value: unknown, type: FieldType): string | undefined {
  switch (type.is) {
    case 'object':
      if (type.or !== undefined || isObject(value)) return undefined
      return `expected map, got ${wrapped(value)}`
    case 'map':
      return isObject(value) ? undefined : `expected map, got ${wrapped(value)}`
    case 'list':
      return Array.isArray(value) ? undefined : `expected list, got ${wrapped(value)}`
    default:
      return scalarFault(value, type.is)
  }
}

function checkMap(map: JsonObject, place: Place, path: string, faults: string[]): void {
  const { type } = place
  for (const key in map) {
    const below = path + stepText(fieldStep(key))
    if (type.is === 'object' && !type.type.open && !type.type.fields.has(key)) {
      faults.push(`${below}: field not declared in schema`)
    } else check(map[key], childPlace(place, key), below, faults)
  }
}

function checkList(list: unknown[], place: Place, path: string, faults: string[]): void {
  const shape = shapeOf(place)
  const seen = new Set<string>()
  for (const [index, item] of list.entries()) {
    let step = `i:${index}`
    if (shape !== 'leaf') {
      try {
        step = itemStep(place, shape, item)
      } catch (error) {
        if (!(error instanceof ItemError)) throw error
        // Without its step nothing below this item, or after it, can be named.
        faults.push(`${path}: element ${index}: ${error.message}`)
        return
      }
      if (seen.has(step)) faults.push(`${path}: duplicate entries for key ${stepText(step)}`)
      seen.add(step)
    }
    check(item, itemPlace(place), path + stepText(step), faults)
  }
}

function scalarFault(value: unknown, scalar: string): string | undefined {
  switch (scalar) {
    case 'string':
    case 'bytes':
    case 'time':
    case 'microtime':
    case 'duration':
      if (typeof value === 'string') return undefined
      return `expected string, got &value.valueUnstructured{Value:${goSyntax(value)}}`
    case 'boolean':
      return typeof value === 'boolean' ? undefined : `expected boolean, got ${wrapped(value)}`
    case 'int32':
    case 'int64':
    case 'double':
      if (typeof value === 'number') return undefined
      return `expected numeric (int or float), got ${goType(value)}`
    case 'quantity':
    case 'intOrString':
      return typeof value !== 'object' ? undefined : `expected any scalar, got ${wrapped(value)}`
    default:
      return undefined
  }
}

/** How Go prints the value that structured-merge-diff wraps. */
const wrapped = (value: unknown) => `&{${goPlain(value)}}`
