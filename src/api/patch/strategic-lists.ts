// Lists of strategic merge patches.
//
// The order afterwards: items that the patch (or its $setElementOrder) names stand as there; items
// that only the server has keep their order among each other and stay before those they preceded.

import { ApiError } from '../status.ts'
import { goPlain, goType } from './go-text.ts'
import { DIRECTIVE, plainValue, unreasonable } from './strategic-value.ts'
import { isObject, type JsonObject } from './value.ts'

type List = readonly unknown[]

/** How a list is merged. */
export type ListPlan = {
  merges: boolean
  /** Tells the maps of the list apart; undefined for a list of scalars. */
  mergeKey: string | undefined
  mergeItem: (original: JsonObject, patch: JsonObject) => JsonObject
}

export function mergeLists(original: List, patch: List, plan: ListPlan): List {
  if (original.length === 0 && patch.length === 0) return original
  if (!checkItems(original, patch)) {
    return inOrder([...new Set([...original, ...patch])], patch, original, (item) => item)
  }
  const { mergeKey } = plan
  if (mergeKey === undefined) throw unreasonable('cannot merge lists without merge key for struct')
  const { kept, changes } = applyDirectives(
    original as JsonObject[],
    patch as JsonObject[],
    mergeKey,
  )
  const merged = mergeItems(kept, changes, mergeKey, plan)
  return inOrder(merged, changes, kept, (item) => keyOf(item, mergeKey))
}

/** Checks that all items are of one kind; true when they are maps. */
function checkItems(...lists: readonly List[]): boolean {
  const items = lists.flat()
  if (Array.isArray(items[0])) throw listOfLists()
  const kind = kindOf(items[0])
  if (items.some((item) => kindOf(item) !== kind)) {
    throw unreasonable(`list element types are not identical: ${goPlain(lists)}`)
  }
  return kind === 'map'
}

const kindOf = (item: unknown) =>
  isObject(item) ? 'map' : Array.isArray(item) ? 'list' : typeof item

/** Upstream has a sentence for it, and does not send it. */
function listOfLists(): ApiError {
  const message = 'the server rejected our request due to an error in our request'
  return new ApiError(422, 'Invalid', message, {})
}

function applyDirectives(original: JsonObject[], patch: JsonObject[], mergeKey: string) {
  const gone = new Set<unknown>()
  let replace = false
  const changes: JsonObject[] = []
  for (const item of patch) {
    const directive = item[DIRECTIVE]
    if (directive === undefined) changes.push(item)
    else if (directive === 'replace') replace = true
    else if (directive === 'delete') gone.add(keyOf(item, mergeKey))
    else if (directive === 'merge') {
      throw unreasonable('merging lists cannot yet be specified in the patch')
    } else {
      throw unreasonable(`unknown patch type: ${goPlain(directive)} in map: ${goPlain(item)}`)
    }
  }
  if (replace) return { kept: changes, changes: [] }
  const kept = gone.size === 0 ? original : original.filter((item) => !gone.has(item[mergeKey]))
  return { kept, changes }
}

function mergeItems(
  original: readonly JsonObject[],
  changes: readonly JsonObject[],
  mergeKey: string,
  plan: ListPlan,
): JsonObject[] {
  const merged = [...original]
  const indexes = new Map<unknown, number>()
  merged.forEach((item, index) => {
    if (!indexes.has(item[mergeKey])) indexes.set(item[mergeKey], index)
  })
  for (const change of changes) {
    const key = keyOf(change, mergeKey)
    const index = indexes.get(key)
    if (index === undefined) {
      indexes.set(key, merged.length)
      merged.push(plainValue(change) as JsonObject)
    } else merged[index] = plan.mergeItem(merged[index]!, change)
  }
  return merged
}

function keyOf(item: unknown, mergeKey: string): unknown {
  const map = asMap(item)
  if (map[mergeKey] !== undefined) return map[mergeKey]
  throw unreasonable(`map: ${goPlain(map)} does not contain declared merge key: ${mergeKey}`)
}

function asMap(item: unknown): JsonObject {
  if (isObject(item)) return item
  const received = goType(item)
  throw unreasonable(`expected a map[string]interface {}, but received a ${received}`)
}

/** Puts items that `order` names in its order among the others, which keep that of `before`. */
function inOrder(items: List, order: List, before: List, keyOf: (item: unknown) => unknown): List {
  const positions = (list: List) => {
    const byKey = new Map<unknown, number>()
    for (const [index, item] of list.entries()) {
      if (!byKey.has(keyOf(item))) byKey.set(keyOf(item), index)
    }
    return (item: unknown) => byKey.get(keyOf(item)) ?? -1
  }
  const inPatch = positions(order)
  const onServer = positions(before)
  const named = items.filter((item) => inPatch(item) >= 0).sort((a, b) => inPatch(a) - inPatch(b))
  const others = items.filter((item) => inPatch(item) < 0).sort((a, b) => onServer(a) - onServer(b))
  const result: unknown[] = []
  let next = 0
  for (const item of others) {
    // A named item goes first unless the server had this one before it.
    while (next < named.length && !isBefore(onServer(item), onServer(named[next]))) {
      result.push(named[next++])
    }
    result.push(item)
  }
  return [...result, ...named.slice(next)]
}

const isBefore = (a: number, b: number) => a >= 0 && b >= 0 && a < b

export function withoutItems(list: List, items: List): List {
  const gone = new Set(items)
  return list.filter((item) => !gone.has(item))
}

/** The list of a field whose order the patch sets; undefined when there is no such list at all. */
export function orderLists(
  original: unknown,
  patch: unknown,
  order: unknown,
  plan: ListPlan,
): List | undefined {
  const wanted = asList(order)
  const before = original === undefined ? [] : asList(original)
  const changes = patch === undefined ? [] : asList(patch)
  if (original === undefined && patch === undefined) return undefined
  const keyed = plan.mergeKey
  checkOrder(changes, wanted, keyed)
  const merged =
    original === undefined
      ? (plainValue(changes) as List)
      : patch === undefined
        ? before
        : plan.merges
          ? mergeLists(before, changes, plan)
          : (plainValue(changes) as List)
  const key = (item: unknown) => (keyed === undefined ? item : keyOf(item, keyed))
  return inOrder(merged, wanted, before, key)
}

function asList(value: unknown): List {
  if (Array.isArray(value)) return value
  throw unreasonable(`expected a []interface {}, but received a ${goType(value)}`)
}

/** What the patch lists must stand in the order that it sets. */
function checkOrder(changes: List, order: List, mergeKey: string | undefined): void {
  if (order.length === 0 || changes.length === 0) return
  const key = (item: unknown) => (mergeKey === undefined ? item : keyOf(item, mergeKey))
  const listed = changes.filter((item) => !(isObject(item) && item[DIRECTIVE] !== undefined))
  let next = 0
  for (const item of order) {
    if (next < listed.length && key(listed[next]) === key(item)) next++
  }
  if (next === listed.length) return
  const lists = `${goPlain(changes)}\n doesn't match $setElementOrder list:\n${goPlain(order)}\n`
  throw unreasonable(`The order in patch list:\n${lists}`)
}
