import type { ReplicationController } from '../generated/types.ts'
import { defineResource } from '../resource.ts'
import { labelsCell } from './cells.ts'
import { applyPodTemplateDefaults } from './pod/defaults.ts'
import { replicaColumns, templateColumns } from './workload/columns.ts'

export const replicationControllers = defineResource<ReplicationController>({
  group: '',
  version: 'v1',
  kind: 'ReplicationController',
  plural: 'replicationcontrollers',
  folder: 'controllers',
  type: 'io.k8s.api.core.v1.ReplicationController',
  shortNames: ['rc'],
  categories: ['all'],
  orphansByDefault: true,
  defaults: applyDefaults,
  status: { writes: ['status'] },
  scale: {
    specReplicas: 'spec.replicas',
    statusReplicas: 'status.replicas',
    selector: 'spec.selector',
  },
  selectable: { 'status.replicas': ({ status }) => `${status?.replicas ?? 0}` },
  columns: [
    ...replicaColumns,
    ...templateColumns<ReplicationController>(
      ({ spec }) => spec.template?.spec?.containers,
      ({ spec }) => labelsCell(spec.selector),
    ),
  ],
})

function applyDefaults({ metadata, spec }: ReplicationController) {
  const labels = spec.template?.metadata?.labels
  if (labels !== undefined) {
    if (isEmpty(spec.selector)) spec.selector = { ...labels }
    if (isEmpty(metadata.labels)) metadata.labels = { ...labels }
  }
  spec.replicas ??= 1
  applyPodTemplateDefaults(spec.template)
}

function isEmpty(map: object | undefined): boolean {
  return Object.keys(map ?? {}).length === 0
}
