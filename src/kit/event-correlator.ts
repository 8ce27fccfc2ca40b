// Decides what becomes of an event: a new object, a higher count on one that is there, or nothing.
// Numbers and words as upstream's recorder has them (client-go tools/record/events_cache.go).

import type { Event } from '../api/schema/generated/types.ts'

/** Ten events that differ only in their message, each within 10 minutes, become one. */
const SIMILAR_MAX = 10
const SIMILAR_MS = 600_000
/** A source may say 25 things about one object, and one more every 5 minutes. */
const BURST = 25
const REFILL_MS = 300_000
/** Upstream remembers 4096; a small machine has fewer objects to talk about. */
const REMEMBERED_MAX = 1024

export type Decision =
  | { do: 'create'; event: Event; key: string }
  | { do: 'count'; event: Event; key: string }
  | { do: 'drop' }

type Written = { name: string; count: number; firstTimestamp: string }

export class EventCorrelator {
  readonly #buckets = new Remembered<{ tokens: number; atMs: number }>()
  readonly #similar = new Remembered<{ messages: Set<string>; atMs: number }>()
  readonly #written = new Remembered<Written>()

  decide(event: Event, nowMs: number): Decision {
    if (!this.#hasToken(spamKeyOf(event), nowMs)) return { do: 'drop' }
    const { merged, key } = this.#merge(event, nowMs)
    const before = this.#written.get(key)
    if (before === undefined) return { do: 'create', event: merged, key }
    const metadata = { ...merged.metadata, name: before.name }
    const { firstTimestamp } = before
    const counted = { ...merged, metadata, firstTimestamp, count: before.count + 1 }
    return { do: 'count', event: counted, key }
  }

  /** Remembers what the server stored, so that the next one alike is counted. */
  wrote(key: string, { metadata, count = 1, firstTimestamp = '' }: Event): void {
    this.#written.set(key, { name: metadata.name ?? '', count, firstTimestamp })
  }

  #hasToken(key: string, nowMs: number): boolean {
    const bucket = this.#buckets.get(key) ?? { tokens: BURST, atMs: nowMs }
    const tokens = Math.min(BURST, bucket.tokens + (nowMs - bucket.atMs) / REFILL_MS)
    const isAllowed = tokens >= 1
    this.#buckets.set(key, { tokens: isAllowed ? tokens - 1 : tokens, atMs: nowMs })
    return isAllowed
  }

  #merge(event: Event, nowMs: number): { merged: Event; key: string } {
    const key = `${spamKeyOf(event)}|${event.reason}`
    const known = this.#similar.get(key)
    const isFresh = known !== undefined && nowMs - known.atMs <= SIMILAR_MS
    const messages = isFresh ? known.messages : new Set<string>()
    messages.add(event.message ?? '')
    this.#similar.set(key, { messages, atMs: nowMs })
    if (messages.size < SIMILAR_MAX) {
      const { fieldPath = '' } = event.involvedObject
      return { merged: event, key: `${key}|${fieldPath}|${event.message}` }
    }
    // One message makes room, so that the set does not grow while the stream goes on.
    for (const message of messages) {
      messages.delete(message)
      break
    }
    return {
      merged: { ...event, message: `(combined from similar events): ${event.message}` },
      key,
    }
  }
}

function spamKeyOf({ source, involvedObject, type }: Event): string {
  const { kind, namespace, name, uid, apiVersion } = involvedObject
  const parts = [source?.component, source?.host, kind, namespace, name, uid, apiVersion, type]
  return parts.join('|')
}

/** A map that forgets what was used longest ago. */
class Remembered<V> {
  readonly #values = new Map<string, V>()

  get(key: string): V | undefined {
    return this.#values.get(key)
  }

  set(key: string, value: V): void {
    this.#values.delete(key)
    this.#values.set(key, value)
    if (this.#values.size <= REMEMBERED_MAX) return
    for (const oldest of this.#values.keys()) {
      this.#values.delete(oldest)
      break
    }
  }
}
