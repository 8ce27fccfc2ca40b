// Which function answers which sub-resource, and which kind that is never stored.

import { type AnyRow, qualifiedResource } from '../../../api/resource.ts'
import { notFound } from '../../../api/status.ts'
import { own } from '../../../lib/own.ts'
import type { RequestInfo } from '../../request/request-info.ts'
import { methodNotAllowed, unknownResource } from '../../response/errors.ts'
import type { Handler } from '../../server.ts'
import { answerStream } from '../../streams/answer.ts'
import { isStreamRequest } from '../../streams/targets.ts'
import { get } from '../verbs/get.ts'
import { patchPart } from '../verbs/patch.ts'
import { updatePart } from '../verbs/update.ts'
import { accessReview, localAccessReview, ownAccessReview } from './access-review.ts'
import { type Action, actionHandler } from './action.ts'
import { binding } from './binding.ts'
import { connect } from './connect.ts'
import { eviction } from './eviction.ts'
import { ownRulesReview } from './rules-review.ts'
import { scaleHandler } from './scale.ts'
import { tokenRequest } from './token.ts'
import { selfReview, tokenReview } from './token-review.ts'

/** POST below an object. */
const ACTIONS = new Map<string, Action>([
  ['pods/binding', binding],
  ['pods/eviction', eviction],
  ['serviceaccounts/token', tokenRequest],
])

/** POST of kinds that are answered and never stored. */
const QUESTIONS = new Map<string, Action>([
  ['bindings', binding],
  ['tokenreviews.authentication.k8s.io', tokenReview],
  ['selfsubjectreviews.authentication.k8s.io', selfReview],
  ['subjectaccessreviews.authorization.k8s.io', accessReview],
  ['localsubjectaccessreviews.authorization.k8s.io', localAccessReview],
  ['selfsubjectaccessreviews.authorization.k8s.io', ownAccessReview],
  ['selfsubjectrulesreviews.authorization.k8s.io', ownRulesReview],
])

/** Undefined for kinds that are stored like any other. */
export function questionHandler(row: AnyRow): Handler | undefined {
  const action = QUESTIONS.get(qualifiedResource(row))
  return action && actionHandler(action)
}

/** Throws 404 for what the row does not have, 405 for a verb that it does not take. */
export function subresourceHandler(row: AnyRow, info: RequestInfo): Handler {
  const { subresource, verb } = info
  const part = subresource === 'status' ? row.status : own(row.parts, subresource)
  if (part !== undefined) {
    if (!(part.verbs as readonly string[]).includes(verb)) throw methodNotAllowed()
    if (verb === 'get') return get
    if (verb === 'update') return (request) => updatePart(request, part)
    return (request) => patchPart(request, part)
  }
  if (subresource === 'scale' && row.scale !== undefined) {
    const handler = scaleHandler(row, verb)
    if (handler === undefined) throw methodNotAllowed()
    return handler
  }
  if (isStreamRequest(info)) {
    return (request) =>
      connect(request, () => answerStream(request.server.streams, request.call, info))
  }
  if (row.custom) throw notFound(row, info.name)
  const action = row.actions.find(({ name }) => name === subresource)
  const served = ACTIONS.get(`${qualifiedResource(row)}/${subresource}`)
  if (action === undefined || served === undefined) throw unknownResource()
  if (verb !== 'create') throw methodNotAllowed()
  return actionHandler(served)
}
