// JSON patch (RFC 6902), as lenient as upstream's library where clients may depend on it: `replace`
// of a key that an object lacks sets it, negative indexes count from the end, a missing `value` is
// null, and `copy` from a key that is not there copies null.

import { ApiError, badRequest } from '../status.ts'
import { equalJson, isObject, isUnsafeKey, type JsonObject } from './value.ts'

/** More would keep the event loop busy for too long; upstream's number. */
export const JSON_PATCH_OPERATIONS_MAX = 10_000

type Operation = { op?: unknown; path?: unknown; from?: unknown; value?: unknown }
type Container = JsonObject | unknown[]

/** Throws 400 for a body that is no patch, 413 for too long a one, 422 when it does not apply. */
export function applyJsonPatch(document: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) {
    const type = 'json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp'
    throw badRequest(`error decoding patch: ${type}`)
  }
  if (patch.length > JSON_PATCH_OPERATIONS_MAX) {
    const limit = `The allowed maximum operations in a JSON patch is ${JSON_PATCH_OPERATIONS_MAX}`
    throw new ApiError(413, 'RequestEntityTooLarge', `${limit}, got ${patch.length}`)
  }
  // The holder makes the document itself addressable, so that the path '' needs no special case.
  const holder: JsonObject = { root: structuredClone(document) }
  for (const operation of patch) {
    if (!isObject(operation)) throw doesNotApply()
    applyOperation(holder, operation)
  }
  return holder.root
}

function applyOperation(holder: JsonObject, operation: Operation): void {
  const value = operation.value === undefined ? null : structuredClone(operation.value)
  const path = tokensOf(operation.path)
  switch (operation.op) {
    case 'add':
      add(holder, notRoot(path), value)
      break
    case 'remove':
      remove(holder, notRoot(path))
      break
    case 'replace':
      replace(holder, path, value)
      break
    case 'test':
      if (!equalJson(read(holder, path) ?? null, value)) throw doesNotApply()
      break
    case 'copy':
      add(holder, notRoot(path), structuredClone(read(holder, from(operation)) ?? null))
      break
    case 'move': {
      const source = notRoot(from(operation))
      const moved = read(holder, source)
      remove(holder, source)
      add(holder, notRoot(path), moved)
      break
    }
    default:
      throw doesNotApply()
  }
}

const from = (operation: Operation) => tokensOf(operation.from)

function tokensOf(pointer: unknown): string[] {
  if (typeof pointer !== 'string') throw doesNotApply()
  if (pointer === '') return ['root']
  if (!pointer.startsWith('/')) throw doesNotApply()
  const tokens = pointer.split('/').map((t) => t.replaceAll('~1', '/').replaceAll('~0', '~'))
  if (tokens.some(isUnsafeKey)) throw doesNotApply()
  tokens[0] = 'root'
  return tokens
}

function notRoot(path: string[]): string[] {
  if (path.length === 1) throw doesNotApply()
  return path
}

/** The object or list that holds the last token of `path`. */
function parentOf(holder: JsonObject, path: readonly string[]): Container {
  let here: unknown = holder
  for (let i = 0; i < path.length - 1; i++) here = childOf(here as Container, path[i]!)
  if (typeof here !== 'object' || here === null) throw doesNotApply()
  return here as Container
}

function childOf(container: unknown, token: string): unknown {
  if (Array.isArray(container)) return container[indexIn(token, container.length - 1)]
  if (!isObject(container)) throw doesNotApply()
  return Object.hasOwn(container, token) ? container[token] : undefined
}

function indexIn(token: string, max: number): number {
  if (!/^[+-]?\d+$/.test(token)) throw doesNotApply()
  const index = Number(token)
  const fromStart = index < 0 ? index + max + 1 : index
  if (fromStart < 0 || fromStart > max) throw doesNotApply()
  return fromStart
}

function read(holder: JsonObject, path: readonly string[]): unknown {
  return childOf(parentOf(holder, path), path.at(-1)!)
}

function add(holder: JsonObject, path: readonly string[], value: unknown): void {
  const parent = parentOf(holder, path)
  const token = path.at(-1)!
  if (!Array.isArray(parent)) parent[token] = value
  else if (token === '-') parent.push(value)
  else parent.splice(indexIn(token, parent.length), 0, value)
}

function remove(holder: JsonObject, path: readonly string[]): void {
  const parent = parentOf(holder, path)
  const token = path.at(-1)!
  if (Array.isArray(parent)) parent.splice(indexIn(token, parent.length - 1), 1)
  else if (Object.hasOwn(parent, token)) delete parent[token]
  else throw doesNotApply()
}

function replace(holder: JsonObject, path: readonly string[], value: unknown): void {
  if (path.length === 1 && (typeof value !== 'object' || value === null)) throw doesNotApply()
  const parent = parentOf(holder, path)
  const token = path.at(-1)!
  if (Array.isArray(parent)) parent[indexIn(token, parent.length - 1)] = value
  else parent[token] = value
}

/** Upstream says no more than this, whatever the fault was. */
function doesNotApply(): ApiError {
  const message = 'the server rejected our request due to an error in our request'
  return new ApiError(422, 'Invalid', message, {})
}
