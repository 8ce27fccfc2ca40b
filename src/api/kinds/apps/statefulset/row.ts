import { isDnsLabelName } from '../../../names.ts'
import { dropDisabledFields } from '../../../pod/strategy.ts'
import { defineResource } from '../../../resource.ts'
import type { StatefulSet } from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { templateColumns, textColumn } from '../../../workload/columns.ts'
import { applyStatefulSetDefaults } from './defaults.ts'
import { checkStatefulSet, checkStatefulSetStatus } from './validation.ts'
import { statefulSetWarnings } from './warnings.ts'

export const statefulSets = defineResource<StatefulSet>({
  group: 'apps',
  version: 'v1',
  kind: 'StatefulSet',
  plural: 'statefulsets',
  type: 'io.k8s.api.apps.v1.StatefulSet',
  shortNames: ['sts'],
  categories: ['all'],
  nameRule: isDnsLabelName,
  defaults: applyStatefulSetDefaults,
  prepareCreate: prepare,
  prepareUpdate: prepare,
  rules: [ruleOf(checkStatefulSet)],
  warnings: statefulSetWarnings,
  status: { writes: ['metadata', 'status'], rules: [ruleOf(checkStatefulSetStatus)] },
  scale: {
    specReplicas: 'spec.replicas',
    statusReplicas: 'status.replicas',
    selector: 'spec.selector',
  },
  columns: [
    textColumn('Ready', 0, 'Pods that are ready, of those asked for.', ({ spec, status }) => {
      return `${status?.readyReplicas ?? 0}/${spec.replicas ?? 0}`
    }),
    ageColumn,
    ...templateColumns<StatefulSet>(({ spec }) => spec.template?.spec?.containers),
  ],
})

/** How many may be unavailable in a roll is a feature that is off, as it is upstream by default. */
function prepare({ spec }: StatefulSet) {
  delete spec.updateStrategy?.rollingUpdate?.maxUnavailable
  dropDisabledFields(spec.template?.spec)
}
