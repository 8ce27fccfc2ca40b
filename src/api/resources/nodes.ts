import type { Node } from '../generated/types.ts'
import { defineResource } from '../resource.ts'
import { nodeColumns } from './node/columns.ts'

export const nodes = defineResource<Node>({
  group: '',
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  type: 'io.k8s.api.core.v1.Node',
  scope: 'Cluster',
  shortNames: ['no'],
  generationOf: false,
  createsWithStatus: true,
  status: { writes: ['status'] },
  actions: [
    {
      name: 'proxy',
      kind: 'NodeProxyOptions',
      verbs: ['create', 'delete', 'get', 'patch', 'update'],
      namespaced: false,
    },
  ],
  selectable: { 'spec.unschedulable': (node) => `${node.spec.unschedulable ?? false}` },
  columns: nodeColumns,
})
