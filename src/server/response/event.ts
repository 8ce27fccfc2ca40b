// Events of a watch in the form that was asked for.

import { encodeKnown, encodeWatchFrame } from '../../api/codec/protobuf-write.ts'
import type { AnyObject } from '../../api/object.ts'
import { type AnyRow, groupVersionOf } from '../../api/resource.ts'
import { ApiError, type Status } from '../../api/status.ts'
import type { Entry } from '../../store/store.ts'
import { MEDIA_TYPES } from '../request/negotiation.ts'
import { decodeStored } from '../storage/stored.ts'
import type { Form } from './form.ts'
import { partialOf } from './partial.ts'
import { tableOf } from './table.ts'
import { type EventType, entryLine, eventLine, sharedObject } from './watch-events.ts'

export type EventWriter = {
  write(type: EventType, entry: Entry): Uint8Array
  /** `isInitialEnd` marks the end of the present state. */
  bookmark(revision: number, isInitialEnd: boolean): Uint8Array
  /** The last event of a watch that cannot go on. */
  error(status: Status): Uint8Array
}

export function eventWriter(row: AnyRow, form: Form): EventWriter {
  const { as } = form.output
  if (as === undefined && form.output.format === 'protobuf') return protobufWriter(row)
  if (as === undefined) return plainWriter(row)
  if (as.kind === 'Table') return tableWriter(row, form)
  const project = (object: AnyObject) => JSON.stringify(partialOf(row, object, as.version))
  return {
    write: (type, entry) => eventLine(type, project(sharedObject(row, entry))),
    bookmark: (revision, isEnd) =>
      eventLine('BOOKMARK', project(bookmarkObject(row, revision, isEnd))),
    error: errorLine,
  }
}

function errorLine(status: Status): Uint8Array {
  return eventLine('ERROR', JSON.stringify(status))
}

/** For clients that take nothing else. A kind without a form in protobuf ends the watch. */
function protobufWriter(row: AnyRow): EventWriter {
  const frame = (type: string, object: object) => {
    const envelope = encodeKnown(object)
    if (envelope === undefined) throw notInProtobuf(row)
    return encodeWatchFrame(type, envelope)
  }
  return {
    write: (type, entry) => frame(type, decodeStored(row, entry)),
    bookmark: (revision, isEnd) => frame('BOOKMARK', bookmarkObject(row, revision, isEnd)),
    error: (status) => frame('ERROR', status),
  }
}

function notInProtobuf(row: AnyRow): ApiError {
  const message = `${row.plural} cannot be answered as ${MEDIA_TYPES.protobuf}`
  return new ApiError(406, 'NotAcceptable', message)
}

function plainWriter(row: AnyRow): EventWriter {
  return {
    write: (type, entry) => entryLine(type, row, entry),
    bookmark: (revision, isEnd) =>
      eventLine('BOOKMARK', JSON.stringify(bookmarkObject(row, revision, isEnd))),
    error: errorLine,
  }
}

/** One row per event; the columns are described in the first only. */
function tableWriter(row: AnyRow, form: Form): EventWriter {
  let isFirst = true
  const write = (type: EventType, object: AnyObject) => {
    const meta = { resourceVersion: object.metadata.resourceVersion ?? '' }
    const { columnDefinitions, ...rest } = tableOf(row, [object], meta, form)
    const table = isFirst ? { columnDefinitions, ...rest } : { columnDefinitions: null, ...rest }
    isFirst = false
    return eventLine(type, JSON.stringify(table))
  }
  return {
    write: (type, entry) => write(type, decodeStored(row, entry)),
    bookmark: (revision, isEnd) => write('BOOKMARK', bookmarkObject(row, revision, isEnd)),
    error: errorLine,
  }
}

function bookmarkObject(row: AnyRow, revision: number, isInitialEnd: boolean): AnyObject {
  const annotations = { 'k8s.io/initial-events-end': 'true' }
  return {
    kind: row.kind,
    apiVersion: groupVersionOf(row),
    metadata: { resourceVersion: String(revision), ...(isInitialEnd ? { annotations } : {}) },
  } as AnyObject
}
