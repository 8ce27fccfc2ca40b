// Which fields two objects differ in.

import { own } from '../../../lib/own.ts'
import type { ObjectType } from '../../schema/schema.ts'
import { equalJson, isObject, type JsonObject } from '../value.ts'
import { asMember, type Fields, MEMBER, NOTHING, recursiveDifference } from './fields.ts'
import { fieldStep } from './path.ts'
import { childPlace, itemPlace, itemStep, type Place, shapeOf } from './shape.ts'

/** No field is in more than one of the three. */
export type Changes = {
  readonly added: Fields
  readonly modified: Fields
  readonly removed: Fields
}

const UNCHANGED: Changes = { added: NOTHING, modified: NOTHING, removed: NOTHING }

/** What `after` adds to, changes in and takes from `before`. */
export function compareObjects(before: JsonObject, after: JsonObject, type: ObjectType): Changes {
  const place: Place = { type: { is: 'object', type }, field: undefined }
  const found = compareMaps(before, after, place)
  return found === undefined ? UNCHANGED : changesOf(found)
}

export function withoutFields(changes: Changes, ignored: Fields): Changes {
  return {
    added: recursiveDifference(changes.added, ignored),
    modified: recursiveDifference(changes.modified, ignored),
    removed: recursiveDifference(changes.removed, ignored),
  }
}

type Node = { [step: string]: Fields }
type Found = { added?: Node | undefined; modified?: Node | undefined; removed?: Node | undefined }

const ADDED: Found = Object.freeze({ added: MEMBER })
const MODIFIED: Found = Object.freeze({ modified: MEMBER })
const REMOVED: Found = Object.freeze({ removed: MEMBER })

function changesOf(found: Found): Changes {
  return {
    added: found.added ?? NOTHING,
    modified: found.modified ?? NOTHING,
    removed: found.removed ?? NOTHING,
  }
}

function attach(parent: Found, step: string, child: Found): void {
  parent.added = withChild(parent.added, step, child.added)
  parent.modified = withChild(parent.modified, step, child.modified)
  parent.removed = withChild(parent.removed, step, child.removed)
}

function withChild(node: Node | undefined, step: string, child: Fields | undefined) {
  if (child === undefined) return node
  const parent = node ?? {}
  parent[step] = child
  return parent
}

function compareAt(before: unknown, after: unknown, place: Place): Found | undefined {
  // Strings, numbers and shared parts are by far the most.
  if (before === after) return undefined
  const found = compareParts(before, after, place)
  if (found === undefined) return undefined
  if (before === undefined) return { ...found, added: asMember(found.added) }
  if (after === undefined) return { ...found, removed: asMember(found.removed) }
  return found
}

function compareParts(before: unknown, after: unknown, place: Place): Found | undefined {
  switch (shapeOf(place)) {
    case 'leaf':
      return compareLeaves(before, after)
    case 'object':
    case 'map':
      return compareMaps(before, after, place)
    case 'set':
    case 'keyed':
      return compareLists(before, after, place)
    default:
      return compareUntyped(before, after, place)
  }
}

function compareLeaves(before: unknown, after: unknown): Found | undefined {
  if (before === undefined) return ADDED
  if (after === undefined) return REMOVED
  return equalJson(before, after) ? undefined : MODIFIED
}

function compareUntyped(before: unknown, after: unknown, place: Place): Found | undefined {
  const mapLike = (value: unknown) => value === undefined || value === null || isObject(value)
  if (mapLike(before) && mapLike(after)) return compareMaps(before, after, place)
  return compareLeaves(before, after)
}

function compareMaps(before: unknown, after: unknown, place: Place): Found | undefined {
  const old = isObject(before) ? before : NOTHING_IN_IT
  const now = isObject(after) ? after : NOTHING_IN_IT
  const found: Found = {}
  let anything = false
  for (const key in now) {
    const value = now[key]
    if (value === undefined) continue
    anything = true
    const then = own(old, key)
    if (value === then) continue
    const child = compareAt(then, value, childPlace(place, key))
    if (child !== undefined) attach(found, fieldStep(key), child)
  }
  for (const key in old) {
    const value = old[key]
    if (value === undefined) continue
    anything = true
    if (own(now, key) !== undefined) continue
    attach(found, fieldStep(key), compareAt(value, undefined, childPlace(place, key))!)
  }
  // Two empty ones are leaves, which keeps the difference between {} and null.
  return anything ? someOf(found) : compareLeaves(before, after)
}

const NOTHING_IN_IT: JsonObject = Object.freeze({})

function someOf(found: Found): Found | undefined {
  const { added, modified, removed } = found
  return (added ?? modified ?? removed) ? found : undefined
}

function compareLists(before: unknown, after: unknown, place: Place): Found | undefined {
  const old = Array.isArray(before) ? before : []
  const now = Array.isArray(after) ? after : []
  if (old.length === 0 && now.length === 0) return compareLeaves(before, after)
  const oldItems = itemsByStep(old, place)
  const newItems = itemsByStep(now, place)
  const found: Found = {}
  const item = itemPlace(place)
  for (const step of new Set([...oldItems.keys(), ...newItems.keys()])) {
    const child = compareItems(oldItems.get(step) ?? [], newItems.get(step) ?? [], item)
    if (child !== undefined) attach(found, step, child)
  }
  return someOf(found)
}

function itemsByStep(list: readonly unknown[], place: Place): Map<string, unknown[]> {
  const shape = shapeOf(place)
  const items = new Map<string, unknown[]>()
  for (const item of list) {
    const step = itemStep(place, shape, item)
    const same = items.get(step)
    if (same === undefined) items.set(step, [item])
    else same.push(item)
  }
  return items
}

/** Items of one key; where a key is there twice, its items are one value together. */
function compareItems(
  old: readonly unknown[],
  now: readonly unknown[],
  place: Place,
): Found | undefined {
  if (old.length <= 1 && now.length <= 1) return compareAt(old[0], now[0], place)
  if (old.length > 1 && now.length > 1) return equalJson(old, now) ? undefined : MODIFIED
  if (old.length > 1) {
    const kept = now.length === 0 ? undefined : compareAt(undefined, now[0], place)
    return { ...kept, removed: MEMBER }
  }
  const lost = old.length === 0 ? undefined : compareAt(old[0], undefined, place)
  return { ...lost, added: MEMBER }
}
