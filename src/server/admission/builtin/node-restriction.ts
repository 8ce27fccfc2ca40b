// What a node may write, beyond what it may reach: itself, its own pods, its own lease.
// (upstream plugin NodeRestriction)

import { equalJson } from '../../../api/patch/value.ts'
import type {
  CertificateSigningRequest,
  Lease,
  Node,
  Pod,
} from '../../../api/schema/generated/types.ts'
import { notFound } from '../../../api/status.ts'
import { describeError } from '../../../lib/log.ts'
import { readCsr } from '../../../pki/csr.ts'
import { SIGNER } from '../../../pki/signer.ts'
import type { Access } from '../../authz/authorizer.ts'
import { nodeNameOf } from '../../authz/node.ts'
import { apiReferenceOf } from '../../authz/pod-references.ts'
import type { KindCache } from '../../storage/reader.ts'
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

export type NodeRestrictionDeps = {
  /** Of service account tokens; also the audience of a pod that names none. */
  issuer: string
  pods: KindCache<Pod>
  nodes: KindCache<Node>
  /** Asked for what no rule here allows: an audience that the pod does not name. */
  mayDo: (access: Access) => boolean
}

export function nodeRestriction(deps: NodeRestrictionDeps): AdmissionPlugin {
  return {
    name: 'NodeRestriction',
    admit(attributes) {
      const { user, row } = attributes.request
      const node = nodeNameOf(user)
      if (node === undefined || attributes.operation === 'CONNECT') return
      if (node === '') {
        throw refused(attributes, `could not determine node from user ${quoted(user.username)}`)
      }
      switch (row.group === '' ? row.plural : `${row.plural}.${row.group}`) {
        case 'nodes':
          return checkNode(attributes, node)
        case 'pods':
          return checkPod(attributes, node, deps)
        case 'serviceaccounts':
          return checkToken(attributes, node, deps)
        case 'leases.coordination.k8s.io':
          return checkLease(attributes, node)
        case 'certificatesigningrequests.certificates.k8s.io':
          return checkRequest(attributes, node)
      }
    },
  }
}

function checkNode(attributes: Attributes, node: string): void {
  const { operation, object, old, name } = attributes
  const target = name || object?.metadata.name || ''
  if (target !== node) {
    const why = `node ${quoted(node)} is not allowed to modify node ${quoted(target)}`
    throw refused(attributes, why)
  }
  if (operation === 'CREATE') checkNewNode(attributes, node)
  if (operation === 'UPDATE') checkNodeChange(attributes, node, old as unknown as Node)
}

/** Upstream leaves the owners and the pod ranges of a new Node to its creator; see the README. */
function checkNewNode(attributes: Attributes, node: string): void {
  const { metadata, spec = {} } = attributes.object as unknown as Node
  const deny = (what: string) =>
    refused(attributes, `node ${quoted(node)} is not allowed to ${what}`)
  if (spec.configSource != null) throw deny('create pods with a non-nil configSource')
  const labels = forbiddenLabels({}, metadata.labels ?? {})
  if (labels.length > 0) throw deny(`set the following labels: ${labels.join(', ')}`)
  if (metadata.ownerReferences?.length) throw deny('set ownerReferences')
  if (spec.podCIDR || spec.podCIDRs?.length) throw deny('set podCIDRs')
}

function checkNodeChange(attributes: Attributes, node: string, before: Node): void {
  const after = attributes.object as unknown as Node
  const deny = (what: string) =>
    refused(attributes, `node ${quoted(node)} is not allowed to ${what}`)
  const differs = (read: (one: Node) => unknown) => !equalJson(read(before), read(after))
  if (after.spec?.configSource != null && differs(({ spec }) => spec?.configSource)) {
    throw deny('update configSource to a new non-nil configSource')
  }
  if (differs(({ spec }) => spec?.taints ?? [])) throw deny('modify taints')
  if (differs(({ metadata }) => metadata.ownerReferences ?? [])) {
    throw deny('modify ownerReferences')
  }
  // Only an administrator's word on ranges counts; that one may give them where none are yet.
  if (differs(({ spec }) => [spec?.podCIDR ?? '', spec?.podCIDRs ?? []])) {
    throw deny('modify podCIDRs')
  }
  const labels = forbiddenLabels(before.metadata.labels ?? {}, after.metadata.labels ?? {})
  if (labels.length === 0) return
  throw refused(attributes, `is not allowed to modify labels: ${labels.join(', ')}`)
}

/** The labels that differ and are not for a node to say, sorted. */
function forbiddenLabels(before: Record<string, string>, after: Record<string, string>): string[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)])
  const differs = (key: string) =>
    Object.hasOwn(before, key) !== Object.hasOwn(after, key) || before[key] !== after[key]
  return [...keys].filter((key) => differs(key) && isForbiddenLabel(key)).sort()
}

function isForbiddenLabel(key: string): boolean {
  const prefix = key.includes('/') ? key.slice(0, key.indexOf('/')) : ''
  const isUnder = (domain: string) => prefix === domain || prefix.endsWith(`.${domain}`)
  if (isUnder(RESTRICTED_PREFIX)) return true
  if (!isUnder('kubernetes.io') && !isUnder('k8s.io')) return false
  return !OWN_LABELS.includes(key) && !OWN_PREFIXES.some(isUnder)
}

function checkPod(attributes: Attributes, node: string, deps: NodeRestrictionDeps): void {
  const { operation, subresource } = attributes
  switch (subresource) {
    case '':
      if (operation === 'CREATE') return checkMirror(attributes, node, deps)
      if (operation === 'DELETE') return checkOwnPod(attributes, node, deps, 'delete')
      throw refused(
        attributes,
        `unexpected operation ${quoted(operation)}, ` +
          `node ${quoted(node)} can only create and delete mirror pods`,
      )
    case 'status':
      if (operation === 'UPDATE') return checkPodStatus(attributes, node)
      throw refused(attributes, `unexpected operation ${quoted(operation)}`)
    case 'eviction':
      if (operation === 'CREATE') return checkOwnPod(attributes, node, deps, 'evict')
      throw refused(attributes, `unexpected operation ${operation}`)
    default: {
      const only = "only 'status' and 'eviction' are allowed"
      throw refused(attributes, `unexpected pod subresource ${quoted(subresource)}, ${only}`)
    }
  }
}

function checkOwnPod(
  attributes: Attributes,
  node: string,
  { pods }: NodeRestrictionDeps,
  what: 'delete' | 'evict',
): void {
  const { namespace, name } = attributes
  // One that is not there is for the verb to answer.
  const pod = pods.get({ namespace, name })
  if (pod === undefined || pod.spec?.nodeName === node) return
  const who = what === 'evict' ? node : quoted(node)
  const why = `node ${who} can only ${what} pods with spec.nodeName set to itself`
  throw refused(attributes, why)
}

function checkPodStatus(attributes: Attributes, node: string): void {
  const [before, after] = [attributes.old, attributes.object] as unknown as [Pod, Pod]
  const deny = (what: string) => refused(attributes, `node ${quoted(node)} ${what}`)
  if (before.spec?.nodeName !== node) {
    throw deny('can only update pod status for pods with spec.nodeName set to itself')
  }
  if (!equalJson(before.metadata.labels ?? {}, after.metadata.labels ?? {})) {
    throw deny('cannot update labels through pod status')
  }
  const claims = ({ status }: Pod) => status?.resourceClaimStatuses ?? []
  if (!equalJson(claims(before), claims(after))) {
    throw deny('cannot update resource claim statues')
  }
}

function checkMirror(attributes: Attributes, node: string, { nodes }: NodeRestrictionDeps): void {
  const pod = attributes.object as unknown as Pod
  const deny = (what: string) => refused(attributes, `node ${quoted(node)} ${what}`)
  if (pod.metadata.annotations?.[MIRROR] === undefined) {
    const lack = `pod does not have "${MIRROR}" annotation`
    throw refused(attributes, `${lack}, node ${quoted(node)} can only create mirror pods`)
  }
  if (pod.spec?.nodeName !== node) {
    throw deny('can only create pods with spec.nodeName set to itself')
  }
  const [owner, ...others] = pod.metadata.ownerReferences ?? []
  if (others.length > 0) {
    throw deny('can only create pods with a single owner reference set to itself')
  }
  if (owner?.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== node) {
    throw deny('can only create pods with an owner reference set to itself')
  }
  if (!owner.controller) {
    throw deny('can only create pods with a controller owner reference set to itself')
  }
  if (owner.blockOwnerDeletion) {
    throw deny('must not set blockOwnerDeletion on an owner reference')
  }
  const own = nodes.get({ name: node })
  if (own === undefined) throw notFound({ group: '', plural: 'nodes' }, node)
  if (owner.uid !== own.metadata.uid) {
    const why = `UID mismatch: expected ${owner.uid} got ${own.metadata.uid}`
    throw refused(attributes, `node ${node} ${why}`)
  }
  const found = apiReferenceOf(pod)
  if (found !== undefined) throw deny(`can not create pods that reference ${found}`)
}

type TokenRequestLike = {
  spec?: {
    audiences?: string[]
    boundObjectRef?: { kind?: string; name?: string; uid?: string; apiVersion?: string }
  }
}

function checkToken(attributes: Attributes, node: string, deps: NodeRestrictionDeps): void {
  if (attributes.subresource !== 'token' || attributes.operation !== 'CREATE') return
  const deny = (what: string) => refused(attributes, what)
  const { spec } = attributes.object as unknown as TokenRequestLike
  const bound = spec?.boundObjectRef
  if (bound?.kind !== 'Pod' || bound.apiVersion !== 'v1' || !bound.name) {
    throw deny('node requested token not bound to a pod')
  }
  if (!bound.uid) throw deny('node requested token with a pod binding without a uid')
  const pod = deps.pods.get({ namespace: attributes.namespace, name: bound.name })
  if (pod === undefined) throw notFound({ group: '', plural: 'pods' }, bound.name)
  if (pod.metadata.uid !== bound.uid) {
    throw deny(
      `the UID in the bound object reference (${bound.uid}) does not match the UID in record. ` +
        'The object might have been deleted and then recreated',
    )
  }
  if (pod.spec?.nodeName !== node) {
    throw deny('node requested token bound to a pod scheduled on a different node')
  }
  checkAudience(attributes, pod, spec?.audiences ?? [], deps)
}

/** A node gets tokens for the audiences that its pods ask for, and for no others. */
function checkAudience(
  attributes: Attributes,
  pod: Pod,
  audiences: readonly string[],
  { mayDo, issuer }: NodeRestrictionDeps,
): void {
  const { request, namespace, name } = attributes
  const { user } = request
  if (audiences.length > 1) throw refused(attributes, 'node may only request 0 or 1 audiences')
  // The default has been filled in; a pod that names none asks for that one.
  const [told = ''] = audiences
  const audience = told === issuer ? '' : told
  const sources = (pod.spec?.volumes ?? []).flatMap(({ projected }) => projected?.sources ?? [])
  const isNamed = sources.some(({ serviceAccountToken: token }) => {
    return token != null && [audience, told].includes(token.audience ?? '')
  })
  const access = {
    user,
    verb: 'request-serviceaccounts-token-audience',
    isResource: true as const,
    group: '',
    version: 'v1',
    resource: told,
    subresource: '',
    namespace,
    name,
  }
  if (isNamed || mayDo(access)) return
  throw refused(
    attributes,
    `audience ${quoted(audience)} not found in pod spec volume, ` +
      `${user.username} is not authorized to request tokens for this audience`,
  )
}

/** A node asks for certificates of its own name alone. */
async function checkRequest(attributes: Attributes, node: string): Promise<void> {
  const { operation, subresource, object } = attributes
  if (operation !== 'CREATE' || subresource !== '') return
  const csr = object as unknown as CertificateSigningRequest
  const { signerName = '', request = '' } = csr.spec ?? {}
  if (signerName !== SIGNER.kubeletClient && signerName !== SIGNER.kubeletServing) return
  let commonName: string
  try {
    commonName = (await readCsr(Buffer.from(request, 'base64').toString())).commonName
  } catch (error) {
    throw refused(attributes, `unable to parse csr: ${describeError(error)}`)
  }
  if (commonName === `system:node:${node}`) return
  throw refused(attributes, `can only create a node CSR with CN=system:node:${node}`)
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
