// SelfSubjectRulesReview: all that I may do in a namespace, for `kubectl auth can-i --list`.

import type { PolicyRule, SelfSubjectRulesReview } from '../../../api/schema/generated/types.ts'
import { badRequest } from '../../../api/status.ts'
import { nodeNameOf } from '../../authz/node.ts'
import { rendered } from '../../response/form.ts'
import type { ResourceRequest } from '../../server.ts'
import type { Answer } from '../../transport/call.ts'
import { readReview } from './review.ts'

export async function reviewOwnRules(request: ResourceRequest): Promise<Answer> {
  const { body, form } = await readReview(request)
  const { spec } = body as unknown as SelfSubjectRulesReview
  if (!spec.namespace) throw badRequest('no namespace on request')
  const { server, user } = request
  const rules = server.rbac.rulesFor(user, spec.namespace)
  // What a node may follows from its pods, which no list of rules can say.
  const isNode = nodeNameOf(user) !== undefined
  const why = 'node authorizer does not support user rule resolution'
  const status = {
    resourceRules: rules.flatMap(resourceRule),
    nonResourceRules: rules.flatMap(pathRule),
    incomplete: isNode,
    ...(isNode ? { evaluationError: why } : {}),
  }
  const { kind, apiVersion } = body
  return rendered(201, { kind, apiVersion, metadata: {}, spec: {}, status }, form)
}

function resourceRule({ verbs, apiGroups, resources, resourceNames }: PolicyRule) {
  if (!resources?.length) return []
  return [{ verbs, apiGroups, resources, ...(resourceNames?.length ? { resourceNames } : {}) }]
}

function pathRule({ verbs, nonResourceURLs }: PolicyRule) {
  return nonResourceURLs?.length ? [{ verbs, nonResourceURLs }] : []
}
