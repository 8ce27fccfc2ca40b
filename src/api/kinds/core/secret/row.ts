import { defineResource } from '../../../resource.ts'
import type { Secret } from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { checkSecret, mergeStringData, secretWarnings } from './validation.ts'

export const secrets = defineResource<Secret>({
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  type: 'io.k8s.api.core.v1.Secret',
  metadataJudges: ['change', 'whole'],
  defaults: (secret) => {
    secret.type ||= 'Opaque'
    mergeStringData(secret)
  },
  prepareUpdate: (secret, old) => {
    secret.type ||= old.type ?? ''
  },
  rules: [ruleOf(checkSecret)],
  warnings: secretWarnings,
  selectable: { type: (secret) => secret.type ?? '' },
  columns: [
    {
      name: 'Type',
      type: 'string',
      priority: 0,
      description: 'What the data is for.',
      cell: (secret) => secret.type ?? '',
    },
    {
      name: 'Data',
      type: 'string',
      priority: 0,
      description: 'Number of keys.',
      cell: (secret) => Object.keys(secret.data ?? {}).length,
    },
    ageColumn,
  ],
})
