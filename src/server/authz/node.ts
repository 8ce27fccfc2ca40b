// What a node may: its own objects, and what the pods bound to it need (the Node authorizer).
//
// A stolen node certificate must expose nothing of other nodes. Secrets, ConfigMaps and tokens are
// therefore allowed by following the pods that are bound to the node, not by role; pods and nodes
// only with a selector that names the node (KEP-4601).

import type { UserInfo } from '../../api/resource.ts'
import type { Pod, PolicyRule } from '../../api/schema/generated/types.ts'
import type { Entry } from '../../store/store.ts'
import type { Follower } from '../objects/follow.ts'
import type { Access, AccessCheck, Decision, ResourceAccess } from './authorizer.ts'
import { referencesOf } from './pod-references.ts'
import { allows } from './rules.ts'

const USER_PREFIX = 'system:node:'
const GROUP = 'system:nodes'
const LEASE_NAMESPACE = 'kube-node-lease'
const READ_VERBS = ['get', 'list', 'watch']
const OWN_VERBS = ['get', 'create', 'update', 'patch', 'delete']

/** The name of the node that `user` is; undefined when it is none. */
export function nodeNameOf(user: UserInfo): string | undefined {
  const isNode = user.groups.includes(GROUP) && user.username.startsWith(USER_PREFIX)
  const name = user.username.slice(USER_PREFIX.length)
  return isNode && name !== '' ? name : undefined
}

export class NodeAuthorizer implements AccessCheck {
  readonly #graph: PodGraph
  readonly #rules: () => readonly PolicyRule[]

  /** `rules` are those of the role system:node: what holds beside the graph. */
  constructor(graph: PodGraph, rules: () => readonly PolicyRule[]) {
    this.#graph = graph
    this.#rules = rules
  }

  decide(access: Access): Decision {
    const node = nodeNameOf(access.user)
    if (node === undefined) return { allowed: false, reason: '' }
    const special = access.isResource ? this.#decideSpecial(node, access) : undefined
    if (special !== undefined) return special
    const allowed = this.#rules().some((rule) => allows(rule, access))
    return { allowed, reason: '' }
  }

  /** undefined: the role decides. */
  #decideSpecial(node: string, access: ResourceAccess & Access): Decision | undefined {
    const { group, resource } = access
    if (group === '') {
      switch (resource) {
        case 'secrets':
        case 'configmaps':
        case 'persistentvolumeclaims':
          return this.#decideReference(node, access)
        case 'serviceaccounts':
          return this.#decideToken(node, access)
        case 'pods':
          return this.#decidePod(node, access)
        case 'nodes':
          return decideNode(node, access)
      }
    }
    if (group === 'coordination.k8s.io' && resource === 'leases') return decideLease(node, access)
    return undefined
  }

  #decideReference(node: string, access: ResourceAccess & Access): Decision | undefined {
    const { verb, name, namespace, resource, subresource } = access
    // Claims also have a status, which the role covers.
    if (resource === 'persistentvolumeclaims' && subresource !== '') return undefined
    if (!READ_VERBS.includes(verb)) return no('can only read resources of this type')
    if (subresource !== '') return no('cannot read subresource')
    if (name === '') return no('No Object name found')
    if (this.#graph.isReferenced(node, `${resource}/${namespace}/${name}`)) return YES
    return no(`no relationship found between node '${node}' and this object`)
  }

  #decideToken(node: string, access: ResourceAccess & Access): Decision | undefined {
    const { verb, name, namespace, subresource } = access
    if (subresource !== 'token') return undefined
    if (verb !== 'create') return no('can only create tokens for individual service accounts')
    if (this.#graph.isReferenced(node, `serviceaccounts/${namespace}/${name}`)) return YES
    return no(`no relationship found between node '${node}' and this object`)
  }

  #decidePod(node: string, access: ResourceAccess & Access): Decision | undefined {
    const { verb, name, namespace, subresource, fieldSelector = '' } = access
    if (subresource !== '' || !READ_VERBS.includes(verb)) return undefined
    if (verb === 'get') {
      if (this.#graph.isBound(node, `${namespace}/${name}`)) return YES
      return no(`no relationship found between node '${node}' and this object`)
    }
    if (selects(fieldSelector, 'spec.nodeName', node)) return YES
    return no('can only list/watch pods with spec.nodeName field selector')
  }
}

function decideNode(node: string, access: ResourceAccess & Access): Decision | undefined {
  const { verb, name, subresource, fieldSelector = '' } = access
  if (subresource !== '' || !READ_VERBS.includes(verb)) return undefined
  if (name === node || selects(fieldSelector, 'metadata.name', node)) return YES
  return no(`node '${node}' cannot read '${name}', only its own Node object`)
}

function decideLease(node: string, access: ResourceAccess & Access): Decision {
  const { verb, namespace, name } = access
  if (namespace !== LEASE_NAMESPACE) {
    return no(`can only access leases in the "${LEASE_NAMESPACE}" system namespace`)
  }
  if (!OWN_VERBS.includes(verb)) {
    return no('can only get, create, update, patch, or delete a node lease')
  }
  if (verb === 'create' || name === node) return YES
  return no('can only access node lease with the same name as the requesting node')
}

function selects(fieldSelector: string, field: string, value: string): boolean {
  const terms = fieldSelector.split(',').map((term) => term.split(/==?/))
  return terms.some(([name, wanted]) => name === field && wanted === value)
}

const YES: Decision = { allowed: true, reason: '' }

function no(reason: string): Decision {
  return { allowed: false, reason }
}

/** Which pods are bound to which node, and what they read. Follows the store. */
export class PodGraph implements Follower {
  readonly folder = 'pods'
  readonly #pods = new Map<string, { node: string; references: readonly string[] }>()
  /** How many pods of a node read an object: `node object` to a count. */
  readonly #counts = new Map<string, number>()

  isReferenced(node: string, object: string): boolean {
    return this.#counts.has(`${node} ${object}`)
  }

  /** `pod` as namespace/name. */
  isBound(node: string, pod: string): boolean {
    return this.#pods.get(`${this.folder}/${pod}`)?.node === node
  }

  reset(): void {
    this.#pods.clear()
    this.#counts.clear()
  }

  put({ key, value }: Entry): void {
    const pod: Pod = JSON.parse(value)
    this.#remove(key)
    const node = pod.spec?.nodeName
    if (!node || pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined) return
    const references = referencesOf(pod)
    this.#pods.set(key, { node, references })
    for (const object of references) this.#count(`${node} ${object}`, 1)
  }

  remove({ key }: Entry): void {
    this.#remove(key)
  }

  #remove(key: string): void {
    const known = this.#pods.get(key)
    if (known === undefined) return
    this.#pods.delete(key)
    for (const object of known.references) this.#count(`${known.node} ${object}`, -1)
  }

  #count(edge: string, change: 1 | -1): void {
    const count = (this.#counts.get(edge) ?? 0) + change
    if (count === 0) this.#counts.delete(edge)
    else this.#counts.set(edge, count)
  }
}
