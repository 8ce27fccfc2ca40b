// Objects as the store keeps them: JSON text without the revision, which is spliced in on the way
// out. A GET is then key ─► text ─► splice ─► socket, with nothing parsed in between.
//
//   stored   {"kind":"Pod","apiVersion":"v1","metadata":{"name":"a",…},"spec":…}
//   answered {"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"7","name":"a",…},…}
//   in lists {"metadata":{"resourceVersion":"7","name":"a",…},…}

import { goJson } from '../../api/codec/go-json.ts'
import type { AnyObject } from '../../api/object.ts'
import { type AnyRow, groupVersionOf } from '../../api/resource.ts'
import { badRequest } from '../../api/status.ts'
import type { Entry } from '../../store/store.ts'

/** As long as a key of the store may be. */
const KEY_LETTERS_MAX = 4096
/** Letters that stand for themselves in keys. */
const PLAIN = /^[\x22-\x7d]*$/

/** `pods/default/web`, `nodes/a`. Throws 400 for a name that no key is long enough for. */
export function storeKey(row: AnyRow, namespace: string, name: string): string {
  const part = keyPart(name)
  const { storagePrefix, scope } = row
  const key = `${storagePrefix}/${scope === 'Namespaced' ? `${namespace}/` : ''}${part}`
  if (key.length <= KEY_LETTERS_MAX) return key
  throw badRequest(`metadata.name: Too long: may not be more than ${KEY_LETTERS_MAX} bytes`)
}

/**
 * The name as the last part of a key. Names may be any text but `/` and `%`; keys are printable
 * ASCII. Bytes from both ends of the range are written as `!20` and `~d0`, so that the order of
 * keys stays that of the names' bytes.
 */
export function keyPart(name: string): string {
  if (PLAIN.test(name)) return name
  let text = ''
  for (const byte of Buffer.from(name)) {
    const hex = byte.toString(16).padStart(2, '0')
    text += byte < 0x22 ? `!${hex}` : byte > 0x7d ? `~${hex}` : String.fromCharCode(byte)
  }
  return text
}

/** What all keys of a kind begin with, in one namespace or in all. */
export function storePrefix(row: AnyRow, namespace: string): string {
  return row.scope === 'Namespaced' && namespace !== ''
    ? `${row.storagePrefix}/${namespace}/`
    : `${row.storagePrefix}/`
}

const heads = new WeakMap<AnyRow, string>()

/** How every stored text of the kind begins; what follows is the inside of `metadata`. */
function headOf(row: AnyRow): string {
  let head = heads.get(row)
  if (head === undefined) {
    head = `{"kind":"${row.kind}","apiVersion":"${groupVersionOf(row)}","metadata":{`
    heads.set(row, head)
  }
  return head
}

/** The text to store. `metadata.resourceVersion` is left out. */
export function encodeStored(row: AnyRow, object: AnyObject): string {
  if (row.toStored) return JSON.stringify(ordered(row.toStored(object) as AnyObject))
  const { kind: _kind, apiVersion: _version, metadata, ...rest } = object
  const { resourceVersion: _revision, ...meta } = metadata
  const inside = JSON.stringify(meta)
  const others = row.isComparedAsText ? goJson(rest) : JSON.stringify(rest)
  const tail = others === '{}' ? '}' : `,${others.slice(1)}`
  return headOf(row) + inside.slice(1) + tail
}

function ordered({ kind, apiVersion, metadata, ...rest }: AnyObject): AnyObject {
  const { resourceVersion: _revision, ...meta } = metadata
  return { kind, apiVersion, metadata: meta, ...rest } as AnyObject
}

/** What stands in the store is what the row serves, so that nothing is to be parsed. */
function isAsStored(row: AnyRow, entry: Entry): boolean {
  if (row.fromStored === undefined) return true
  return row.custom?.readsAsIs(entry.revision) === true && entry.value.startsWith(headOf(row))
}

/** The object as it stood at `entry`; a new value at each call, so callers may change it. */
export function decodeStored(row: AnyRow, entry: Entry): AnyObject {
  const parsed = JSON.parse(entry.value) as AnyObject
  const object = isAsStored(row, entry) ? parsed : (row.fromStored!(parsed) as AnyObject)
  object.metadata.resourceVersion = String(entry.revision)
  return object
}

/** The metadata alone, without reading the rest; labels are all that most selectors look at. */
export function decodeMetadata(row: AnyRow, entry: Entry): AnyObject['metadata'] {
  if (!isAsStored(row, entry)) return decodeStored(row, entry).metadata
  const { value } = entry
  const start = headOf(row).length - 1
  return JSON.parse(value.slice(start, endOfObject(value, start)))
}

const [QUOTE, BACKSLASH, OPEN, CLOSE] = [0x22, 0x5c, 0x7b, 0x7d]

/** Where the JSON object that begins at `start` is over. */
function endOfObject(text: string, start: number): number {
  let depth = 0
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = endOfString(text, at)
    else if (code === OPEN) depth++
    else if (code === CLOSE && --depth === 0) return at + 1
  }
  return text.length
}

/** Where the string is over whose first quote stands at `start`. */
function endOfString(text: string, start: number): number {
  let at = text.indexOf('"', start + 1)
  while (at > 0 && isEscaped(text, at)) at = text.indexOf('"', at + 1)
  return at < 0 ? text.length : at
}

function isEscaped(text: string, at: number): boolean {
  let before = at - 1
  while (text.charCodeAt(before) === BACKSLASH) before--
  return (at - before) % 2 === 0
}

/** The whole object as text, with its revision and without a line break at the end. */
export function objectText(row: AnyRow, entry: Entry): string {
  if (!isAsStored(row, entry)) return JSON.stringify(decodeStored(row, entry))
  const head = headOf(row)
  return `${head}"resourceVersion":"${entry.revision}",${entry.value.slice(head.length)}`
}

/** The object as an item of a list: built-in kinds without kind and version, as upstream has it. */
export function itemText(row: AnyRow, entry: Entry): string {
  if (row.custom) return objectText(row, entry)
  if (row.fromStored) {
    const { kind: _kind, apiVersion: _version, ...rest } = decodeStored(row, entry)
    return JSON.stringify(rest)
  }
  const head = headOf(row)
  return `{"metadata":{"resourceVersion":"${entry.revision}",${entry.value.slice(head.length)}`
}
