// Removes what an applier has stopped to apply: fields of its last configuration that the new one
// does not name, and that nobody else owns.

import type { ObjectType } from '../../schema/schema.ts'
import type { JsonObject } from '../value.ts'
import { fieldsOf, withNamedFields } from './extract.ts'
import { difference, type Fields, intersection, isEmpty, NOTHING, union } from './fields.ts'
import type { Owners } from './managers.ts'
import { removeFields } from './remove.ts'

/** `owners` holds the new set of the applier; `last` is its set before. */
export function prune(
  merged: JsonObject,
  last: Fields | undefined,
  owners: Owners,
  type: ObjectType,
): JsonObject {
  if (last === undefined || isEmpty(last)) return merged
  const named = (set: Fields) => withNamedFields(set, type)
  const all = named(fieldsOf(merged, type))
  const lastNamed = named(last)
  let owned = NOTHING
  for (const owner of owners.values()) owned = union(owned, owner.fields)

  // Without anything of the last configuration, then again with what somebody still owns.
  const bare = removeFields(merged, lastNamed, type)
  const kept = union(named(fieldsOf(bare, type)), named(owned))
  const pruned = removeFields(merged, difference(all, kept), type)

  // What hangs below a removed field without being owned by anybody comes back.
  const gone = difference(all, named(fieldsOf(pruned, type)))
  return removeFields(merged, intersection(gone, lastNamed), type)
}
