// Lays an applied configuration over the live object, by the schema.

import { own, setOwn } from '../../../lib/own.ts'
import type { ObjectType } from '../../schema/schema.ts'
import { isObject, type JsonObject } from '../value.ts'
import { childPlace, itemPlace, itemStep, type Place, shapeOf } from './shape.ts'

/** Neither argument is changed; parts of both are shared with the result. */
export function mergeObjects(live: JsonObject, config: JsonObject, type: ObjectType): JsonObject {
  return mergeMaps(live, config, { type: { is: 'object', type }, field: undefined }) as JsonObject
}

/** `config` wins; what it does not speak of stays. Undefined on a side means it says nothing. */
function mergeAt(live: unknown, config: unknown, place: Place): unknown {
  if (config === undefined) return live
  if (live === undefined) return config
  switch (shapeOf(place)) {
    case 'leaf':
      return config
    case 'object':
    case 'map':
      return mergeMaps(live, config, place)
    case 'set':
    case 'keyed':
      return mergeLists(live, config, place)
    default:
      return mapLike(live) && mapLike(config) ? mergeMaps(live, config, place) : config
  }
}

const mapLike = (value: unknown) => value === null || isObject(value)

function mergeMaps(live: unknown, config: unknown, place: Place): unknown {
  const result: JsonObject = isObject(live) ? { ...live } : {}
  let some = Object.keys(result).length > 0
  if (isObject(config)) {
    for (const key in config) {
      setOwn(result, key, mergeAt(own(result, key), config[key], childPlace(place, key)))
      some = true
    }
  }
  // Two empty ones are leaves, which keeps the difference between {} and null.
  return some ? result : config
}

// The order of the result: items that both have follow the configuration; items that only one side
// has keep their place behind the item they followed, those of the live list first.
//
//   live a b c d, config d x a   gives   b c d x a
function mergeLists(live: unknown, config: unknown, place: Place): unknown {
  const left = indexed(live, place)
  const right = indexed(config, place)
  if (left.steps.length === 0 && right.steps.length === 0) return config
  const item = itemPlace(place)
  const shared = right.steps.filter((step) => left.items.has(step))
  const done = new Set<string>()
  const result: unknown[] = []
  let nextShared = 0
  let l = 0
  let r = 0
  const takeRight = () => {
    const step = right.steps[r++]!
    done.add(step)
    if (shared[nextShared] === step) nextShared++
    result.push(mergeAt(left.items.get(step), right.items.get(step), item))
  }
  while (l < left.steps.length || r < right.steps.length) {
    const step = left.steps[l]
    if (step === undefined) takeRight()
    else if (!right.items.has(step)) result.push((live as unknown[])[l++])
    else if (done.has(step)) {
      l++
      if (nextShared >= shared.length && r < right.steps.length) takeRight()
    } else if (r < right.steps.length && shared[nextShared] !== step && step !== right.steps[r]) {
      l++
    } else if (step === right.steps[r]) {
      takeRight()
      l++
    } else takeRight()
  }
  return result
}

type Indexed = { steps: readonly string[]; items: ReadonlyMap<string, unknown> }

function indexed(list: unknown, place: Place): Indexed {
  const items = new Map<string, unknown>()
  if (!Array.isArray(list)) return { steps: [], items }
  const shape = shapeOf(place)
  const steps = list.map((item) => itemStep(place, shape, item))
  steps.forEach((step, i) => {
    // Items that share a key are not merged with what comes: the new one takes their place.
    items.set(step, items.has(step) ? undefined : list[i])
  })
  return { steps, items }
}
