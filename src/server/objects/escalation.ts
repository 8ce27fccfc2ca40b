// Nobody hands on rights that they do not have (pkg/registry/rbac): who writes a role must hold its
// rules, or the verb `escalate`; who writes a binding must hold those of the role, or `bind`.

import type { AnyObject } from '../../api/object.ts'
import { equalJson } from '../../api/patch/value.ts'
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
} from '../../api/schema/generated/types.ts'
import { forbidden, notFound } from '../../api/status.ts'
import type { Authorizer } from '../authz/authorizer.ts'
import type { Rbac } from '../authz/rbac.ts'
import { describeRule, uncovered } from '../authz/rules.ts'
import type { AdmittedResource } from '../request/admitted.ts'
import type { KindHooks, Undo } from './hooks.ts'

const GROUP = 'rbac.authorization.k8s.io'
const MASTERS = 'system:masters'
const EVERYTHING: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
]

type AnyRole = Role & Pick<ClusterRole, 'aggregationRule'>
type AnyBinding = RoleBinding | ClusterRoleBinding

/** Nothing is held for these writes. */
const nothing: Undo = () => {}

/** Who knows what rights somebody has. */
type Rights = { rbac: Rbac; authorizer: Authorizer }
type Asked = AdmittedResource & { rights: Rights }

/** For Roles and ClusterRoles. */
export function roleHooks(rights: Rights): KindHooks {
  return {
    beginCreate(request, object) {
      checkRole({ ...request, rights }, object as unknown as AnyRole, undefined)
      return nothing
    },
    beginUpdate(request, object, old) {
      const [role, before] = [object, old] as unknown as [AnyRole, AnyRole]
      checkRole({ ...request, rights }, role, before)
      return nothing
    },
  }
}

/** For RoleBindings and ClusterRoleBindings. */
export function bindingHooks(rights: Rights): KindHooks {
  return {
    beginCreate(request, object) {
      checkBinding({ ...request, rights }, object as unknown as AnyBinding)
      return nothing
    },
    beginUpdate(request, object, old) {
      if (grantsTheSame(object, old)) return nothing
      checkBinding({ ...request, rights }, object as unknown as AnyBinding)
      return nothing
    },
  }
}

function checkRole(request: Asked, role: AnyRole, old: AnyRole | undefined): void {
  const isSame =
    old !== undefined &&
    equalJson(role.rules ?? [], old.rules ?? []) &&
    equalJson(role.aggregationRule, old.aggregationRule)
  const name = role.metadata.name ?? ''
  const { plural } = request.row
  if (isSame || mayDoAnything(request) || mayOnRole(request, 'escalate', plural, name)) return
  if (role.aggregationRule && missing(request, '', EVERYTHING).length > 0) {
    const why = 'must have cluster-admin privileges to use the aggregationRule'
    throw forbidden(request.row, name, why)
  }
  refuseMissing(request, name, missing(request, request.info.namespace, role.rules ?? []))
}

function checkBinding(request: Asked, binding: AnyBinding): void {
  const { kind, name } = binding.roleRef
  const plural = kind === 'ClusterRole' ? 'clusterroles' : 'roles'
  if (mayDoAnything(request) || mayOnRole(request, 'bind', plural, name)) return
  const { namespace } = request.info
  const rules = request.rights.rbac.roleRules(kind, namespace, name)
  // Upstream names the binding's kind, not that of the role which is missing.
  if (rules === undefined) throw notFound(request.row, name)
  refuseMissing(request, binding.metadata.name ?? '', missing(request, namespace, rules))
}

function grantsTheSame(object: AnyObject, old: AnyObject): boolean {
  return equalJson(object.roleRef, old.roleRef) && equalJson(object.subjects, old.subjects)
}

function mayDoAnything({ user }: Asked): boolean {
  return user.groups.includes(MASTERS)
}

function mayOnRole(
  { rights, user, info }: Asked,
  verb: string,
  resource: string,
  name: string,
): boolean {
  return rights.authorizer.decide({
    user,
    verb,
    isResource: true,
    group: GROUP,
    version: 'v1',
    resource,
    subresource: '',
    namespace: info.namespace,
    name,
  }).allowed
}

function missing(
  { rights: held, user }: Asked,
  namespace: string,
  rules: readonly PolicyRule[],
): PolicyRule[] {
  return uncovered(held.rbac.rulesFor(user, namespace), rules)
}

function refuseMissing(request: Asked, name: string, rights: PolicyRule[]): void {
  if (rights.length === 0) return
  const { username, groups } = request.user
  const who = `user ${JSON.stringify(username)} (groups=${goList(groups)})`
  const lines = [...new Set(compact(rights).map(describeRule))].sort().join('\n')
  const why = `is attempting to grant RBAC permissions not currently held:\n${lines}`
  throw forbidden(request.row, name, `${who} ${why}`)
}

/** Verbs on the same things together, as upstream's messages show them. */
function compact(rights: readonly PolicyRule[]): PolicyRule[] {
  const byObject = Map.groupBy(rights, ({ verbs: _verbs, ...rest }) => JSON.stringify(rest))
  return [...byObject.values()].map((same) => ({
    ...same[0]!,
    verbs: [...new Set(same.flatMap(({ verbs }) => verbs))],
  }))
}

const goList = (items: readonly string[]) =>
  `[${items.map((item) => JSON.stringify(item)).join(' ')}]`
