// Strategic merge patch: a merge patch that knows lists. Which lists merge, and by what key, comes
// from the types (patchStrategy and patchMergeKey of Field).
//
//   $patch: replace | delete        in a map, or in an item of a list
//   $retainKeys: [k]                keys that stay; the others go (unions such as volumes)
//   $setElementOrder/list: [..]     the order of the list afterwards
//   $deleteFromPrimitiveList/list: [..]

import { own, setOwn } from '../../lib/own.ts'
import type { Field, FieldType, ObjectType } from '../schema/schema.ts'
import { badRequest } from '../status.ts'
import { goPlain } from './go-text.ts'
import { type ListPlan, mergeLists, orderLists, withoutItems } from './strategic-lists.ts'
import {
  DELETE_PREFIX,
  DIRECTIVE,
  isDirectiveKey,
  ORDER_PREFIX,
  plainValue,
  RETAIN_KEYS,
  unreasonable,
} from './strategic-value.ts'
import { isObject, type JsonObject } from './value.ts'

/** Fields of a declared object, or nothing known about them. */
type Fields = ReadonlyMap<string, Field> | undefined

/**
 * Neither argument is changed. Throws 400 and 422 for patches in a wrong form and 500, as upstream,
 * for those that make no sense for the type.
 */
export function applyStrategicMergePatch(
  original: JsonObject,
  patch: JsonObject,
  type: ObjectType,
): JsonObject {
  return mergeMap(original, patch, type.fields)
}

function mergeMap(original: JsonObject, patch: JsonObject, fields: Fields): JsonObject {
  const directive = patch[DIRECTIVE]
  if (directive !== undefined) return replaced(directive, patch)
  const result = retained(original, patch)
  const done = mergeOrdered(result, patch, fields)
  for (const key in patch) {
    if (!key.startsWith(DELETE_PREFIX)) continue
    deleteFromList(result, nameAfter(key, DELETE_PREFIX), patch[key])
  }
  for (const key in patch) {
    if (key === RETAIN_KEYS || key.startsWith(DELETE_PREFIX)) continue
    if (!done.has(key)) mergeField(result, key, patch[key], fields?.get(key))
  }
  return result
}

function replaced(directive: unknown, patch: JsonObject): JsonObject {
  if (directive === 'delete') return {}
  if (directive !== 'replace') {
    throw unreasonable(`unknown patch type: ${goPlain(directive)} in map: ${goPlain(patch)}`)
  }
  const { [DIRECTIVE]: _, ...rest } = patch
  return rest
}

function retained(original: JsonObject, patch: JsonObject): JsonObject {
  const retain = patch[RETAIN_KEYS]
  if (retain === undefined) return { ...original }
  if (!Array.isArray(retain)) throw badRequest('invalid patch format of retainKeys')
  const kept = new Set<unknown>(retain)
  for (const key in patch) {
    if (!isDirectiveKey(key) && patch[key] !== null && !kept.has(key)) {
      throw badRequest('invalid patch format of retainKeys')
    }
  }
  return Object.fromEntries(Object.entries(original).filter(([key]) => kept.has(key)))
}

/** Merges the lists that come with an order; returns the keys of `patch` that are dealt with so. */
function mergeOrdered(result: JsonObject, patch: JsonObject, fields: Fields): Set<string> {
  const done = new Set<string>()
  for (const key in patch) {
    if (!key.startsWith(ORDER_PREFIX)) continue
    const name = nameAfter(key, ORDER_PREFIX)
    done.add(key)
    const list = orderLists(
      own(result, name),
      own(patch, name),
      patch[key],
      listPlan(fields?.get(name)),
    )
    if (list === undefined) continue
    setOwn(result, name, list)
    done.add(name)
  }
  return done
}

function deleteFromList(result: JsonObject, name: string, items: unknown): void {
  const list = own(result, name)
  if (items === null) delete result[name]
  else if (Array.isArray(list) && Array.isArray(items))
    setOwn(result, name, withoutItems(list, items))
}

function mergeField(result: JsonObject, key: string, patch: unknown, field: Field | undefined) {
  const merged = patch === null ? undefined : mergedField(own(result, key), patch, field)
  if (merged === undefined) delete result[key]
  else setOwn(result, key, merged)
}

/** Undefined when nothing is left of the field. */
function mergedField(original: unknown, patch: unknown, field: Field | undefined): unknown {
  if (isObject(original) && isObject(patch)) {
    const isReplaced = strategyOf(field) === 'replace'
    return isReplaced ? plainValue(patch) : mergeMap(original, patch, fieldsOf(field?.type))
  }
  if (!Array.isArray(original) || !Array.isArray(patch)) return plainValue(patch)
  const plan = listPlan(field)
  // Lists that are replaced are taken as they are; decoding drops what it does not know.
  return plan.merges ? mergeLists(original, patch, plan) : patch
}

function listPlan(field: Field | undefined): ListPlan {
  const of = field?.type.is === 'list' ? field.type.of : undefined
  return {
    merges: strategyOf(field) === 'merge',
    mergeKey: field?.patchMergeKey,
    mergeItem: (original, patch) => mergeMap(original, patch, fieldsOf(of)),
  }
}

const strategyOf = (field: Field | undefined) =>
  field?.patchStrategy.find((strategy) => strategy !== 'retainKeys')

function fieldsOf(type: FieldType | undefined): Fields {
  return type?.is === 'object' ? type.type.fields : undefined
}

function nameAfter(key: string, prefix: string): string {
  const slash = key.indexOf('/')
  if (slash === prefix.length) return key.slice(slash + 1)
  const what = prefix === DELETE_PREFIX ? 'primitive list' : 'setElementOrder list'
  throw badRequest(`invalid patch format of ${what}`)
}
