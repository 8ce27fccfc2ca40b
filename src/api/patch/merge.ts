// JSON merge patch (RFC 7386): objects merge, null removes, everything else replaces.

import { own, setOwn } from '../../lib/own.ts'
import { isObject, type JsonObject } from './value.ts'

/** What `target` becomes; neither argument is changed, parts of both are shared with the result. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const result: JsonObject = isObject(target) ? { ...target } : {}
  for (const key in patch) {
    const value = patch[key]
    if (value === null) delete result[key]
    else setOwn(result, key, applyMergePatch(own(result, key), value))
  }
  return result
}
