// Which function answers which sub-resource.

import type { AnyRow } from '../../api/resource.ts'
import { methodNotAllowed, unknownResource } from '../errors.ts'
import type { RequestInfo } from '../request-info.ts'
import type { Handler } from '../server.ts'
import { get } from '../verbs/get.ts'
import { patchPart } from '../verbs/patch.ts'
import { updatePart } from '../verbs/update.ts'

export function subresourceHandler(row: AnyRow, info: RequestInfo): Handler {
  const { subresource, verb } = info
  const part = subresource === 'status' ? row.status : row.parts[subresource]
  if (part !== undefined) {
    if (!(part.verbs as readonly string[]).includes(verb)) throw methodNotAllowed()
    if (verb === 'get') return get
    if (verb === 'update') return (request) => updatePart(request, part)
    return (request) => patchPart(request, part)
  }
  throw unknownResource()
}
