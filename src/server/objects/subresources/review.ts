// What all reviews have in common: a question in, the same object with an answer out.

import type { AnyObject } from '../../../api/object.ts'
import { decodeBody } from '../../request/decode.ts'
import { negotiateOutput, noTable } from '../../request/negotiation.ts'
import { writeOptions } from '../../request/options.ts'
import { type Form, formOf } from '../../response/form.ts'
import type { ResourceRequest } from '../../server.ts'
import { attributesOf, matchNamespace } from '../verbs/create.ts'
import { noteOwners } from '../verbs/field-managers.ts'

export async function readReview(
  request: ResourceRequest,
): Promise<{ body: AnyObject; form: Form }> {
  const output = negotiateOutput(request.call)
  if (output.as?.kind === 'Table') throw noTable()
  const form = formOf(request, output)
  const options = writeOptions(request.call.query, 'create')
  const body = await decodeBody(request, options.fieldValidation)
  matchNamespace(request, body)
  delete body.status
  noteOwners(request, undefined, body, options.fieldManager)
  await request.server.admission.admit(attributesOf(request, body, options.dryRun))
  return { body, form }
}
