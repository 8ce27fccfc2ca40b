import { own } from '../../../../lib/own.ts'
import { OLD_NODE_LABELS } from '../../../node/labels.ts'
import { defineResource } from '../../../resource.ts'
import type { StorageClass } from '../../../schema/generated/types.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { classColumns } from './columns.ts'
import { checkStorageClass } from './validation.ts'

export const storageClasses = defineResource<StorageClass>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'StorageClass',
  plural: 'storageclasses',
  type: 'io.k8s.api.storage.v1.StorageClass',
  scope: 'Cluster',
  shortNames: ['sc'],
  generationOf: false,
  metadataJudges: ['whole', 'change'],
  defaults: (storageClass) => {
    storageClass.reclaimPolicy ??= 'Delete'
    storageClass.volumeBindingMode ??= 'Immediate'
  },
  rules: [ruleOf(checkStorageClass)],
  warnings: ({ allowedTopologies }) =>
    (allowedTopologies ?? []).flatMap(({ matchLabelExpressions }, term) =>
      (matchLabelExpressions ?? []).flatMap(({ key }, index) => {
        const old = own(OLD_NODE_LABELS, key)
        const at = `allowedTopologies[${term}].matchLabelExpressions[${index}].key`
        return old === undefined ? [] : [`${at}: ${old}`]
      }),
    ),
  answersDeleted: true,
  startsWithName: false,
  columns: classColumns,
})
