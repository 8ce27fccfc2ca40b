import { isHeartbeat } from '../../../node/heartbeat.ts'
import { defineResource } from '../../../resource.ts'
import type { Node } from '../../../schema/generated/types.ts'
import { cidrWarnings } from '../../../validation/addresses.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { nodeColumns } from './columns.ts'
import { checkNode, checkNodeStatus } from './validation.ts'

export const nodes = defineResource<Node>({
  group: '',
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  type: 'io.k8s.api.core.v1.Node',
  metadataJudges: ['whole', 'change'],
  scope: 'Cluster',
  shortNames: ['no'],
  generationOf: false,
  isHeartbeat,
  createsWithStatus: true,
  defaults: ({ spec, status }) => {
    if (spec.podCIDRs?.[0] && !spec.podCIDR) spec.podCIDR = spec.podCIDRs[0]
    else if (spec.podCIDR && spec.podCIDR !== spec.podCIDRs?.[0]) spec.podCIDRs = [spec.podCIDR]
    if (status?.capacity) status.allocatable ??= { ...status.capacity }
  },
  prepareCreate: ({ spec, status }) => {
    delete spec.configSource
    delete status?.config
  },
  prepareUpdate: ({ spec }) => {
    delete spec.configSource
  },
  rules: [ruleOf(checkNode)],
  warnings: ({ spec }) => [
    ...(spec.externalID
      ? ['spec.externalID: this field is deprecated, and is unused by Kubernetes']
      : []),
    ...(spec.podCIDRs ?? []).flatMap((range, index) =>
      cidrWarnings(`spec.podCIDRs[${index}]`, range),
    ),
  ],
  status: {
    writes: ['metadata', 'status'],
    merge: ({ metadata, status: { config: _unused, ...status } = {} }, stored) => ({
      ...stored,
      metadata,
      status,
    }),
    rules: [ruleOf(checkNodeStatus)],
  },
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
