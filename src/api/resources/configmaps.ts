import type { ConfigMap } from '../generated/types.ts'
import { defineResource } from '../resource.ts'
import { ageColumn } from './cells.ts'

export const configMaps = defineResource<ConfigMap>({
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  type: 'io.k8s.api.core.v1.ConfigMap',
  shortNames: ['cm'],
  columns: [
    {
      name: 'Data',
      type: 'string',
      priority: 0,
      description: 'Number of keys, text and binary.',
      cell: ({ data, binaryData }) =>
        Object.keys(data ?? {}).length + Object.keys(binaryData ?? {}).length,
    },
    ageColumn,
  ],
})
