import type { PodTemplate } from '../generated/types.ts'
import { defineResource } from '../resource.ts'
import { containerNamesCell, imagesCell, labelsCell } from './cells.ts'
import { applyPodTemplateDefaults } from './pod/defaults.ts'

export const podTemplates = defineResource<PodTemplate>({
  group: '',
  version: 'v1',
  kind: 'PodTemplate',
  plural: 'podtemplates',
  type: 'io.k8s.api.core.v1.PodTemplate',
  generationOf: (object) => object.template,
  defaults: ({ template }) => applyPodTemplateDefaults(template),
  answersDeleted: true,
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
