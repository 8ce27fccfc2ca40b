import { configKeyFaults } from '../../../names.ts'
import { defineResource } from '../../../resource.ts'
import type { ConfigMap } from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'
import { checkFrozen, DATA_BYTES_MAX, decodedBytes } from '../../../validation/data.ts'
import { type FieldErrors, ruleOf } from '../../../validation/field-errors.ts'

export const configMaps = defineResource<ConfigMap>({
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  type: 'io.k8s.api.core.v1.ConfigMap',
  metadataJudges: ['change', 'whole'],
  shortNames: ['cm'],
  rules: [ruleOf(checkConfigMap)],
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

function checkConfigMap(faults: FieldErrors, object: ConfigMap, old: ConfigMap | undefined) {
  const { data = {}, binaryData = {} } = object
  if (old) checkFrozen(faults, object, old, ['data', 'binaryData'])
  let bytes = 0
  for (const [key, value] of Object.entries(data)) {
    faults.invalidAll(`data[${key}]`, key, configKeyFaults(key))
    if (Object.hasOwn(binaryData, key)) {
      faults.invalid(`data[${key}]`, key, 'duplicate of key present in binaryData')
    }
    bytes += Buffer.byteLength(value)
  }
  for (const [key, value] of Object.entries(binaryData)) {
    faults.invalidAll(`binaryData[${key}]`, key, configKeyFaults(key))
    bytes += decodedBytes(value)
  }
  if (bytes > DATA_BYTES_MAX) faults.tooLong('', DATA_BYTES_MAX)
}
