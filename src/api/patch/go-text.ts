// Values as Go prints them: messages of patches show them so, and people search for those messages.

import { isObject, type JsonObject } from './value.ts'

/** %v */
export function goPlain(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goPlain).join(' ')}]`
  if (isObject(value)) return `map[${pairsOf(value, goPlain, false).join(' ')}]`
  return value === null || value === undefined ? '<nil>' : String(value)
}

/** %#v */
export function goSyntax(value: unknown): string {
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(', ')}}`
  if (isObject(value)) {
    return `map[string]interface {}{${pairsOf(value, goSyntax, true).join(', ')}}`
  }
  if (value === null || value === undefined) return 'interface {}(nil)'
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}

/** %T */
export function goType(value: unknown): string {
  if (Array.isArray(value)) return '[]interface {}'
  if (isObject(value)) return 'map[string]interface {}'
  if (value === null || value === undefined) return '<nil>'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64'
  return typeof value === 'boolean' ? 'bool' : 'string'
}

function pairsOf(map: JsonObject, print: (value: unknown) => string, quoted: boolean): string[] {
  const name = (key: string) => (quoted ? JSON.stringify(key) : key)
  return Object.keys(map)
    .sort()
    .map((key) => `${name(key)}:${print(map[key])}`)
}
