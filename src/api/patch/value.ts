// JSON values as patches see them.

import { own } from '../../lib/own.ts'

export type JsonObject = { [key: string]: unknown }

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Equality of JSON values: the order of keys does not count, undefined is as good as absent. */
export function equalJson(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false
    for (let i = 0; i < a.length; i++) if (!equalJson(a[i], b[i])) return false
    return true
  }
  return !Array.isArray(b) && equalObjects(a as JsonObject, b as JsonObject)
}

function equalObjects(a: JsonObject, b: JsonObject): boolean {
  let count = 0
  for (const key in a) {
    if (a[key] === undefined) continue
    count++
    if (!equalJson(a[key], own(b, key))) return false
  }
  for (const key in b) if (b[key] !== undefined) count--
  return count === 0
}
