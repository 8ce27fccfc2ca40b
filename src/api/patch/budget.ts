// What one JSON patch may cost. Its operations are applied one after the other to what the ones
// before have made, so a short patch can ask for long work; the length of the text bounds nothing.

import { ApiError } from '../status.ts'
import type { JsonObject } from './value.ts'

/** All copies together, as JSON; upstream's number, the limit of a body. */
export const COPIED_BYTES_MAX = 3 * 1024 * 1024
/** Values walked over or moved aside by all operations together. */
export const PATCH_STEPS_MAX = 2_000_000
/** As deep as a document may be that comes as text. */
const DEPTH_MAX = 10_000
/** Moving the items behind an inserted one is one copy of memory, far cheaper than a walk. */
const ITEMS_A_STEP = 32

export class PatchBudget {
  #copiedBytes = 0
  #steps = 0

  /** Pays for `count` values that are looked at. Throws 413. */
  look(count: number): void {
    this.#steps += count
    if (this.#steps > PATCH_STEPS_MAX) throw tooMuchWork()
  }

  /** Pays for making room, or closing the gap, in a list. */
  shift(items: number): void {
    this.look(1 + Math.ceil(items / ITEMS_A_STEP))
  }

  /** Pays for a copy of `value`. Throws 422 past the limit, as upstream. */
  copy(value: unknown): void {
    this.#copiedBytes += jsonBytes(value, COPIED_BYTES_MAX - this.#copiedBytes)
    if (this.#copiedBytes > COPIED_BYTES_MAX) throw doesNotApply()
  }

  /** Looks how deep `value` is, to be put `at` levels below the top. Throws 422. */
  place(value: unknown, at: number): void {
    this.look(1)
    let level = [value]
    for (let depth = at; level.length > 0; depth++) {
      if (depth > DEPTH_MAX) throw doesNotApply()
      const below: unknown[] = []
      for (const part of level) {
        if (typeof part !== 'object' || part === null) continue
        const parts: unknown[] = Object.values(part)
        this.look(parts.length)
        for (const one of parts) if (typeof one === 'object' && one !== null) below.push(one)
      }
      level = below
    }
  }
}

/** Equality of JSON values, paid for. */
export function equalWithin(budget: PatchBudget, a: unknown, b: unknown): boolean {
  budget.look(1)
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const [left, right] = [Object.keys(a), Object.keys(b)]
  budget.look(left.length + right.length)
  if (left.length !== right.length) return false
  return left.every(
    (key) =>
      Object.hasOwn(b, key) && equalWithin(budget, (a as JsonObject)[key], (b as JsonObject)[key]),
  )
}

/** Bytes of `value` as JSON; counting ends where `max` is passed. */
function jsonBytes(value: unknown, max: number): number {
  let bytes = 0
  const open: unknown[] = [value]
  while (open.length > 0 && bytes <= max) {
    const part = open.pop()
    if (typeof part !== 'object' || part === null) {
      bytes += typeof part === 'string' ? Buffer.byteLength(part) + 2 : String(part).length
    } else if (Array.isArray(part)) {
      bytes += 1 + Math.max(1, part.length)
      for (const item of part) open.push(item)
    } else {
      const entries = Object.entries(part)
      bytes += 1 + Math.max(1, entries.length)
      for (const [key, item] of entries) {
        bytes += Buffer.byteLength(key) + 3
        open.push(item)
      }
    }
  }
  return bytes
}

/** Upstream says no more than this, whatever the fault was. */
export function doesNotApply(): ApiError {
  const message = 'the server rejected our request due to an error in our request'
  return new ApiError(422, 'Invalid', message, {})
}

function tooMuchWork(): ApiError {
  const limit = `a JSON patch may touch at most ${PATCH_STEPS_MAX} values`
  return new ApiError(413, 'RequestEntityTooLarge', `Request entity is too large: ${limit}`)
}
