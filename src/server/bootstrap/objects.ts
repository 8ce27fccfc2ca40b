// What a cluster begins with, as values. Pure.

import type { KubeObject } from '../../api/object.ts'
import type {
  ClusterRole,
  ClusterRoleBinding,
  EndpointSlice,
  Endpoints,
  PolicyRule,
  PriorityClass,
  Role,
  RoleBinding,
  Service,
  ServiceCIDR,
} from '../../api/schema/generated/types.ts'
import { addressAt, type Cidr, formatCidr, formatIp } from '../../lib/ip.ts'
import { CLUSTER_PATH, PEERS_PATH, TUNNEL_PATH } from '../../protocol/paths.ts'
import rbacText from './rbac.json' with { type: 'text' }

const RBAC_API = 'rbac.authorization.k8s.io'
export const AUTOUPDATE = 'rbac.authorization.kubernetes.io/autoupdate'

export type RbacObjects = {
  roles: Role[]
  clusterroles: ClusterRole[]
  rolebindings: RoleBinding[]
  clusterrolebindings: ClusterRoleBinding[]
}

export function bootstrapNamespaces(): KubeObject[] {
  const names = ['default', 'kube-node-lease', 'kube-public', 'kube-system']
  return names.map((name) => ({ metadata: { name } }))
}

export function bootstrapPriorityClasses(): PriorityClass[] {
  const aClass = (name: string, value: number, description: string): PriorityClass => ({
    metadata: { name },
    value,
    description,
    preemptionPolicy: 'PreemptLowerPriority',
  })
  const use = 'Used for system critical pods that must'
  return [
    aClass(
      'system-cluster-critical',
      2_000_000_000,
      `${use} run in the cluster, but can be moved to another node if necessary.`,
    ),
    aClass('system-node-critical', 2_000_001_000, `${use} not be moved from their current node.`),
  ]
}

/**
 * Those of Kubernetes, and our own: how nodes join, and what their proxy and DNS read. No group is
 * bound to `kedge:node`: the node authorizer gives its rules to who is a node by name and by group.
 */
export function bootstrapRbac(): RbacObjects {
  const facts: RbacObjects = JSON.parse(rbacText as unknown as string)
  facts.clusterroles.push({ metadata: { name: 'kedge:node' }, rules: NODE_RULES })
  facts.clusterrolebindings.push(
    bindGroup('kedge:node-bootstrappers', 'system:node-bootstrapper', 'system:bootstrappers'),
    bindGroup('kedge:node-approve-first', `${CSR}:nodeclient`, 'system:bootstrappers'),
  )
  facts.clusterroles.push({
    metadata: { name: LOCAL_PROVISIONER_ROLE },
    rules: LOCAL_PROVISIONER_RULES,
  })
  facts.clusterrolebindings.push({
    metadata: { name: LOCAL_PROVISIONER_ROLE },
    roleRef: { apiGroup: RBAC_API, kind: 'ClusterRole', name: LOCAL_PROVISIONER_ROLE },
    subjects: [{ kind: 'ServiceAccount', name: 'local-provisioner', namespace: 'kube-system' }],
  })
  for (const list of Object.values(facts)) {
    for (const { metadata } of list) {
      metadata.labels = { 'kubernetes.io/bootstrapping': 'rbac-defaults', ...metadata.labels }
      metadata.annotations = { [AUTOUPDATE]: 'true', ...metadata.annotations }
    }
  }
  return facts
}

const CSR = 'system:certificates.k8s.io:certificatesigningrequests'

const NODE_RULES: PolicyRule[] = [
  {
    verbs: ['get'],
    nonResourceURLs: [CLUSTER_PATH, PEERS_PATH, TUNNEL_PATH],
  },
  // Its DNS must know which namespaces there are.
  { verbs: ['list', 'watch'], apiGroups: [''], resources: ['endpoints', 'namespaces'] },
  { verbs: ['list', 'watch'], apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'] },
  {
    verbs: ['create'],
    apiGroups: ['certificates.k8s.io'],
    resources: ['certificatesigningrequests/selfnodeclient'],
  },
]

const LOCAL_PROVISIONER_ROLE = 'kedge:local-provisioner'
const LOCAL_PROVISIONER_RULES: PolicyRule[] = [
  {
    verbs: ['create', 'delete', 'get', 'list', 'update', 'watch'],
    apiGroups: [''],
    resources: ['persistentvolumes'],
  },
  {
    verbs: ['get', 'list', 'update', 'watch'],
    apiGroups: [''],
    resources: ['persistentvolumeclaims'],
  },
  { verbs: ['get', 'list', 'watch'], apiGroups: ['storage.k8s.io'], resources: ['storageclasses'] },
  { verbs: ['get', 'list', 'watch'], apiGroups: [''], resources: ['nodes'] },
  // A node removes the folder of a volume.
  { verbs: ['create'], apiGroups: [''], resources: ['nodes/proxy'] },
  {
    verbs: ['create', 'patch', 'update'],
    apiGroups: ['', 'events.k8s.io'],
    resources: ['events'],
  },
]

/** Bindings of earlier versions, which gave the rights of nodes to whoever was in their group. */
export const RETIRED_BINDINGS = ['kedge:node', 'kedge:node-approve-renewal', 'kedge:node-proxier']

function bindGroup(name: string, role: string, group: string): ClusterRoleBinding {
  return {
    metadata: { name },
    roleRef: { apiGroup: RBAC_API, kind: 'ClusterRole', name: role },
    subjects: [{ apiGroup: RBAC_API, kind: 'Group', name: group }],
  }
}

export type ApiAddress = { serviceCidr: Cidr; address: string; port: number }

export function kubernetesServiceCidr(serviceCidr: Cidr): ServiceCIDR {
  return { metadata: { name: 'kubernetes' }, spec: { cidrs: [formatCidr(serviceCidr)] } }
}

/** The Service kubernetes.default and what it points to: the first address of the range. */
export function kubernetesService({ serviceCidr, address, port }: ApiAddress) {
  const metadata = { name: 'kubernetes', namespace: 'default' }
  const target = { name: 'https', port, protocol: 'TCP' }
  const service: Service = {
    metadata: { ...metadata, labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: {
      clusterIP: formatIp(addressAt(serviceCidr, 1)),
      internalTrafficPolicy: 'Cluster',
      ipFamilyPolicy: 'SingleStack',
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: port }],
      sessionAffinity: 'None',
      type: 'ClusterIP',
    },
  }
  const endpoints: Endpoints = {
    metadata: { ...metadata, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets: [{ addresses: [{ ip: address }], ports: [target] }],
  }
  const slice: EndpointSlice = {
    metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports: [target],
  }
  return { service, endpoints, slice }
}
