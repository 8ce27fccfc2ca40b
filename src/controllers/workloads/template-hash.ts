// Short names for templates and for what revisions keep of them.

import type { PodTemplateSpec } from '../../api/schema/generated/types.ts'

export const HASH_LABEL = 'pod-template-hash'

/** The letters of generated names, so that a hash is never a word. */
const LETTERS = 'bcdfghjklmnpqrstvwxz2456789'
const FNV = { offset: 0x811c9dc5, prime: 0x01000193 }

/** The template as text, the same for equal ones. The hash label is ours and says nothing. */
export function templateText(template: PodTemplateSpec | undefined): string {
  const { [HASH_LABEL]: _hash, ...labels } = template?.metadata?.labels ?? {}
  return sortedJson({ ...template, metadata: { ...template?.metadata, labels } })
}

/** FNV-1a over the template and the count of collisions, in safe letters. */
export function templateHash(template: PodTemplateSpec | undefined, collisionCount = 0): string {
  let hash = FNV.offset
  const text = templateText(template) + (collisionCount === 0 ? '' : String(collisionCount))
  for (const byte of new TextEncoder().encode(text)) {
    hash = Math.imul(hash ^ byte, FNV.prime) >>> 0
  }
  return inLetters(hash)
}

/** As upstream names revisions of StatefulSets: FNV-1 over Go's JSON, in which keys are sorted. */
export function revisionHash(data: unknown, collisionCount: number): string {
  let hash = FNV.offset
  const text = goJson(data) + String(collisionCount)
  for (const byte of new TextEncoder().encode(text)) {
    hash = (Math.imul(hash, FNV.prime) ^ byte) >>> 0
  }
  return inLetters(hash)
}

function inLetters(hash: number): string {
  return [...String(hash)].map((digit) => LETTERS[digit.charCodeAt(0) % LETTERS.length]).join('')
}

export function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_key, part) => {
    if (part === null || typeof part !== 'object' || Array.isArray(part)) return part ?? undefined
    return Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  })
}

/** Go writes some signs by their number, so that its JSON may stand in HTML. */
function goJson(value: unknown): string {
  return sortedJson(value).replace(/[<>&\u2028\u2029]/g, (sign) => {
    return `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
