import { applyPodTemplateDefaults } from '../../../pod/defaults.ts'
import { dropDisabledFields } from '../../../pod/strategy.ts'
import { podNameWarnings, templateWarnings } from '../../../pod/warnings.ts'
import { defineResource } from '../../../resource.ts'
import type { ReplicaSet } from '../../../schema/generated/types.ts'
import { selectorText } from '../../../table/cells.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { replicaColumns, templateColumns } from '../../../workload/columns.ts'
import { hasChanged } from '../../../workload/generation.ts'
import { checkReplicaSet, checkReplicaSetStatus } from '../../../workload/replica-validation.ts'

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
  prepareCreate: ({ spec }) => dropDisabledFields(spec.template?.spec),
  prepareUpdate: ({ spec }) => dropDisabledFields(spec.template?.spec),
  rules: [ruleOf(checkReplicaSet)],
  warnings: (replicaSet, old) => {
    const { metadata, spec } = replicaSet
    if (old && !hasChanged(replicaSet, old)) return []
    const name = old === undefined ? podNameWarnings(metadata.name) : []
    return [...name, ...templateWarnings('spec.template', spec.template)]
  },
  status: { writes: ['metadata', 'status'], rules: [ruleOf(checkReplicaSetStatus)] },
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
