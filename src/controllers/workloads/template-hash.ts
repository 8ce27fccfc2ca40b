// Short names for templates and for what revisions keep of them.

import { goJson } from '../../api/codec/go-json.ts'
import type { PodTemplateSpec } from '../../api/schema/generated/types.ts'

export const HASH_LABEL = 'pod-template-hash'

/** The letters of generated names, so that a hash is never a word. */
const LETTERS = 'bcdfghjklmnpqrstvwxz2456789'
const FNV = { offset: 0x811c9dc5, prime: 0x01000193 }

/** The template as text, the same for equal ones. The hash label is ours and says nothing. */
export function templateText(template: PodTemplateSpec | undefined): string {
  const { [HASH_LABEL]: _hash, ...labels } = template?.metadata?.labels ?? {}
  return JSON.stringify(sorted({ ...template, metadata: { ...template?.metadata, labels } }))
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
  const text = goJson(sorted(data)) + String(collisionCount)
  for (const byte of new TextEncoder().encode(text)) {
    hash = (Math.imul(hash, FNV.prime) ^ byte) >>> 0
  }
  return inLetters(hash)
}

function inLetters(hash: number): string {
  return [...String(hash)].map((digit) => LETTERS[digit.charCodeAt(0) % LETTERS.length]).join('')
}

/** A copy whose keys are in order. */
export function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (value === null || typeof value !== 'object') return value
  const inOrder = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(inOrder.map(([key, part]) => [key, sorted(part)]))
}
