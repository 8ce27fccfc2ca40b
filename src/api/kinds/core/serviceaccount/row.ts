import { defineResource } from '../../../resource.ts'
import type { ServiceAccount } from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'

const ENFORCE = 'kubernetes.io/enforce-mountable-secrets'

export const serviceAccounts = defineResource<ServiceAccount>({
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  type: 'io.k8s.api.core.v1.ServiceAccount',
  metadataJudges: ['change', 'whole'],
  shortNames: ['sa'],
  prepareCreate: keepSecretNames,
  prepareUpdate: keepSecretNames,
  warnings: ({ metadata }, old) => {
    const isNew = old?.metadata.annotations?.[ENFORCE] === undefined
    if (!isNew || metadata.annotations?.[ENFORCE] === undefined) return []
    const advice = 'prefer separate namespaces to isolate access to mounted secrets'
    return [`metadata.annotations[${ENFORCE}]: deprecated in v1.32+; ${advice}`]
  },
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

/** Of the secrets named, the name alone means something. */
function keepSecretNames(account: ServiceAccount) {
  if (account.secrets === undefined) return
  account.secrets = account.secrets.map(({ name }) => (name === undefined ? {} : { name }))
}
