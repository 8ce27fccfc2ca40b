// Store events as lines of a watch. Each is encoded once, however many watchers there are: the
// encodings hang on the event itself, which the store hands to every watcher.

import type { AnyObject } from '../../api/object.ts'
import type { AnyRow } from '../../api/resource.ts'
import type { Entry, StoreEvent } from '../../store/store.ts'
import { decodeMetadata, decodeStored, objectText } from '../objects/stored.ts'

export type EventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'

const encoder = new TextEncoder()
const lines = new WeakMap<Entry, Map<string, Uint8Array>>()
type Labels = AnyObject['metadata']['labels']

const labels = new WeakMap<Entry, { labels: Labels }>()
const objects = new WeakMap<Entry, Map<AnyRow, AnyObject>>()

export function eventLine(type: EventType, objectJson: string): Uint8Array {
  return encoder.encode(`{"type":"${type}","object":${objectJson}}\n`)
}

/** The line for `entry` as it stands. `row` matters where two kinds share a folder. */
export function entryLine(type: EventType, row: AnyRow, entry: Entry): Uint8Array {
  const key = `${type} ${row.group}`
  let known = lines.get(entry)
  if (known === undefined) {
    known = new Map()
    lines.set(entry, known)
  }
  let line = known.get(key)
  if (line === undefined) {
    line = eventLine(type, objectText(row, entry))
    known.set(key, line)
  }
  return line
}

/** The parsed object, shared by all who look at it: not to be changed. */
export function sharedObject(row: AnyRow, entry: Entry): AnyObject {
  let known = objects.get(entry)
  if (known === undefined) {
    known = new Map()
    objects.set(entry, known)
  }
  let object = known.get(row)
  if (object === undefined) {
    object = decodeStored(row, entry)
    known.set(row, object)
  }
  return object
}

/** The labels, likewise. */
export function sharedLabels(row: AnyRow, entry: Entry): Labels {
  let found = labels.get(entry)
  if (found === undefined) {
    found = { labels: decodeMetadata(row, entry).labels }
    labels.set(entry, found)
  }
  return found.labels
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
