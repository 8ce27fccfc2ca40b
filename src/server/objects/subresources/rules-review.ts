// SelfSubjectRulesReview: all that I may do in a namespace, for `kubectl auth can-i --list`.

import type { AnyObject } from '../../../api/object.ts'
import type { PolicyRule, SelfSubjectRulesReview } from '../../../api/schema/generated/types.ts'
import { badRequest } from '../../../api/status.ts'
import { nodeNameOf } from '../../authz/node.ts'
import type { ResourceRequest } from '../../server.ts'
import type { Action } from './action.ts'

export const ownRulesReview: Action = {
  steps: ({ request, body }) => ({
    prepare() {
      const { spec } = body as unknown as SelfSubjectRulesReview
      if (!spec.namespace) throw badRequest('no namespace on request')
      return body
    },
    store: () => rulesAnswer(request, body),
  }),
}

function rulesAnswer({ server, user }: ResourceRequest, body: AnyObject): object {
  const { spec } = body as unknown as SelfSubjectRulesReview
  const rules = server.rbac.rulesFor(user, spec.namespace!)
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
  return { kind, apiVersion, metadata: {}, spec: {}, status }
}

function resourceRule({ verbs, apiGroups, resources, resourceNames }: PolicyRule) {
  if (!resources?.length) return []
  return [{ verbs, apiGroups, resources, ...(resourceNames?.length ? { resourceNames } : {}) }]
}

function pathRule({ verbs, nonResourceURLs }: PolicyRule) {
  return nonResourceURLs?.length ? [{ verbs, nonResourceURLs }] : []
}
