// Store events as lines of a watch. Each is encoded once, however many watchers there are: the
// encodings hang on the event itself, which the store hands to every watcher.

import type { AnyObject } from '../../api/object.ts'
import type { AnyRow } from '../../api/resource.ts'
import type { Entry, StoreEvent } from '../../store/store.ts'
import { decodeMetadata, decodeStored, objectText } from '../storage/stored.ts'

export type EventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'

/** One value for each entry and row, made at the first question; gone with the entry. */
class PerRow<T> {
  readonly #first = new WeakMap<Entry, { row: AnyRow; value: T }>()
  readonly #others = new WeakMap<Entry, Map<AnyRow, T>>()

  of(entry: Entry, row: AnyRow, make: () => T): T {
    const first = this.#first.get(entry)
    if (first?.row === row) return first.value
    if (first === undefined) {
      const value = make()
      this.#first.set(entry, { row, value })
      return value
    }
    let others = this.#others.get(entry)
    if (others === undefined) {
      others = new Map()
      this.#others.set(entry, others)
    }
    let value = others.get(row)
    if (value === undefined) {
      value = make()
      others.set(row, value)
    }
    return value
  }
}

const encoder = new TextEncoder()
type Labels = AnyObject['metadata']['labels']

/**
 * By entry, then by row: rows of several versions or groups may serve the same entry, each in its
 * own words. Nearly always it is one.
 */
const lines = new PerRow<Map<EventType, Uint8Array>>()
const labels = new PerRow<{ labels: Labels }>()
const objects = new PerRow<AnyObject>()

export function eventLine(type: EventType, objectJson: string): Uint8Array {
  return encoder.encode(`{"type":"${type}","object":${objectJson}}\n`)
}

/** The line for `entry` as it stands, as `row` has it. */
export function entryLine(type: EventType, row: AnyRow, entry: Entry): Uint8Array {
  const known = lines.of(entry, row, () => new Map())
  let line = known.get(type)
  if (line === undefined) {
    line = eventLine(type, objectText(row, entry))
    known.set(type, line)
  }
  return line
}

/** The parsed object, shared by all who look at it: not to be changed. */
export function sharedObject(row: AnyRow, entry: Entry): AnyObject {
  return objects.of(entry, row, () => decodeStored(row, entry))
}

/** The labels, likewise. */
export function sharedLabels(row: AnyRow, entry: Entry): Labels {
  return labels.of(entry, row, () => ({ labels: decodeMetadata(row, entry).labels })).labels
}

/** What a watcher with a selector is told; undefined when the event is none of its business. */
export type SeenEvent = { type: 'ADDED' | 'MODIFIED' | 'DELETED'; entry: Entry }

/**
 * An object that begins to match is reported as added, one that ceases to match as deleted, with
 * its last matching state and the new revision.
 */
export function seenThrough(
  event: StoreEvent,
  matches: (entry: Entry) => boolean,
): SeenEvent | undefined {
  const { previous, entry } = event
  const before = previous !== undefined && matches(previous)
  if (event.type === 'delete') return before ? { type: 'DELETED', entry } : undefined
  const now = matches(entry)
  if (now) return { type: before ? 'MODIFIED' : 'ADDED', entry }
  if (!before) return undefined
  return { type: 'DELETED', entry: { ...previous, revision: entry.revision } }
}

/** What a watcher without a selector is told. */
export function seenByAll(event: StoreEvent): SeenEvent {
  if (event.type === 'delete') return { type: 'DELETED', entry: event.entry }
  return { type: event.previous === undefined ? 'ADDED' : 'MODIFIED', entry: event.entry }
}
