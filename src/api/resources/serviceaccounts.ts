import type { ServiceAccount } from '../generated/types.ts'
import { defineResource } from '../resource.ts'
import { ageColumn } from './cells.ts'

export const serviceAccounts = defineResource<ServiceAccount>({
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  type: 'io.k8s.api.core.v1.ServiceAccount',
  shortNames: ['sa'],
  actions: [
    {
      name: 'token',
      kind: 'TokenRequest',
      group: 'authentication.k8s.io',
      version: 'v1',
      verbs: ['create'],
      namespaced: true,
    },
  ],
  answersDeleted: true,
  columns: [ageColumn],
})
