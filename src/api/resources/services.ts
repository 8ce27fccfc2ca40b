import type { Service } from '../generated/types.ts'
import { isDnsLabelName } from '../names.ts'
import { defineResource } from '../resource.ts'
import { ipWarnings } from './check/addresses.ts'
import { ruleOf } from './check/faults.ts'
import { serviceColumns } from './service/columns.ts'
import { applyServiceDefaults } from './service/defaults.ts'
import { checkService, checkServiceStatus } from './service/rules.ts'
import { clearByType } from './service/strategy.ts'
import { serviceWarnings } from './service/warnings.ts'

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
