// What all reviews have in common: a question in, the same object with an answer out.

import type { AnyObject } from '../../api/object.ts'
import { decodeBody } from '../decode.ts'
import { negotiateOutput } from '../negotiation.ts'
import { writeOptions } from '../options.ts'
import { type Form, formOf } from '../output/form.ts'
import { noteOwners } from '../owners.ts'
import type { ResourceRequest } from '../server.ts'
import { attributesOf, matchNamespace } from '../verbs/create.ts'

export async function readReview(
  request: ResourceRequest,
): Promise<{ body: AnyObject; form: Form }> {
  const form = formOf(request, negotiateOutput(request.call))
  const options = writeOptions(request.call.query, 'create')
  const body = await decodeBody(request, options.fieldValidation)
  matchNamespace(request, body)
  delete body.status
  noteOwners(request, undefined, body, options.fieldManager)
  await request.server.admission.admit(attributesOf(request, body, options.dryRun))
  return { body, form }
}
