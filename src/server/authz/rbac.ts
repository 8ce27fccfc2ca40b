// Rights by roles and bindings (rbac.authorization.k8s.io), indexed by subject.
//
// The index follows the store, so a decision reads no object: a few map look-ups and the rules of
// the roles that the user is bound to.

import type { KubeObject } from '../../api/object.ts'
import type { UserInfo } from '../../api/resource.ts'
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
} from '../../api/schema/generated/types.ts'
import type { Entry } from '../../store/store.ts'
import type { StoreIndex } from '../storage/store-feed.ts'
import type { Access, AccessCheck, Decision } from './authorizer.ts'
import { allows } from './rules.ts'

type AnyRole = Role | ClusterRole
type AnyBinding = RoleBinding | ClusterRoleBinding
type Subject = NonNullable<AnyBinding['subjects']>[number]

/** A binding as one of its subjects finds it. */
type Bound = { binding: AnyBinding; subject: Subject; roleKey: string }

/** By namespace, then by subject, then by key of the binding. */
type Index = Map<string, Map<string, Map<string, Bound>>>

/** Bindings of a namespace, or of the whole cluster under the empty one. */
const CLUSTER = ''

export class Rbac implements AccessCheck {
  readonly type = 'RBAC'
  readonly #roles = new Map<string, AnyRole>()
  readonly #bindings: Index = new Map()

  /** To be given the store's changes. */
  readonly indexes: readonly StoreIndex[] = [
    new RoleIndex('roles', this.#roles),
    new RoleIndex('clusterroles', this.#roles),
    new BindingIndex('rolebindings', this.#bindings),
    new BindingIndex('clusterrolebindings', this.#bindings),
  ]

  decide(access: Access): Decision {
    const missing: string[] = []
    for (const bound of this.#bound(access.user, access.isResource ? access.namespace : CLUSTER)) {
      const rules = this.#rulesAt(bound.roleKey)
      if (rules === undefined) missing.push(missingRole(bound.binding))
      else if (rules.some((rule) => allows(rule, access))) {
        return allowedBy(bound)
      }
    }
    const reason = missing.length === 0 ? '' : `RBAC: ${aggregate(missing)}`
    return { allowed: false, reason }
  }

  /** Every rule that holds for `user` in `namespace`, those of the cluster included. */
  rulesFor(user: UserInfo, namespace: string): PolicyRule[] {
    return this.#bound(user, namespace).flatMap((bound) => this.#rulesAt(bound.roleKey) ?? [])
  }

  /** The rules of a role; undefined when there is no such role. */
  roleRules(kind: string, namespace: string, name: string): readonly PolicyRule[] | undefined {
    return this.#rulesAt(roleKey(kind, namespace, name))
  }

  #rulesAt(key: string): readonly PolicyRule[] | undefined {
    const role = this.#roles.get(key)
    return role === undefined ? undefined : (role.rules ?? [])
  }

  /** Those of the whole cluster first. */
  #bound(user: UserInfo, namespace: string): Bound[] {
    const found: Bound[] = []
    const keys = subjectKeys(user)
    for (const scope of namespace === CLUSTER ? [CLUSTER] : [CLUSTER, namespace]) {
      const bySubject = this.#bindings.get(scope)
      if (bySubject === undefined) continue
      for (const key of keys) {
        const bound = bySubject.get(key)
        if (bound !== undefined) found.push(...bound.values())
      }
    }
    return found
  }
}

function roleKey(kind: string, namespace: string, name: string): string {
  return kind === 'ClusterRole' ? `clusterroles/${name}` : `roles/${namespace}/${name}`
}

class RoleIndex implements StoreIndex {
  readonly storagePrefix: string
  readonly #roles: Map<string, AnyRole>

  constructor(storagePrefix: string, roles: Map<string, AnyRole>) {
    this.storagePrefix = storagePrefix
    this.#roles = roles
  }

  reset(): void {
    for (const key of this.#roles.keys()) {
      if (key.startsWith(`${this.storagePrefix}/`)) this.#roles.delete(key)
    }
  }

  put({ key, value }: Entry): void {
    this.#roles.set(key, JSON.parse(value))
  }

  remove({ key }: Entry): void {
    this.#roles.delete(key)
  }
}

class BindingIndex implements StoreIndex {
  readonly storagePrefix: string
  readonly #index: Index
  readonly #known = new Map<string, AnyBinding>()

  constructor(storagePrefix: string, index: Index) {
    this.storagePrefix = storagePrefix
    this.#index = index
  }

  reset(): void {
    for (const key of [...this.#known.keys()]) this.#remove(key)
  }

  put({ key, value }: Entry): void {
    this.#remove(key)
    const binding: AnyBinding = JSON.parse(value)
    this.#known.set(key, binding)
    const scope = scopeOf(binding)
    const bySubject = this.#index.get(scope) ?? new Map<string, Map<string, Bound>>()
    this.#index.set(scope, bySubject)
    const { kind, name } = binding.roleRef
    for (const subject of subjectsOf(binding)) {
      const bindings = bySubject.get(subjectKey(subject)) ?? new Map<string, Bound>()
      bySubject.set(subjectKey(subject), bindings)
      // Named twice, the first counts: decisions quote it.
      const bound = { binding, subject, roleKey: roleKey(kind, scope, name) }
      if (!bindings.has(key)) bindings.set(key, bound)
    }
  }

  remove({ key }: Entry): void {
    this.#remove(key)
  }

  #remove(key: string): void {
    const binding = this.#known.get(key)
    if (binding === undefined) return
    this.#known.delete(key)
    const bySubject = this.#index.get(scopeOf(binding))
    for (const subject of subjectsOf(binding)) {
      const bindings = bySubject?.get(subjectKey(subject))
      bindings?.delete(key)
      if (bindings?.size === 0) bySubject?.delete(subjectKey(subject))
    }
    if (bySubject?.size === 0) this.#index.delete(scopeOf(binding))
  }
}

function scopeOf(object: KubeObject): string {
  return object.metadata.namespace ?? CLUSTER
}

/** A service account that names no namespace is one of the binding's own. */
function subjectsOf(binding: AnyBinding): Subject[] {
  const namespace = binding.metadata.namespace
  return (binding.subjects ?? []).map((subject) =>
    subject.kind === 'ServiceAccount' && !subject.namespace && namespace
      ? { ...subject, namespace }
      : subject,
  )
}

function subjectKey({ kind, name, namespace }: Subject): string {
  if (kind === 'ServiceAccount') return `User/system:serviceaccount:${namespace ?? ''}:${name}`
  return `${kind}/${name}`
}

function subjectKeys({ username, groups }: UserInfo): string[] {
  return [`User/${username}`, ...groups.map((group) => `Group/${group}`)]
}

function missingRole({ roleRef: { kind, name } }: AnyBinding): string {
  return `${kind.toLowerCase()}.rbac.authorization.k8s.io ${JSON.stringify(name)} not found`
}

/** As apimachinery's aggregated errors print: one plain, several in brackets, none twice. */
function aggregate(texts: readonly string[]): string {
  const distinct = [...new Set(texts)]
  return distinct.length === 1 ? distinct[0]! : `[${distinct.join(', ')}]`
}

/** Only reviews ask why: for every other request the text would be made for nothing. */
function allowedBy(bound: Bound): Decision {
  return {
    allowed: true,
    get reason() {
      return describe(bound)
    },
  }
}

function describe({ binding, subject }: Bound): string {
  const { kind, name, namespace } = subject
  const who = kind === 'ServiceAccount' ? `${name}/${namespace}` : name
  const isCluster = binding.metadata.namespace === undefined
  const at = isCluster ? '' : `/${binding.metadata.namespace}`
  const bindingKind = isCluster ? 'ClusterRoleBinding' : 'RoleBinding'
  const role = `${binding.roleRef.kind} ${JSON.stringify(binding.roleRef.name)}`
  const bound = `${bindingKind} ${JSON.stringify(`${binding.metadata.name}${at}`)}`
  return `RBAC: allowed by ${bound} of ${role} to ${kind} ${JSON.stringify(who)}`
}
