// What a node may: its own objects, and what the pods bound to it need (the Node authorizer).
//
// A stolen node certificate must expose nothing of other nodes. Secrets, ConfigMaps and tokens are
// therefore allowed by following the pods that are bound to the node, not by role; pods only with a
// selector that names the node (KEP-4601), and of Nodes its own alone.

import { parseFieldSelector } from '../../api/field-selector.ts'
import type { UserInfo } from '../../api/resource.ts'
import type { Pod, PolicyRule } from '../../api/schema/generated/types.ts'
import { SelectorError } from '../../api/selector.ts'
import type { Entry } from '../../store/store.ts'
import type { StoreIndex } from '../storage/store-feed.ts'
import type { Access, AccessCheck, Decision, ResourceAccess } from './authorizer.ts'
import { referencesOf } from './pod-references.ts'
import { allows } from './rules.ts'
import type { VolumeGraph } from './volume-graph.ts'

const USER_PREFIX = 'system:node:'
const GROUP = 'system:nodes'
const LEASE_NAMESPACE = 'kube-node-lease'
const READ_VERBS = ['get', 'list', 'watch']
const OWN_VERBS = ['get', 'create', 'update', 'patch', 'delete']

/**
 * The name of the node that `user` is; undefined when it is none. Empty for who is of the nodes and
 * does not say which: such a one may nothing.
 */
export function nodeNameOf({ username, groups }: UserInfo): string | undefined {
  if (!username.startsWith(USER_PREFIX) || !groups.includes(GROUP)) return undefined
  return username.slice(USER_PREFIX.length)
}

export class NodeAuthorizer implements AccessCheck {
  readonly type = 'Node'
  readonly #graph: PodGraph
  readonly #volumes: VolumeGraph
  readonly #rules: () => readonly PolicyRule[]

  /** `rules` are those of the roles of nodes: what holds beside the graphs. */
  constructor(graph: PodGraph, volumes: VolumeGraph, rules: () => readonly PolicyRule[]) {
    this.#graph = graph
    this.#volumes = volumes
    this.#rules = rules
  }

  decide(access: Access): Decision {
    const node = nodeNameOf(access.user)
    if (node === undefined) return { allowed: false, reason: '' }
    if (node === '') return no(`unknown node for user ${JSON.stringify(access.user.username)}`)
    const special = access.isResource ? this.#decideSpecial(node, access) : undefined
    if (special !== undefined) return special
    const allowed = this.#rules().some((rule) => allows(rule, access))
    return { allowed, reason: '' }
  }

  /** undefined: the roles decide. */
  #decideSpecial(node: string, access: ResourceAccess & Access): Decision | undefined {
    const { group, resource } = access
    if (group === '') {
      switch (resource) {
        case 'secrets':
        case 'configmaps':
          return this.#decideRead(node, access)
        case 'persistentvolumeclaims':
          return this.#decideClaim(node, access)
        case 'persistentvolumes':
          return this.#decideGet(node, access)
        case 'serviceaccounts':
          return this.#decideAccount(node, access)
        case 'pods':
          return this.#decidePod(node, access)
        case 'nodes':
          return decideNode(node, access)
      }
    }
    if (group === 'coordination.k8s.io' && resource === 'leases') return decideLease(node, access)
    return undefined
  }

  #decideRead(node: string, access: ResourceAccess & Access): Decision {
    const { verb, namespace, subresource } = access
    if (!READ_VERBS.includes(verb)) return no('can only read resources of this type')
    if (subresource !== '') return no('cannot read subresource')
    if (namespace === '') return no('can only read namespaced object of this type')
    return this.#decideRelated(node, access)
  }

  #decideClaim(node: string, access: ResourceAccess & Access): Decision {
    if (access.subresource !== 'status') return this.#decideGet(node, access)
    if (access.verb !== 'update' && access.verb !== 'patch') {
      return no('can only get/update/patch this type')
    }
    return this.#decideRelated(node, access)
  }

  #decideGet(node: string, access: ResourceAccess & Access): Decision {
    if (access.verb !== 'get') return no('can only get individual resources of this type')
    if (access.subresource !== '') return no('cannot get subresource')
    return this.#decideRelated(node, access)
  }

  #decideRelated(node: string, { resource, namespace, name }: ResourceAccess): Decision {
    if (name === '') return no('No Object name found')
    if (resource === 'pods') {
      return this.#graph.isBound(node, `${namespace}/${name}`) ? YES : no(unrelated(node))
    }
    const object =
      resource === 'persistentvolumes'
        ? this.#volumes.claimOf(name)
        : `${resource}/${namespace}/${name}`
    const isRelated = object !== undefined && this.#graph.isReferenced(node, object)
    return isRelated ? YES : no(unrelated(node))
  }

  #decideAccount(node: string, access: ResourceAccess & Access): Decision {
    const { verb, name, subresource } = access
    if (verb === 'get' && subresource === '') return this.#decideRead(node, access)
    if (verb !== 'create' || name === '') {
      return no('can only create tokens for individual service accounts')
    }
    if (subresource !== 'token') return no('can only create token subresource of serviceaccount')
    return this.#decideRelated(node, access)
  }

  /** What a node writes of its pods is for the plug-in NodeRestriction to judge. */
  #decidePod(node: string, access: ResourceAccess & Access): Decision {
    const { verb, name, subresource, fieldSelector = '' } = access
    switch (subresource === '' ? verb : `${subresource} ${verb}`) {
      case 'get':
        return this.#decideGet(node, access)
      case 'list':
      case 'watch':
        if (requires(fieldSelector, 'spec.nodeName', node)) return YES
        if (name !== '') return this.#decideRelated(node, access)
        return no('can only list/watch pods with spec.nodeName field selector')
      case 'create':
      case 'delete':
      case 'status update':
      case 'status patch':
      case 'eviction create':
        return YES
      default:
        return no('')
    }
  }
}

/** A node sees no other: what it must know of them it is told at a path of its own. */
function decideNode(node: string, access: ResourceAccess & Access): Decision {
  const { verb, name, subresource } = access
  switch (subresource === '' ? verb : `${subresource} ${verb}`) {
    case 'create':
    case 'update':
    case 'patch':
    case 'status update':
    case 'status patch':
      return YES
    case 'get':
    case 'list':
    case 'watch': {
      if (name === node) return YES
      const which = name === '' ? 'all nodes' : `'${name}'`
      return no(`node '${node}' cannot read ${which}, only its own Node object`)
    }
    default:
      return no('')
  }
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

/** Nothing but objects with this value can be selected. */
function requires(fieldSelector: string, field: string, value: string): boolean {
  try {
    const terms = parseFieldSelector(fieldSelector)
    return terms.some((term) => {
      return term.field === field && term.operator === '=' && term.value === value
    })
  } catch (error) {
    if (error instanceof SelectorError) return false
    throw error
  }
}

function unrelated(node: string): string {
  return `no relationship found between node '${node}' and this object`
}

const YES: Decision = { allowed: true, reason: '' }

function no(reason: string): Decision {
  return { allowed: false, reason }
}

/** Which pods are bound to which node, and what they read. Follows the store. */
export class PodGraph implements StoreIndex {
  readonly storagePrefix = 'pods'
  readonly #pods = new Map<string, { node: string; references: readonly string[] }>()
  /** How many pods of a node read an object: `node object` to a count. */
  readonly #counts = new Map<string, number>()

  isReferenced(node: string, object: string): boolean {
    return this.#counts.has(`${node} ${object}`)
  }

  /** `pod` as namespace/name. */
  isBound(node: string, pod: string): boolean {
    return this.#pods.get(`${this.storagePrefix}/${pod}`)?.node === node
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
