import type { Secret } from '../generated/types.ts'
import { defineResource } from '../resource.ts'
import { ageColumn } from './cells.ts'

export const secrets = defineResource<Secret>({
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  type: 'io.k8s.api.core.v1.Secret',
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
