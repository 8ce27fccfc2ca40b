// What strategic merge patches write among their fields, and values without it.

import { setOwn } from '../../lib/own.ts'
import { ApiError } from '../status.ts'
import { isObject, type JsonObject } from './value.ts'

export const DIRECTIVE = '$patch'
export const RETAIN_KEYS = '$retainKeys'
export const DELETE_PREFIX = '$deleteFromPrimitiveList'
export const ORDER_PREFIX = '$setElementOrder'

/**
 * A value that is new to the object: without nulls and directives. Undefined when the value is
 * itself only a directive.
 */
export function plainValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainValue).filter((item) => item !== undefined)
  if (!isObject(value)) return value
  if (value[DIRECTIVE] !== undefined) return undefined
  const result: JsonObject = {}
  for (const key in value) {
    if (value[key] === null || isDirectiveKey(key)) continue
    const child = plainValue(value[key])
    if (child !== undefined) setOwn(result, key, child)
  }
  return result
}

export function isDirectiveKey(key: string): boolean {
  return key === RETAIN_KEYS || key.startsWith(DELETE_PREFIX) || key.startsWith(ORDER_PREFIX)
}

/** A patch that does not fit its type; upstream answers 500 without a reason. */
export function unreasonable(message: string): ApiError {
  return new ApiError(500, '', message)
}
