// JSON patch (RFC 6902), as lenient as upstream's library where clients may depend on it: `replace`
// of a key that an object lacks sets it, negative indexes count from the end, a missing `value` is
// null, and `copy` from a key that is not there copies null.

import { own, setOwn } from '../../lib/own.ts'
import { ApiError, badRequest } from '../status.ts'
import { doesNotApply, equalWithin, PatchBudget } from './budget.ts'
import { isObject, type JsonObject } from './value.ts'

/** More would keep the event loop busy for too long; upstream's number. */
export const JSON_PATCH_OPERATIONS_MAX = 10_000

type Operation = { op?: unknown; path?: unknown; from?: unknown; value?: unknown }
type Container = JsonObject | unknown[]

/**
 * Throws 400 for a body that is no patch, 413 for one that is too long or too much work, 422 when
 * it does not apply.
 */
export function applyJsonPatch(document: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) {
    const type = 'json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp'
    throw badRequest(`error decoding patch: ${type}`)
  }
  if (patch.length > JSON_PATCH_OPERATIONS_MAX) {
    const limit = `The allowed maximum operations in a JSON patch is ${JSON_PATCH_OPERATIONS_MAX}`
    throw new ApiError(413, 'RequestEntityTooLarge', `${limit}, got ${patch.length}`)
  }
  const patched = new Patched(document)
  for (const operation of patch) {
    if (!isObject(operation)) throw doesNotApply()
    patched.apply(operation)
  }
  return patched.root
}

/** The document on its way, and what may still be spent on it. */
class Patched {
  /** Makes the document itself addressable, so that the path '' needs no special case. */
  readonly #holder: { root: unknown }
  readonly #budget = new PatchBudget()

  constructor(document: unknown) {
    this.#holder = { root: structuredClone(document) }
  }

  get root(): unknown {
    return this.#holder.root
  }

  apply(operation: Operation): void {
    const value = operation.value === undefined ? null : structuredClone(operation.value)
    const path = tokensOf(operation.path)
    switch (operation.op) {
      case 'add':
        this.#add(notRoot(path), value)
        break
      case 'remove':
        this.#remove(notRoot(path))
        break
      case 'replace':
        this.#replace(path, value)
        break
      case 'test':
        if (!equalWithin(this.#budget, this.#read(path) ?? null, value)) throw doesNotApply()
        break
      case 'copy': {
        const source = this.#read(tokensOf(operation.from)) ?? null
        this.#budget.copy(source)
        this.#add(notRoot(path), structuredClone(source))
        break
      }
      case 'move': {
        const source = notRoot(tokensOf(operation.from))
        const moved = this.#read(source)
        this.#remove(source)
        this.#add(notRoot(path), moved)
        break
      }
      default:
        throw doesNotApply()
    }
  }

  /** The object or list that holds the last token of `path`. */
  #parentOf(path: readonly string[]): Container {
    let here: unknown = this.#holder
    this.#budget.look(path.length)
    for (let i = 0; i < path.length - 1; i++) here = childOf(here, path[i]!)
    if (typeof here !== 'object' || here === null) throw doesNotApply()
    return here as Container
  }

  #read(path: readonly string[]): unknown {
    return childOf(this.#parentOf(path), path.at(-1)!)
  }

  #add(path: readonly string[], value: unknown): void {
    const parent = this.#parentOf(path)
    const token = path.at(-1)!
    this.#budget.place(value, path.length)
    if (!Array.isArray(parent)) return setOwn(parent, token, value)
    const index = token === '-' ? parent.length : indexIn(token, parent.length)
    this.#budget.shift(parent.length - index)
    parent.splice(index, 0, value)
  }

  #remove(path: readonly string[]): void {
    const parent = this.#parentOf(path)
    const token = path.at(-1)!
    if (Array.isArray(parent)) {
      const index = indexIn(token, parent.length - 1)
      this.#budget.shift(parent.length - index)
      parent.splice(index, 1)
    } else if (Object.hasOwn(parent, token)) delete parent[token]
    else throw doesNotApply()
  }

  #replace(path: readonly string[], value: unknown): void {
    if (path.length === 1 && (typeof value !== 'object' || value === null)) throw doesNotApply()
    const parent = this.#parentOf(path)
    const token = path.at(-1)!
    this.#budget.place(value, path.length)
    if (Array.isArray(parent)) parent[indexIn(token, parent.length - 1)] = value
    else setOwn(parent, token, value)
  }
}

function tokensOf(pointer: unknown): string[] {
  if (typeof pointer !== 'string') throw doesNotApply()
  if (pointer === '') return ['root']
  if (!pointer.startsWith('/')) throw doesNotApply()
  const tokens = pointer.split('/').map((t) => t.replaceAll('~1', '/').replaceAll('~0', '~'))
  tokens[0] = 'root'
  return tokens
}

function notRoot(path: string[]): string[] {
  if (path.length === 1) throw doesNotApply()
  return path
}

function childOf(container: unknown, token: string): unknown {
  if (Array.isArray(container)) return container[indexIn(token, container.length - 1)]
  if (!isObject(container)) throw doesNotApply()
  return own(container, token)
}

function indexIn(token: string, max: number): number {
  if (!/^[+-]?\d+$/.test(token)) throw doesNotApply()
  const index = Number(token)
  const fromStart = index < 0 ? index + max + 1 : index
  if (fromStart < 0 || fromStart > max) throw doesNotApply()
  return fromStart
}
