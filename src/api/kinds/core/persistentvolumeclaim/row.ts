import { defineResource } from '../../../resource.ts'
import type { PersistentVolumeClaim } from '../../../schema/generated/types.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { claimColumns } from './columns.ts'
import { fillDataSources } from './strategy.ts'
import { checkClaim, checkClaimStatus } from './validation.ts'
import { claimWarnings } from './warnings.ts'

export const persistentVolumeClaims = defineResource<PersistentVolumeClaim>({
  group: '',
  version: 'v1',
  kind: 'PersistentVolumeClaim',
  plural: 'persistentvolumeclaims',
  type: 'io.k8s.api.core.v1.PersistentVolumeClaim',
  shortNames: ['pvc'],
  generationOf: false,
  metadataJudges: ['change', 'whole'],
  defaults: (claim) => {
    claim.spec.volumeMode ??= 'Filesystem'
    claim.status = { ...claim.status, phase: claim.status?.phase || 'Pending' }
  },
  prepareCreate: (claim) => {
    claim.status = { phase: 'Pending' }
    fillDataSources(claim, undefined)
  },
  prepareUpdate: fillDataSources,
  rules: [ruleOf(checkClaim)],
  warnings: claimWarnings,
  status: { writes: ['metadata', 'status'], rules: [ruleOf(checkClaimStatus)] },
  answersDeleted: true,
  columns: claimColumns,
})
