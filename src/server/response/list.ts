// A page of a list as an answer.

import type { AnyObject } from '../../api/object.ts'
import { type AnyRow, groupVersionOf } from '../../api/resource.ts'
import type { Entry } from '../../store/store.ts'
import { MEDIA_TYPES } from '../request/negotiation.ts'
import { decodeStored, itemText } from '../storage/stored.ts'
import type { Answer } from '../transport/call.ts'
import type { ListMeta } from './form.ts'
import { type Form, rendered } from './form.ts'
import { isAList, partialOf } from './partial.ts'
import { tableOf } from './table.ts'

export type Page = {
  revision: number
  entries: readonly Entry[]
  continueToken: string | undefined
  /** How many follow; only known when nothing was selected. */
  remaining?: number
}

/** Plain JSON is put together from the texts in the store. */
export function pageAnswer(row: AnyRow, page: Page, form: Form): Answer {
  const { format, as, pretty } = form.output
  const meta = metaOf(page)
  if (as?.kind === 'PartialObjectMetadata') throw isAList(row)
  if (format === 'json' && as === undefined && !pretty) {
    const items = page.entries.map((entry) => itemText(row, entry)).join(',')
    const head = `"kind":"${row.listKind}","apiVersion":"${groupVersionOf(row)}"`
    const body = `{${head},"metadata":${JSON.stringify(plainMeta(row, meta))},"items":[${items}]}\n`
    return { code: 200, headers: { 'content-type': MEDIA_TYPES.json }, body }
  }
  const objects = page.entries.map((entry) => decodeStored(row, entry))
  if (as?.kind === 'Table') return rendered(200, tableOf(row, objects, meta, form), form)
  if (as?.kind === 'PartialObjectMetadataList') {
    const apiVersion = `meta.k8s.io/${as.version}`
    const items = objects.map((object) => partialOf(row, object, as.version))
    const list = { kind: 'PartialObjectMetadataList', apiVersion, metadata: meta, items }
    return rendered(200, list, form)
  }
  const bare = ({ kind: _kind, apiVersion: _version, ...rest }: AnyObject) => rest
  const items = row.custom ? objects : objects.map(bare)
  const list = {
    kind: row.listKind,
    apiVersion: groupVersionOf(row),
    metadata: plainMeta(row, meta),
    items,
  }
  return rendered(200, list, form)
}

/** Lists of custom resources say that nothing follows. */
function plainMeta(row: AnyRow, meta: ListMeta): ListMeta {
  return row.custom ? { continue: '', ...meta } : meta
}

function metaOf(page: Page): ListMeta {
  return {
    resourceVersion: String(page.revision),
    ...(page.continueToken === undefined ? {} : { continue: page.continueToken }),
    ...(page.remaining === undefined ? {} : { remainingItemCount: page.remaining }),
  }
}
