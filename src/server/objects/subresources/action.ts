// POSTs whose body is no object to store: they ask for something to be done, or answered. What is
// sent goes down the pipeline like every write; each action says what it does in place of storing.

import type { AnyObject } from '../../../api/object.ts'
import { type BodyType, decodeBody, decodeTyped } from '../../request/decode.ts'
import { negotiateOutput, noTable } from '../../request/negotiation.ts'
import { type WriteOptions, writeOptions } from '../../request/options.ts'
import { formOf, rendered } from '../../response/form.ts'
import type { Handler, ResourceRequest } from '../../server.ts'
import type { Answer } from '../../transport/call.ts'
import { runWrite, type Steps, writeOf } from '../pipeline.ts'
import { matchNamespace, wipeSystemFields } from '../verbs/create.ts'
import { noteManagers, noteManagersOfBody } from '../verbs/field-managers.ts'
import { dedupOwners } from '../verbs/owner-references.ts'

export type Action = {
  /** Of what is sent, when it is not of the row's kind. */
  body?: BodyType
  /** Defaults that the facts do not hold. */
  defaults?(body: AnyObject): void
  /** The body's uid, below an object, is a precondition and not the server's to give. */
  keepsUid?: boolean
  /** What `store` returns is the answer. */
  steps(asked: Asked): Steps<object>
}

export type Asked = { request: ResourceRequest; body: AnyObject; options: WriteOptions }

export const SUCCESS = {
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Success',
  code: 201,
}

export function actionHandler(action: Action): Handler {
  return (request) => act(request, action)
}

async function act(request: ResourceRequest, action: Action): Promise<Answer> {
  const output = negotiateOutput(request.call)
  // Upstream's table convertor knows no answers that were never stored.
  if (action.body === undefined && output.as?.kind === 'Table') throw noTable()
  const options = writeOptions(request.call.query, 'create')
  const body = await readBody(request, action, options)
  if (!action.keepsUid || request.info.subresource === '') wipeSystemFields(body)
  matchNamespace(request, body)
  dedupOwners(request, body)
  if (action.body === undefined) noteManagers(request, undefined, body, options.fieldManager)
  else noteManagersOfBody(request, action.body, body, options.fieldManager)
  const { dryRun } = options
  const kind = action.body ?? request.row
  const write = writeOf(request, { operation: 'CREATE', object: body, dryRun, kind })
  const answer = await runWrite(write, action.steps({ request, body, options }))
  return rendered(201, answer, formOf(request, output))
}

async function readBody(
  request: ResourceRequest,
  { body: type, defaults }: Action,
  { fieldValidation }: WriteOptions,
): Promise<AnyObject> {
  if (type === undefined) return decodeBody(request, fieldValidation)
  const body = await decodeTyped(request, type, fieldValidation)
  defaults?.(body)
  return body
}
