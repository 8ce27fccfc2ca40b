// What `kubectl get nodes` shows.

import type { Column } from '../../../resource.ts'
import type { Node } from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'

const ROLE_PREFIX = 'node-role.kubernetes.io/'
const ROLE_LABEL = 'kubernetes.io/role'

export const nodeColumns: readonly Column<Node>[] = [
  text('Status', 0, 'Ready or not, and whether pods may be placed there.', statusCell),
  text('Roles', 0, 'From the labels node-role.kubernetes.io/ROLE.', rolesCell),
  ageColumn,
  text('Version', 0, 'Of the kubelet API that it speaks.', (node) => {
    return node.status?.nodeInfo?.kubeletVersion ?? ''
  }),
  text('Internal-IP', 1, 'Its first address inside the cluster.', (node) => {
    return addressOf(node, 'InternalIP')
  }),
  text('External-IP', 1, 'Its first address for the world.', (node) => {
    return addressOf(node, 'ExternalIP')
  }),
  text('OS-Image', 1, 'Its operating system.', (node) => {
    return node.status?.nodeInfo?.osImage || '<unknown>'
  }),
  text('Kernel-Version', 1, 'Its kernel and architecture.', kernelCell),
  text('Container-Runtime', 1, 'What runs its containers.', (node) => {
    return node.status?.nodeInfo?.containerRuntimeVersion || '<unknown>'
  }),
]

function text(
  name: string,
  priority: 0 | 1,
  description: string,
  cell: (node: Node) => string,
): Column<Node> {
  return { name, type: 'string', priority, description, cell }
}

function statusCell(node: Node): string {
  const ready = node.status?.conditions?.find((condition) => condition.type === 'Ready')
  const texts = [ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady']
  if (node.spec.unschedulable) texts.push('SchedulingDisabled')
  return texts.join(',')
}

function rolesCell(node: Node): string {
  const roles = new Set<string>()
  for (const [key, value] of Object.entries(node.metadata.labels ?? {})) {
    if (key.startsWith(ROLE_PREFIX)) roles.add(key.slice(ROLE_PREFIX.length))
    else if (key === ROLE_LABEL) roles.add(value)
  }
  roles.delete('')
  return [...roles].sort().join(',') || '<none>'
}

function addressOf(node: Node, type: string): string {
  return node.status?.addresses?.find((address) => address.type === type)?.address ?? '<none>'
}

function kernelCell(node: Node): string {
  const { kernelVersion, architecture } = node.status?.nodeInfo ?? {}
  return `${kernelVersion || '<unknown>'}${architecture ? ` (${architecture})` : ''}`
}
