// Roles and bindings (rbac.authorization.k8s.io).

import { isDnsSubdomainName, isPathSegmentName } from '../../names.ts'
import { type Column, defineResource } from '../../resource.ts'
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  Subject,
} from '../../schema/generated/types.ts'
import { ageColumn, createdAtColumn } from '../../table/cells.ts'
import { type FieldErrors, ruleOf } from '../../validation/field-errors.ts'
import { checkLabelSelector, isReadableSelector } from '../../validation/labels.ts'
import { checkSupported, sameValue } from '../../validation/values.ts'

const common = {
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  nameRule: isPathSegmentName,
  createOnUpdate: true,
  metadataJudges: ['whole', 'change'],
} as const

const GROUP = 'rbac.authorization.k8s.io'

type Binding = RoleBinding | ClusterRoleBinding

const bindingColumns: readonly Column<Binding>[] = [
  {
    name: 'Role',
    type: 'string',
    priority: 0,
    description: 'The role that is given.',
    cell: ({ roleRef }) => `${roleRef?.kind ?? ''}/${roleRef?.name ?? ''}`,
  },
  ageColumn,
  subjectColumn('Users', 'User'),
  subjectColumn('Groups', 'Group'),
  subjectColumn('ServiceAccounts', 'ServiceAccount'),
]

export const roles = defineResource<Role>({
  ...common,
  kind: 'Role',
  plural: 'roles',
  type: 'io.k8s.api.rbac.v1.Role',
  rules: [ruleOf((faults, role) => checkPolicies(faults, role.rules, true))],
  columns: [createdAtColumn],
})

export const clusterRoles = defineResource<ClusterRole>({
  ...common,
  kind: 'ClusterRole',
  plural: 'clusterroles',
  type: 'io.k8s.api.rbac.v1.ClusterRole',
  scope: 'Cluster',
  rules: [ruleOf(checkClusterRole)],
  columns: [createdAtColumn],
})

export const roleBindings = defineResource<RoleBinding>({
  ...common,
  kind: 'RoleBinding',
  plural: 'rolebindings',
  type: 'io.k8s.api.rbac.v1.RoleBinding',
  defaults: setGroups,
  rules: [ruleOf((faults, binding, old) => checkBinding(faults, binding, old, true))],
  columns: bindingColumns,
})

export const clusterRoleBindings = defineResource<ClusterRoleBinding>({
  ...common,
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  type: 'io.k8s.api.rbac.v1.ClusterRoleBinding',
  scope: 'Cluster',
  defaults: setGroups,
  rules: [ruleOf((faults, binding, old) => checkBinding(faults, binding, old, false))],
  columns: bindingColumns,
})

function setGroups(binding: Binding) {
  if (binding.roleRef) binding.roleRef.apiGroup ||= GROUP
  for (const subject of binding.subjects ?? []) {
    const isUserOrGroup = subject.kind === 'User' || subject.kind === 'Group'
    if (isUserOrGroup) subject.apiGroup ||= GROUP
  }
}

function subjectColumn(name: string, kind: string): Column<Binding> {
  const textOf = (subject: Subject) =>
    kind === 'ServiceAccount' ? `${subject.namespace ?? ''}/${subject.name}` : subject.name
  return {
    name,
    type: 'string',
    priority: 1,
    description: `${name} that get the role.`,
    cell: ({ subjects }) =>
      (subjects ?? [])
        .filter((subject) => subject.kind === kind)
        .map(textOf)
        .join(', '),
  }
}

function checkPolicies(
  faults: FieldErrors,
  rules: readonly PolicyRule[] | undefined,
  isNamespaced: boolean,
) {
  for (const [index, rule] of (rules ?? []).entries()) {
    checkPolicy(faults, `rules[${index}]`, rule, isNamespaced)
  }
}

function checkPolicy(faults: FieldErrors, at: string, rule: PolicyRule, isNamespaced: boolean) {
  const { verbs = [], apiGroups = [], resources = [], resourceNames = [] } = rule
  const urls = rule.nonResourceURLs ?? []
  if ((verbs ?? []).length === 0) {
    faults.required(`${at}.verbs`, 'verbs must contain at least one value')
  }
  if (urls.length > 0) {
    const path = `${at}.nonResourceURLs`
    if (isNamespaced) {
      faults.invalid(path, urls, 'namespaced rules cannot apply to non-resource URLs')
    }
    if (apiGroups.length + resources.length + resourceNames.length > 0) {
      const detail = 'rules cannot apply to both regular resources and non-resource URLs'
      faults.invalid(path, urls, detail)
    }
    return
  }
  if (apiGroups.length === 0) {
    faults.required(`${at}.apiGroups`, 'resource rules must supply at least one api group')
  }
  if (resources.length === 0) {
    faults.required(`${at}.resources`, 'resource rules must supply at least one resource')
  }
}

function checkClusterRole(faults: FieldErrors, { rules, aggregationRule }: ClusterRole) {
  checkPolicies(faults, rules, false)
  if (aggregationRule === undefined) return
  const at = 'aggregationRule.clusterRoleSelectors'
  const selectors = aggregationRule.clusterRoleSelectors ?? []
  if (selectors.length === 0) {
    faults.required(at, 'at least one clusterRoleSelector required if aggregationRule is non-nil')
  }
  for (const [index, selector] of selectors.entries()) {
    checkLabelSelector(faults, `${at}[${index}]`, selector)
    if (!isReadableSelector(selector)) {
      faults.invalid(`${at}[${index}]`, null, 'invalid label selector.')
    }
  }
}

function checkBinding(
  faults: FieldErrors,
  { roleRef, subjects }: Binding,
  old: Binding | undefined,
  isNamespaced: boolean,
) {
  const { apiGroup = '', kind = '', name = '' } = roleRef ?? {}
  checkSupported(faults, 'roleRef.apiGroup', apiGroup, [GROUP])
  const kinds = isNamespaced ? ['Role', 'ClusterRole'] : ['ClusterRole']
  checkSupported(faults, 'roleRef.kind', kind, kinds)
  if (!name) faults.required('roleRef.name')
  else faults.invalidAll('roleRef.name', name, isPathSegmentName(name, false))
  for (const [index, subject] of (subjects ?? []).entries()) {
    checkSubject(faults, `subjects[${index}]`, subject, isNamespaced)
  }
  if (old && !sameValue(roleRef, old.roleRef)) {
    const shown = { APIGroup: apiGroup, Kind: kind, Name: name }
    faults.invalid('roleRef', shown, 'cannot change roleRef')
  }
}

function checkSubject(faults: FieldErrors, at: string, subject: Subject, isNamespaced: boolean) {
  const { kind = '', name = '', apiGroup = '', namespace } = subject
  if (!name) faults.required(`${at}.name`)
  switch (kind) {
    case 'ServiceAccount':
      if (name) faults.invalidAll(`${at}.name`, name, isDnsSubdomainName(name, false))
      if (apiGroup) faults.notSupported(`${at}.apiGroup`, apiGroup, [''])
      if (!isNamespaced && !namespace) faults.required(`${at}.namespace`)
      return
    case 'User':
    case 'Group':
      return checkSupported(faults, `${at}.apiGroup`, apiGroup, [GROUP])
    default:
      return faults.notSupported(`${at}.kind`, kind, ['ServiceAccount', 'User', 'Group'])
  }
}
