import { dropDisabledFields } from '../../../pod/strategy.ts'
import { templateWarnings } from '../../../pod/warnings.ts'
import { defineResource } from '../../../resource.ts'
import type { DaemonSet } from '../../../schema/generated/types.ts'
import { ageColumn, labelsCell, selectorText } from '../../../table/cells.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { countColumn, templateColumns, textColumn } from '../../../workload/columns.ts'
import { applyDaemonSetDefaults } from './defaults.ts'
import {
  firstTemplateGeneration,
  nextTemplateGeneration,
  TEMPLATE_GENERATION,
  templateGenerationOf,
} from './strategy.ts'
import { checkDaemonSet, checkDaemonSetStatus } from './validation.ts'

export const daemonSets = defineResource<DaemonSet>({
  group: 'apps',
  version: 'v1',
  kind: 'DaemonSet',
  plural: 'daemonsets',
  type: 'io.k8s.api.apps.v1.DaemonSet',
  shortNames: ['ds'],
  categories: ['all'],
  defaults: applyDaemonSetDefaults,
  prepareCreate(set) {
    dropDisabledFields(set.spec.template?.spec)
    firstTemplateGeneration(set)
  },
  prepareUpdate(set, old) {
    dropDisabledFields(set.spec.template?.spec)
    nextTemplateGeneration(set, old)
  },
  rules: [ruleOf(checkDaemonSet)],
  warnings: (set, old) => {
    if (old && templateGenerationOf(set) === templateGenerationOf(old)) return []
    return templateWarnings('spec.template', set.spec.template)
  },
  fieldAnnotations: [TEMPLATE_GENERATION],
  status: { writes: ['metadata', 'status'], rules: [ruleOf(checkDaemonSetStatus)] },
  columns: [
    countColumn<DaemonSet>('Desired', 'Nodes that should run its pod.', ({ status }) => {
      return status?.desiredNumberScheduled
    }),
    countColumn<DaemonSet>('Current', 'Nodes of these that have its pod.', ({ status }) => {
      return status?.currentNumberScheduled
    }),
    countColumn<DaemonSet>(
      'Ready',
      'Nodes of these whose pod is ready.',
      ({ status }) => status?.numberReady,
    ),
    countColumn<DaemonSet>(
      'Up-to-date',
      'Nodes of these whose pod is of the newest template.',
      (set) => {
        return set.status?.updatedNumberScheduled
      },
    ),
    countColumn<DaemonSet>(
      'Available',
      'Nodes of these whose pod has been ready long enough.',
      (set) => {
        return set.status?.numberAvailable
      },
    ),
    textColumn<DaemonSet>('Node Selector', 0, 'Labels of the nodes that run it.', ({ spec }) => {
      return labelsCell(spec.template?.spec?.nodeSelector)
    }),
    ageColumn,
    ...templateColumns<DaemonSet>(
      ({ spec }) => spec.template?.spec?.containers,
      ({ spec }) => selectorText(spec.selector, '<none>'),
    ),
  ],
})
