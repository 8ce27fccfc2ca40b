// Field managers who wrote a kind at another version than the one that is written now: what
// changed is told to each in the fields of its own version.

import type { ObjectType } from '../../schema/schema.ts'
import type { JsonObject } from '../value.ts'
import { type Changes, compareObjects, withoutFields } from './compare.ts'
import type { Fields } from './fields.ts'

/** A kind that is served at several versions. */
export interface Versions {
  /** Undefined for a version that is not served. */
  typeAt(apiVersion: string): ObjectType | undefined
  /** The object as the other version says it; may share parts. Both versions are served. */
  convert(object: JsonObject, from: string, to: string): JsonObject
}

/** What changed, in the fields of a version. */
export type ChangesAt = (apiVersion: string) => Changes

export type Comparison = {
  readonly before: JsonObject
  readonly after: JsonObject
  readonly apiVersion: string
  /** Between the two, at `apiVersion`. */
  readonly changes: Changes
  readonly resetFields: Fields
  readonly versions: Versions | undefined
}

/** Versions that are not served are taken for the one that is written. */
export function changesAtVersions(comparison: Comparison): ChangesAt {
  const { apiVersion: own, changes, resetFields, versions } = comparison
  const known = new Map([[own, changes]])
  return (apiVersion) => {
    const found = known.get(apiVersion)
    if (found !== undefined) return found
    const type = versions?.typeAt(apiVersion)
    if (versions === undefined || type === undefined) return changes
    const at = (object: JsonObject) => versions.convert(object, own, apiVersion)
    const compared = compareObjects(at(comparison.before), at(comparison.after), type)
    const told = withoutFields(compared, resetFields)
    known.set(apiVersion, told)
    return told
  }
}
