// What a node may write, beyond what it may reach: itself, its own pods, its own lease.
// (upstream plugin NodeRestriction)

import type { Lease, Node, Pod } from '../../../api/schema/generated/types.ts'
import { nodeNameOf } from '../../authz/node.ts'
import type { KindCache } from '../../objects/reader.ts'
import { type AdmissionPlugin, type Attributes, refused } from '../chain.ts'

const MIRROR = 'kubernetes.io/config.mirror'
const LEASE_NAMESPACE = 'kube-node-lease'
/** Labels under Kubernetes' own names that a kubelet may set on its node. */
const OWN_LABELS = [
  ...['kubernetes.io/hostname', 'kubernetes.io/os', 'kubernetes.io/arch'],
  ...['beta.kubernetes.io/os', 'beta.kubernetes.io/arch', 'beta.kubernetes.io/instance-type'],
  ...['node.kubernetes.io/instance-type', 'topology.kubernetes.io/zone'],
  ...['topology.kubernetes.io/region', 'failure-domain.beta.kubernetes.io/zone'],
  'failure-domain.beta.kubernetes.io/region',
]
const OWN_PREFIXES = ['kubelet.kubernetes.io', 'node.kubernetes.io']
const RESTRICTED_PREFIX = 'node-restriction.kubernetes.io'

export function nodeRestriction(pods: KindCache<Pod>): AdmissionPlugin {
  return {
    name: 'NodeRestriction',
    admit(attributes) {
      const node = nodeNameOf(attributes.request.user)
      if (node === undefined) return
      const { group, plural } = attributes.request.row
      if (group === '' && plural === 'nodes') checkNode(attributes, node)
      if (group === '' && plural === 'pods') checkPod(attributes, node, pods)
      if (group === '' && plural === 'serviceaccounts') checkToken(attributes, node, pods)
      if (group === 'coordination.k8s.io' && plural === 'leases') checkLease(attributes, node)
    },
  }
}

function checkNode(attributes: Attributes, node: string): void {
  const { operation, object, old, name } = attributes
  const target = name || object?.metadata.name || ''
  if (target !== node) {
    throw refused(
      attributes,
      `node ${quoted(node)} is not allowed to modify node ${quoted(target)}`,
    )
  }
  if (operation === 'CREATE') checkLabels(attributes, node, {}, object as unknown as Node)
  if (operation !== 'UPDATE') return
  const before = old as unknown as Node
  const after = object as unknown as Node
  const deny = (what: string) =>
    refused(attributes, `node ${quoted(node)} is not allowed to ${what}`)
  if (!Bun.deepEquals(before.spec?.taints ?? [], after.spec?.taints ?? []))
    throw deny('modify taints')
  const owners = (one: Node) => one.metadata.ownerReferences ?? []
  if (!Bun.deepEquals(owners(before), owners(after))) throw deny('modify ownerReferences')
  checkLabels(attributes, node, before.metadata.labels ?? {}, after)
}

function checkLabels(
  attributes: Attributes,
  node: string,
  before: Record<string, string>,
  { metadata: { labels = {} } }: Node,
): void {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(labels)])]
  const changed = keys.filter((key) => before[key] !== labels[key] && isForbiddenLabel(key))
  if (changed.length === 0) return
  const list = changed.sort().join(', ')
  const what = attributes.operation === 'CREATE' ? 'set' : 'modify'
  throw refused(attributes, `node ${quoted(node)} is not allowed to ${what} labels: ${list}`)
}

function isForbiddenLabel(key: string): boolean {
  const prefix = key.includes('/') ? key.slice(0, key.indexOf('/')) : ''
  const isUnder = (domain: string) => prefix === domain || prefix.endsWith(`.${domain}`)
  if (isUnder(RESTRICTED_PREFIX)) return true
  if (!isUnder('kubernetes.io') && !isUnder('k8s.io')) return false
  return !OWN_LABELS.includes(key) && !OWN_PREFIXES.some(isUnder)
}

function checkPod(attributes: Attributes, node: string, pods: KindCache<Pod>): void {
  const { operation, subresource, object, old, namespace, name } = attributes
  const deny = (what: string) => refused(attributes, `node ${quoted(node)} ${what}`)
  if (subresource === 'eviction') {
    const pod = pods.get({ namespace, name })
    if (pod && pod.spec?.nodeName !== node) {
      throw deny('can only evict pods with spec.nodeName set to itself')
    }
  } else if (subresource === 'status') {
    const [before, after] = [old, object] as unknown as [Pod, Pod]
    if (before.spec?.nodeName !== node) {
      throw deny('can only update pod status for pods with spec.nodeName set to itself')
    }
    if (!Bun.deepEquals(before.metadata.labels ?? {}, after.metadata.labels ?? {})) {
      throw deny('cannot update labels through pod status')
    }
  } else if (subresource === '' && operation === 'CREATE') checkMirror(attributes, node)
  else if (subresource === '' && operation === 'DELETE') {
    const pod = pods.get({ namespace, name })
    if (pod && pod.spec?.nodeName !== node) {
      throw deny('can only delete pods with spec.nodeName set to itself')
    }
  } else throw deny(`is not allowed to ${operation.toLowerCase()} pods`)
}

function checkMirror(attributes: Attributes, node: string): void {
  const pod = attributes.object as unknown as Pod
  const deny = (what: string) => refused(attributes, what)
  if (pod.metadata.annotations?.[MIRROR] === undefined) {
    const lack = `pod does not have "${MIRROR}" annotation`
    throw deny(`${lack}, node ${quoted(node)} can only create mirror pods`)
  }
  if (pod.spec?.nodeName !== node) {
    throw deny(`node ${quoted(node)} can only create pods with spec.nodeName set to itself`)
  }
  const [owner, ...others] = pod.metadata.ownerReferences ?? []
  const isOwn = owner?.kind === 'Node' && owner.apiVersion === 'v1' && owner.name === node
  if (!isOwn || others.length > 0 || owner.blockOwnerDeletion) {
    throw deny(`node ${quoted(node)} can only create pods with an owner reference set to itself`)
  }
  const reads = (pod.spec.volumes ?? []).some(
    ({ secret, configMap, projected, persistentVolumeClaim }) =>
      secret || configMap || projected || persistentVolumeClaim,
  )
  if (pod.spec.serviceAccountName || reads) {
    throw deny(`node ${quoted(node)} can not create pods that reference objects of the API`)
  }
}

type TokenRequestLike = {
  spec?: { boundObjectRef?: { kind?: string; name?: string; uid?: string; apiVersion?: string } }
}

function checkToken(attributes: Attributes, node: string, pods: KindCache<Pod>): void {
  if (attributes.subresource !== 'token' || attributes.operation !== 'CREATE') return
  const deny = (what: string) => refused(attributes, what)
  const bound = (attributes.object as unknown as TokenRequestLike).spec?.boundObjectRef
  if (bound?.kind !== 'Pod' || bound.apiVersion !== 'v1' || !bound.name) {
    throw deny('node requested token not bound to a pod')
  }
  if (!bound.uid) throw deny('node requested token with a pod binding without a uid')
  const pod = pods.get({ namespace: attributes.namespace, name: bound.name })
  if (pod === undefined) throw deny('node requested token bound to a pod that does not exist')
  if (pod.metadata.uid !== bound.uid) {
    throw deny(
      `the UID in the bound object reference (${bound.uid}) does not match the UID in record. ` +
        'The object might have been deleted and then recreated',
    )
  }
  if (pod.spec?.nodeName !== node) {
    throw deny('node requested token bound to a pod scheduled on a different node')
  }
}

function checkLease(attributes: Attributes, node: string): void {
  const { namespace, name, object } = attributes
  if (namespace !== LEASE_NAMESPACE) {
    throw refused(attributes, `can only access leases in the "${LEASE_NAMESPACE}" system namespace`)
  }
  const target = name || (object as unknown as Lease | undefined)?.metadata.name
  if (target !== node) {
    const why = 'can only access node lease with the same name as the requesting node'
    throw refused(attributes, why)
  }
}

function quoted(text: string): string {
  return JSON.stringify(text)
}
