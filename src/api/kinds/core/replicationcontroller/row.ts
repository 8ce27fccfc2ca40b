import { applyPodTemplateDefaults } from '../../../pod/defaults.ts'
import { dropDisabledFields } from '../../../pod/strategy.ts'
import { podNameWarnings, templateWarnings } from '../../../pod/warnings.ts'
import { defineResource } from '../../../resource.ts'
import type { ReplicationController } from '../../../schema/generated/types.ts'
import { labelsCell } from '../../../table/cells.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { replicaColumns, templateColumns } from '../../../workload/columns.ts'
import { hasChanged } from '../../../workload/generation.ts'
import { checkController, checkReplicaSetStatus } from '../../../workload/replica-validation.ts'

export const replicationControllers = defineResource<ReplicationController>({
  group: '',
  version: 'v1',
  kind: 'ReplicationController',
  plural: 'replicationcontrollers',
  storagePrefix: 'controllers',
  type: 'io.k8s.api.core.v1.ReplicationController',
  shortNames: ['rc'],
  categories: ['all'],
  orphansByDefault: true,
  defaults: applyDefaults,
  prepareCreate: ({ spec }) => dropDisabledFields(spec.template?.spec),
  prepareUpdate: ({ spec }) => dropDisabledFields(spec.template?.spec),
  rules: [ruleOf(checkController)],
  warnings: (controller, old) => {
    // Upstream warns of the template as it was, here alone.
    if (old)
      return hasChanged(controller, old) ? templateWarnings('spec.template', old.spec.template) : []
    const { metadata, spec } = controller
    return [...podNameWarnings(metadata.name), ...templateWarnings('spec.template', spec.template)]
  },
  status: { writes: ['metadata', 'status'], rules: [ruleOf(checkReplicaSetStatus)] },
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
