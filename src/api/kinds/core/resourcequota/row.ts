import { defineResource } from '../../../resource.ts'
import type { ResourceQuota } from '../../../schema/generated/types.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { quotaColumns } from './columns.ts'
import { checkQuota, checkQuotaStatus, quotaWarnings } from './validation.ts'

export const resourceQuotas = defineResource<ResourceQuota>({
  group: '',
  version: 'v1',
  kind: 'ResourceQuota',
  plural: 'resourcequotas',
  type: 'io.k8s.api.core.v1.ResourceQuota',
  shortNames: ['quota'],
  generationOf: false,
  answersDeleted: true,
  rules: [ruleOf(checkQuota)],
  warnings: (quota, old) => (old === undefined ? quotaWarnings(quota) : []),
  status: { writes: ['metadata', 'status'], rules: [ruleOf(checkQuotaStatus)] },
  columns: quotaColumns,
})
