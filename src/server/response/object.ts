// One object as an answer, in the form that was asked for.

import type { AnyObject } from '../../api/object.ts'
import type { AnyRow } from '../../api/resource.ts'
import type { Entry } from '../../store/store.ts'
import { MEDIA_TYPES } from '../request/negotiation.ts'
import { decodeStored, objectText } from '../storage/stored.ts'
import type { Answer } from '../transport/call.ts'
import { type Form, rendered } from './form.ts'
import { notAList, partialOf } from './partial.ts'
import { tableOf } from './table.ts'

/** What stands in the store, without parsing it when JSON is asked for. */
export function entryAnswer(code: number, row: AnyRow, entry: Entry, form: Form): Answer {
  const { format, as, pretty } = form.output
  if (format === 'json' && as === undefined && !pretty) {
    const headers = { 'content-type': MEDIA_TYPES.json }
    return { code, headers, body: `${objectText(row, entry)}\n` }
  }
  return objectAnswer(code, row, decodeStored(row, entry), form)
}

export function objectAnswer(code: number, row: AnyRow, object: AnyObject, form: Form): Answer {
  const { as } = form.output
  if (as === undefined) return rendered(code, object, form)
  if (as.kind === 'Table') return rendered(code, tableOf(row, [object], undefined, form), form)
  if (as.kind === 'PartialObjectMetadata')
    return rendered(code, partialOf(row, object, as.version), form)
  throw notAList(row)
}
