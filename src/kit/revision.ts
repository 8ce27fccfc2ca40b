// resourceVersion as a number, so that revisions can be compared, and objects that cannot change.

import type { KubeObject } from '../api/object.ts'

/** The revision of the last write of `object`; 0 when it was never stored. */
export function revisionOf(object: KubeObject): number {
  return Number(object.metadata.resourceVersion ?? 0)
}

/** Freezes `value` and everything in it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const part of Object.values(value)) deepFreeze(part)
  return value
}
