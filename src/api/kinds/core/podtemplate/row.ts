import { applyPodTemplateDefaults } from '../../../pod/defaults.ts'
import { dropDisabledFields } from '../../../pod/strategy.ts'
import { checkPodTemplate } from '../../../pod/template.ts'
import { templateWarnings } from '../../../pod/warnings.ts'
import { defineResource } from '../../../resource.ts'
import type { PodTemplate } from '../../../schema/generated/types.ts'
import { containerNamesCell, imagesCell, labelsCell } from '../../../table/cells.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { hasChanged } from '../../../workload/generation.ts'

export const podTemplates = defineResource<PodTemplate>({
  group: '',
  version: 'v1',
  kind: 'PodTemplate',
  plural: 'podtemplates',
  type: 'io.k8s.api.core.v1.PodTemplate',
  generationOf: (object) => object.template,
  defaults: ({ template }) => applyPodTemplateDefaults(template),
  answersDeleted: true,
  prepareCreate: ({ template }) => dropDisabledFields(template?.spec),
  prepareUpdate: ({ template }) => dropDisabledFields(template?.spec),
  rules: [
    ruleOf((faults, { template }) => {
      checkPodTemplate(faults, 'template', template ?? { spec: { containers: [] } })
    }),
  ],
  warnings: (object, old) =>
    old && !hasChanged(object, old) ? [] : templateWarnings('template', object.template),
  columns: [
    {
      name: 'Containers',
      type: 'string',
      priority: 0,
      description: 'Names of the containers.',
      cell: ({ template }) => containerNamesCell(template?.spec?.containers),
    },
    {
      name: 'Images',
      type: 'string',
      priority: 0,
      description: 'Images of the containers.',
      cell: ({ template }) => imagesCell(template?.spec?.containers),
    },
    {
      name: 'Pod Labels',
      type: 'string',
      priority: 0,
      description: 'Labels of the pods made from it.',
      cell: ({ template }) => labelsCell(template?.metadata?.labels),
    },
  ],
})
