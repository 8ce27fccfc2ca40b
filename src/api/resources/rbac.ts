// Roles and bindings (rbac.authorization.k8s.io).

import type {
  ClusterRole,
  ClusterRoleBinding,
  Role,
  RoleBinding,
  Subject,
} from '../generated/types.ts'
import { isPathSegmentName } from '../names.ts'
import { type Column, defineResource } from '../resource.ts'
import { ageColumn } from './cells.ts'

const common = {
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  nameRule: isPathSegmentName,
  createOnUpdate: true,
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
})

export const clusterRoles = defineResource<ClusterRole>({
  ...common,
  kind: 'ClusterRole',
  plural: 'clusterroles',
  type: 'io.k8s.api.rbac.v1.ClusterRole',
  scope: 'Cluster',
})

export const roleBindings = defineResource<RoleBinding>({
  ...common,
  kind: 'RoleBinding',
  plural: 'rolebindings',
  type: 'io.k8s.api.rbac.v1.RoleBinding',
  defaults: setGroups,
  columns: bindingColumns,
})

export const clusterRoleBindings = defineResource<ClusterRoleBinding>({
  ...common,
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  type: 'io.k8s.api.rbac.v1.ClusterRoleBinding',
  scope: 'Cluster',
  defaults: setGroups,
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
