// What a FlowSchema must be (pkg/apis/flowcontrol/validation).

import { dnsLabelFaults, dnsSubdomainFaults } from '../../../names.ts'
import { internalForm } from '../../../pod/internal-form.ts'
import type {
  FlowSchema,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
  FlowcontrolV1Subject as Subject,
} from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { mandatorySchema } from '../bootstrap.ts'

const PRECEDENCE_MAX = 10_000
const METHODS = ['ByNamespace', 'ByUser']
const VERBS = [
  ...['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch'],
]

export function checkFlowSchema(faults: FieldErrors, { metadata, spec }: FlowSchema) {
  const name = metadata.name ?? ''
  checkSpec(faults, name, spec)
  const mandatory = mandatorySchema(name)
  if (mandatory === undefined || Bun.deepEquals(spec, mandatory.spec)) return
  const shown = internalForm('FlowSchemaSpec', spec)
  faults.invalid('spec', shown, `spec of '${name}' must equal the fixed value`)
}

function checkSpec(faults: FieldErrors, name: string, spec: FlowSchema['spec']) {
  const { matchingPrecedence: precedence = 0, distinguisherMethod, rules = [] } = spec
  const at = 'spec.matchingPrecedence'
  if (precedence <= 0) faults.invalid(at, precedence, 'must be a positive value')
  if (precedence > PRECEDENCE_MAX) {
    faults.invalid(at, precedence, `must not be greater than ${PRECEDENCE_MAX}`)
  }
  if (precedence === 1 && name !== 'exempt') {
    const detail = "only the schema named 'exempt' may have matchingPrecedence 1"
    faults.invalid(at, precedence, detail)
  }
  if (distinguisherMethod !== undefined && !METHODS.includes(distinguisherMethod.type)) {
    const shown = internalForm('FlowDistinguisherMethod', distinguisherMethod)
    faults.notSupported('spec.distinguisherMethod.type', shown, METHODS)
  }
  const level = spec.priorityLevelConfiguration?.name
  const path = 'spec.priorityLevelConfiguration.name'
  if (!level) faults.required(path, 'must reference a priority level')
  else faults.invalidAll(path, level, dnsSubdomainFaults(level))
  for (const [index, rule] of rules.entries()) checkRule(faults, `spec.rules[${index}]`, rule)
}

function checkRule(faults: FieldErrors, at: string, rule: PolicyRulesWithSubjects) {
  const { resourceRules = [], nonResourceRules = [] } = rule
  const subjects = (rule.subjects as Subject[] | null) ?? []
  if (subjects.length === 0) {
    faults.required(`${at}.subjects`, 'subjects must contain at least one value')
  }
  for (const [i, subject] of subjects.entries())
    checkSubject(faults, `${at}.subjects[${i}]`, subject)
  if (resourceRules.length === 0 && nonResourceRules.length === 0) {
    faults.required(at, 'at least one of resourceRules and nonResourceRules has to be non-empty')
  }
  for (const [index, one] of resourceRules.entries()) {
    checkResourceRule(faults, `${at}.resourceRules[${index}]`, one)
  }
  for (const [index, one] of nonResourceRules.entries()) {
    checkPathRule(faults, `${at}.nonResourceRules[${index}]`, one)
  }
}

/** By kind: the field that says who, and in upstream's order those that may not be there then. */
const FIELDS = {
  ServiceAccount: { own: 'serviceAccount', others: ['user', 'group'] },
  User: { own: 'user', others: ['serviceAccount', 'group'] },
  Group: { own: 'group', others: ['serviceAccount', 'user'] },
} as const
const KIND_OF = { serviceAccount: 'ServiceAccount', user: 'User', group: 'Group' } as const

function checkSubject(faults: FieldErrors, at: string, subject: Subject) {
  const kind = subject.kind ?? ''
  if (kind !== 'ServiceAccount' && kind !== 'User' && kind !== 'Group') {
    return faults.notSupported(`${at}.kind`, kind, ['Group', 'ServiceAccount', 'User'])
  }
  const { own, others } = FIELDS[kind]
  const said = subject[own]
  if (said === undefined) {
    faults.required(`${at}.${own}`, `${own} is required when subject kind is '${kind}'`)
  } else if (kind === 'ServiceAccount')
    checkAccount(faults, `${at}.${own}`, subject.serviceAccount!)
  else if (!said.name) faults.required(`${at}.${own}.name`)
  for (const other of others) {
    if (subject[other] === undefined) continue
    const detail = `${other} is forbidden when subject kind is not '${KIND_OF[other]}'`
    faults.forbidden(`${at}.${other}`, detail)
  }
}

function checkAccount(
  faults: FieldErrors,
  at: string,
  { name, namespace }: NonNullable<Subject['serviceAccount']>,
) {
  if (!name) faults.required(`${at}.name`)
  else if (name !== '*') faults.invalidAll(`${at}.name`, name, dnsSubdomainFaults(name))
  if (namespace) faults.invalidAll(`${at}.namespace`, namespace, dnsLabelFaults(namespace))
  else faults.required(`${at}.namespace`, 'must specify namespace for service account')
}

/** All of them, or some by name. Says whether `*` is among them. */
function checkWildcard(faults: FieldErrors, at: string, values: readonly string[], what: string) {
  if (!values.includes('*')) return false
  if (values.length > 1) {
    faults.invalid(at, values, `if '*' is present, must not specify other ${what}`)
  }
  return true
}

function checkVerbs(faults: FieldErrors, at: string, verbs: readonly string[]) {
  if (verbs.length === 0) return faults.required(at, 'verbs must contain at least one value')
  if (checkWildcard(faults, at, verbs, 'verbs')) return
  if (!verbs.every((verb) => VERBS.includes(verb))) faults.notSupported(at, verbs, VERBS)
}

function checkResourceRule(faults: FieldErrors, at: string, rule: ResourcePolicyRule) {
  const { verbs, apiGroups, resources, namespaces } = rule
  checkVerbs(faults, `${at}.verbs`, verbs ?? [])
  const lists = [
    { path: `${at}.apiGroups`, values: apiGroups ?? [], one: 'api group', many: 'api groups' },
    { path: `${at}.resources`, values: resources ?? [], one: 'resource', many: 'resources' },
  ]
  for (const { path, values, one, many } of lists) {
    if (values.length === 0) faults.required(path, `resource rules must supply at least one ${one}`)
    else checkWildcard(faults, path, values, many)
  }
  checkNamespaces(faults, `${at}.namespaces`, namespaces ?? [], rule.clusterScope ?? false)
}

function checkNamespaces(
  faults: FieldErrors,
  at: string,
  namespaces: readonly string[],
  isOfCluster: boolean,
) {
  if (namespaces.length === 0 && !isOfCluster) {
    const detail = 'resource rules that are not cluster scoped must supply at least one namespace'
    return faults.required(at, detail)
  }
  if (checkWildcard(faults, at, namespaces, 'namespaces')) return
  for (const [index, namespace] of namespaces.entries()) {
    const details = dnsLabelFaults(namespace).map(
      (fault) => `each member of this list must be '*' or a DNS-1123 label; ${fault}`,
    )
    faults.invalidAll(`${at}[${index}]`, namespace, details)
  }
}

function checkPathRule(faults: FieldErrors, at: string, rule: NonResourcePolicyRule) {
  checkVerbs(faults, `${at}.verbs`, rule.verbs ?? [])
  const path = `${at}.nonResourceURLs`
  const urls = rule.nonResourceURLs ?? []
  if (urls.length === 0) {
    return faults.required(path, 'nonResourceURLs must contain at least one value')
  }
  if (checkWildcard(faults, path, urls, 'non-resource URLs')) return
  for (const [index, url] of urls.entries()) {
    const fault = pathFault(url)
    if (fault !== undefined) faults.invalid(`${path}[${index}]`, url, fault)
  }
}

function pathFault(path: string): string | undefined {
  if (path === '') return 'must not be empty'
  if (path === '/') return undefined
  if (!path.startsWith('/')) return 'must start with slash'
  if (path.includes(' ')) return 'must not contain white-space'
  if (path.includes('//')) return 'must not contain double slash'
  const star = path.indexOf('*')
  const isSuffix = star === path.length - 1 && path.endsWith('/*')
  return star < 0 || isSuffix ? undefined : 'wildcard can only do suffix matching'
}
