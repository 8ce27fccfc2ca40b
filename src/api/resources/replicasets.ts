import type { ReplicaSet } from '../generated/types.ts'
import { defineResource } from '../resource.ts'
import { selectorText } from './cells.ts'
import { applyPodTemplateDefaults } from './pod/defaults.ts'
import { replicaColumns, templateColumns } from './workload/columns.ts'

export const replicaSets = defineResource<ReplicaSet>({
  group: 'apps',
  version: 'v1',
  kind: 'ReplicaSet',
  plural: 'replicasets',
  type: 'io.k8s.api.apps.v1.ReplicaSet',
  shortNames: ['rs'],
  categories: ['all'],
  defaults: ({ spec }) => {
    spec.replicas ??= 1
    applyPodTemplateDefaults(spec.template)
  },
  status: { writes: ['status'] },
  scale: {
    specReplicas: 'spec.replicas',
    statusReplicas: 'status.replicas',
    selector: 'spec.selector',
  },
  columns: [
    ...replicaColumns,
    ...templateColumns<ReplicaSet>(
      ({ spec }) => spec.template?.spec?.containers,
      ({ spec }) => selectorText(spec.selector, '<none>'),
    ),
  ],
})
