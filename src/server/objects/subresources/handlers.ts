// Which function answers which sub-resource, and which kind that is never stored.

import { type AnyRow, qualifiedResource } from '../../../api/resource.ts'
import type { RequestInfo } from '../../request/request-info.ts'
import { methodNotAllowed, unknownResource } from '../../response/errors.ts'
import type { Handler } from '../../server.ts'
import { answerStream } from '../../streams/answer.ts'
import { isStreamRequest } from '../../streams/targets.ts'
import { get } from '../verbs/get.ts'
import { patchPart } from '../verbs/patch.ts'
import { updatePart } from '../verbs/update.ts'
import { reviewAccess, reviewLocalAccess, reviewOwnAccess } from './access-review.ts'
import { bind } from './binding.ts'
import { evict } from './eviction.ts'
import { reviewOwnRules } from './rules-review.ts'
import { scaleHandler } from './scale.ts'
import { requestToken } from './token.ts'
import { reviewSelf, reviewToken } from './token-review.ts'

/** POST below an object. */
const ACTIONS: Record<string, Handler> = {
  'pods/binding': bind,
  'pods/eviction': evict,
  'serviceaccounts/token': requestToken,
}

/** POST of kinds that are answered and never stored. */
const QUESTIONS: Record<string, Handler> = {
  bindings: bind,
  'tokenreviews.authentication.k8s.io': reviewToken,
  'selfsubjectreviews.authentication.k8s.io': reviewSelf,
  'subjectaccessreviews.authorization.k8s.io': reviewAccess,
  'localsubjectaccessreviews.authorization.k8s.io': reviewLocalAccess,
  'selfsubjectaccessreviews.authorization.k8s.io': reviewOwnAccess,
  'selfsubjectrulesreviews.authorization.k8s.io': reviewOwnRules,
}

/** Undefined for kinds that are stored like any other. */
export function questionHandler(row: AnyRow): Handler | undefined {
  return QUESTIONS[qualifiedResource(row)]
}

/** Throws 404 for what the row does not have, 405 for a verb that it does not take. */
export function subresourceHandler(row: AnyRow, info: RequestInfo): Handler {
  const { subresource, verb } = info
  const part = subresource === 'status' ? row.status : row.parts[subresource]
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
    return ({ server, call }) => answerStream(server.streams, call, info)
  }
  const action = row.actions.find(({ name }) => name === subresource)
  const handler = ACTIONS[`${qualifiedResource(row)}/${subresource}`]
  if (action === undefined || handler === undefined) throw unknownResource()
  if (verb !== 'create') throw methodNotAllowed()
  return handler
}
