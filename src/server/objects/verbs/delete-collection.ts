// DELETE of a collection: one deletion after the other; the answer lists what was there.

import { isNotFound } from '../../../api/status.ts'
import { negotiateOutput } from '../../request/negotiation.ts'
import { listOptions } from '../../request/options.ts'
import { formOf } from '../../response/form.ts'
import { pageAnswer } from '../../response/list.ts'
import type { ResourceRequest } from '../../server.ts'
import { decodeMetadata } from '../../storage/stored.ts'
import type { Answer } from '../../transport/call.ts'
import { readNewest } from '../newest.ts'
import { deleteObject } from './delete.ts'
import { readDeleteOptions } from './delete-body.ts'
import { readPage } from './list.ts'
import { selectionOf } from './selection.ts'

export async function removeCollection(request: ResourceRequest): Promise<Answer> {
  const form = formOf(request, negotiateOutput(request.call))
  const selected = listOptions(request.call.query)
  const options = await readDeleteOptions(request)
  const selection = selectionOf(request, selected)
  const { continueToken, resourceVersion } = selected
  const page = await readNewest(request, continueToken || resourceVersion, () =>
    readPage(request.server.store, selection, selected),
  )
  for (const entry of page.entries) {
    const { name = '' } = decodeMetadata(request.row, entry)
    try {
      await deleteObject(request, name, options)
    } catch (error) {
      // Somebody else was faster, which is just as well.
      if (!isNotFound(error)) throw error
    }
  }
  return pageAnswer(request.row, page, form)
}
