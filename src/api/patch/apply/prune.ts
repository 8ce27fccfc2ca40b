// Removes what an applier has stopped to apply: fields of its last configuration that the new one
// does not name, and that nobody else owns.

import type { ObjectType } from '../../schema/schema.ts'
import type { JsonObject } from '../value.ts'
import { fieldsOf, withNamedFields } from './extract.ts'
import { difference, type Fields, intersection, isEmpty, NOTHING, union } from './fields.ts'
import type { FieldManager, FieldManagers } from './managers.ts'
import { removeFields } from './remove.ts'
import type { Versions } from './versions.ts'

/** At which version `merged` is, and the others that there are. */
export type Pruned = {
  readonly apiVersion: string
  readonly objectType: ObjectType
  readonly versions?: Versions | undefined
}

/** `managers` holds the new set of the applier; `last` is what it owned before. */
export function prune(
  merged: JsonObject,
  last: FieldManager | undefined,
  managers: FieldManagers,
  { apiVersion, objectType, versions }: Pruned,
): JsonObject {
  if (last === undefined || isEmpty(last.fields)) return merged
  const isOther = (version: string) =>
    version !== apiVersion && versions?.typeAt(version) !== undefined
  const involved = [last, ...managers.values()].map((fieldManager) => fieldManager.apiVersion)
  if (versions === undefined || !involved.some(isOther)) {
    let owned = NOTHING
    for (const fieldManager of managers.values()) owned = union(owned, fieldManager.fields)
    return pruneAt(merged, last.fields, owned, objectType)
  }
  const lastVersion = isOther(last.apiVersion) ? last.apiVersion : apiVersion
  const at = { apiVersion, objectType, versions, lastVersion }
  return pruneAcross(merged, last.fields, managers, at)
}

function pruneAt(merged: JsonObject, last: Fields, owned: Fields, type: ObjectType): JsonObject {
  const named = (set: Fields) => withNamedFields(set, type)
  const lastNamed = named(last)
  // Without anything of the last configuration, then again with what somebody still owns.
  const bare = removeFields(merged, lastNamed, type)
  return withDangling(merged, withOwned(merged, bare, owned, type), lastNamed, type)
}

/** `merged` without what `bare` lacks and nobody owns. */
function withOwned(merged: JsonObject, bare: JsonObject, owned: Fields, type: ObjectType) {
  const named = (set: Fields) => withNamedFields(set, type)
  const kept = union(named(fieldsOf(bare, type)), named(owned))
  return removeFields(merged, difference(named(fieldsOf(merged, type)), kept), type)
}

/** What hangs below a removed field without being owned by anybody comes back. */
function withDangling(
  merged: JsonObject,
  pruned: JsonObject,
  lastNamed: Fields,
  type: ObjectType,
): JsonObject {
  const named = (object: JsonObject) => withNamedFields(fieldsOf(object, type), type)
  const gone = difference(named(merged), named(pruned))
  return removeFields(merged, intersection(gone, lastNamed), type)
}

type Across = {
  apiVersion: string
  objectType: ObjectType
  versions: Versions
  lastVersion: string
}

/** The same, where some have written at other versions: each version gives back what it owns. */
function pruneAcross(
  merged: JsonObject,
  last: Fields,
  managers: FieldManagers,
  { apiVersion, objectType, versions, lastVersion }: Across,
): JsonObject {
  const typeAt = (version: string) => versions.typeAt(version) ?? objectType
  const convert = (object: JsonObject, from: string, to: string) =>
    from === to ? object : versions.convert(object, from, to)
  const ownedAt = new Map([[lastVersion, NOTHING]])
  for (const fieldManager of managers.values()) {
    const version =
      versions.typeAt(fieldManager.apiVersion) === undefined ? apiVersion : fieldManager.apiVersion
    ownedAt.set(version, union(ownedAt.get(version) ?? NOTHING, fieldManager.fields))
  }
  const type = typeAt(lastVersion)
  const lastNamed = withNamedFields(last, type)
  const whole = convert(merged, apiVersion, lastVersion)
  let pruned = removeFields(whole, lastNamed, type)
  let version = lastVersion
  for (const [next, owned] of ownedAt) {
    const wholeThere = convert(whole, lastVersion, next)
    const prunedThere = convert(pruned, version, next)
    pruned = withOwned(wholeThere, prunedThere, owned, typeAt(next))
    version = next
  }
  const back = convert(pruned, version, lastVersion)
  const complete = withDangling(whole, back, lastNamed, type)
  return convert(complete, lastVersion, apiVersion)
}
