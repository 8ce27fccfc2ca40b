import { isDnsLabelName } from '../../../names.ts'
import { defineResource } from '../../../resource.ts'
import type { Service } from '../../../schema/generated/types.ts'
import { ipWarnings } from '../../../validation/addresses.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { serviceColumns } from './columns.ts'
import { applyServiceDefaults } from './defaults.ts'
import { clearByType } from './strategy.ts'
import { checkService, checkServiceStatus } from './validation.ts'
import { serviceWarnings } from './warnings.ts'

export const services = defineResource<Service>({
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  storagePrefix: 'services/specs',
  type: 'io.k8s.api.core.v1.Service',
  shortNames: ['svc'],
  categories: ['all'],
  nameRule: isDnsLabelName,
  generationOf: false,
  createOnUpdate: true,
  defaults: applyServiceDefaults,
  prepareUpdate: clearByType,
  rules: [ruleOf(checkService)],
  warnings: serviceWarnings,
  status: {
    writes: ['metadata', 'status'],
    rules: [ruleOf(checkServiceStatus)],
    warnings: ({ status }) =>
      (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }, index) =>
        ip ? ipWarnings(`status.loadBalancer.ingress[${index}]`, ip) : [],
      ),
  },
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
