// Which FlowSchema a request falls under, and which flow of it: the schemas in order of precedence,
// the first one with a rule that fits counts. Pure.

import { byPrecedence } from '../../api/kinds/flowcontrol/flowschema/row.ts'
import type { UserInfo } from '../../api/resource.ts'
import type {
  FlowSchema,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
  FlowcontrolV1Subject as Subject,
} from '../../api/schema/generated/types.ts'
import type { RequestInfo } from '../request/request-info.ts'

export type Classified = {
  readonly schema: FlowSchema
  /** What sets flows of one schema apart: the user, the namespace, or nothing. */
  readonly distinguisher: string
}

export class Classifier {
  readonly #schemas: readonly FlowSchema[]

  constructor(schemas: readonly FlowSchema[]) {
    this.#schemas = schemas.toSorted(byPrecedence)
  }

  /** Who fits nowhere is caught by the last one. Undefined only when there are no schemas. */
  classify(info: RequestInfo, user: UserInfo): Classified | undefined {
    const isOurs = ({ spec }: FlowSchema) => spec.rules?.some((rule) => fits(rule, info, user))
    const schema = this.#schemas.find(isOurs) ?? this.#schemas.at(-1)
    return schema && { schema, distinguisher: distinguisherOf(schema, info, user) }
  }
}

function distinguisherOf({ spec }: FlowSchema, info: RequestInfo, user: UserInfo): string {
  switch (spec.distinguisherMethod?.type) {
    case 'ByUser':
      return user.username
    case 'ByNamespace':
      return info.namespace
    default:
      return ''
  }
}

function fits(rule: PolicyRulesWithSubjects, info: RequestInfo, user: UserInfo): boolean {
  const { subjects, resourceRules = [], nonResourceRules = [] } = rule
  if (!subjects.some((subject) => isAbout(subject, user))) return false
  if (info.isResource) return resourceRules.some((one) => fitsResource(one, info))
  return nonResourceRules.some((one) => fitsPath(one, info))
}

function isAbout({ kind, user, group, serviceAccount }: Subject, who: UserInfo): boolean {
  switch (kind) {
    case 'User':
      return user?.name === '*' || user?.name === who.username
    case 'Group':
      return group !== undefined && (group.name === '*' || who.groups.includes(group.name))
    case 'ServiceAccount': {
      if (serviceAccount === undefined) return false
      const prefix = `system:serviceaccount:${serviceAccount.namespace}:`
      if (serviceAccount.name === '*') return who.username.startsWith(prefix)
      return who.username === prefix + serviceAccount.name
    }
    default:
      return false
  }
}

const names = (list: readonly string[] | undefined, name: string) =>
  list !== undefined && (list.includes('*') || list.includes(name))

function fitsResource(rule: ResourcePolicyRule, info: RequestInfo): boolean {
  const { verb, group, resource, subresource, namespace } = info
  const what = subresource === '' ? resource : `${resource}/${subresource}`
  const isAsked = names(rule.verbs, verb) && names(rule.apiGroups, group)
  if (!isAsked || !names(rule.resources, what)) return false
  return namespace === '' ? rule.clusterScope === true : names(rule.namespaces, namespace)
}

function fitsPath({ verbs, nonResourceURLs }: NonResourcePolicyRule, info: RequestInfo): boolean {
  const { path } = info
  if (!names(verbs, info.verb)) return false
  return nonResourceURLs.some(
    (url) =>
      url === '*' || url === path || (url.endsWith('/*') && path.startsWith(url.slice(0, -1))),
  )
}
