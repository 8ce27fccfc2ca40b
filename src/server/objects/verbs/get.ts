// GET of one object. The shortest way through the server: key, text, splice.

import { notFound } from '../../../api/status.ts'
import { negotiateOutput } from '../../request/negotiation.ts'
import { parseRevision } from '../../request/options.ts'
import { tooLargeRevision } from '../../response/errors.ts'
import { formOf } from '../../response/form.ts'
import { entryAnswer } from '../../response/object.ts'
import type { ResourceRequest } from '../../server.ts'
import { storeKey } from '../../storage/stored.ts'
import type { Answer } from '../../transport/call.ts'
import { readNewest } from '../newest.ts'

export function get(request: ResourceRequest): Answer | Promise<Answer> {
  const { server, call, row, info } = request
  const output = negotiateOutput(call)
  const resourceVersion = call.query.get('resourceVersion') ?? ''
  const asked = parseRevision(resourceVersion)
  // We are never behind, so any revision that exists will do.
  if (asked > server.store.revision) throw tooLargeRevision(asked, server.store.revision)
  return readNewest(request, resourceVersion, () => {
    const entry = server.store.get(storeKey(row, info.namespace, info.name))
    if (entry === undefined) throw notFound(row, info.name)
    return entryAnswer(200, row, entry, formOf(request, output))
  })
}
