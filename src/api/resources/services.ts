import type { Service } from '../generated/types.ts'
import { isDnsLabelName } from '../names.ts'
import { defineResource } from '../resource.ts'
import { serviceColumns } from './service/columns.ts'
import { applyServiceDefaults } from './service/defaults.ts'

export const services = defineResource<Service>({
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  folder: 'services/specs',
  type: 'io.k8s.api.core.v1.Service',
  shortNames: ['svc'],
  categories: ['all'],
  nameRule: isDnsLabelName,
  generationOf: false,
  createOnUpdate: true,
  defaults: applyServiceDefaults,
  status: { writes: ['status'] },
  actions: [
    {
      name: 'proxy',
      kind: 'ServiceProxyOptions',
      verbs: ['create', 'delete', 'get', 'patch', 'update'],
      namespaced: true,
    },
  ],
  selectable: {
    'spec.clusterIP': ({ spec }) => spec.clusterIP ?? '',
    'spec.type': ({ spec }) => spec.type ?? '',
  },
  answersDeleted: true,
  columns: serviceColumns,
})
