import { defineResource } from '../../../resource.ts'
import type { VolumeAttributesClass } from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'
import { type FieldErrors, ruleOf } from '../../../validation/field-errors.ts'
import { sameValue } from '../../../validation/values.ts'
import { checkParameters, checkProvisioner } from '../../../volume/parameters.ts'

export const volumeAttributesClasses = defineResource<VolumeAttributesClass>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'VolumeAttributesClass',
  plural: 'volumeattributesclasses',
  type: 'io.k8s.api.storage.v1.VolumeAttributesClass',
  scope: 'Cluster',
  shortNames: ['vac'],
  generationOf: false,
  metadataJudges: ['change', 'whole'],
  rules: [ruleOf(checkAttributesClass)],
  answersDeleted: true,
  columns: [
    {
      name: 'DriverName',
      type: 'string',
      priority: 0,
      description: 'The driver that knows its parameters.',
      cell: ({ driverName }) => driverName ?? '',
    },
    ageColumn,
  ],
})

function checkAttributesClass(
  faults: FieldErrors,
  { driverName, parameters }: VolumeAttributesClass,
  old: VolumeAttributesClass | undefined,
) {
  if (old && driverName !== old.driverName) {
    faults.forbidden('driverName', 'updates to driverName are forbidden.')
  }
  if (old && !sameValue(parameters, old.parameters)) {
    faults.forbidden('parameters', 'updates to parameters are forbidden.')
  }
  checkProvisioner(faults, 'driverName', driverName)
  checkParameters(faults, parameters)
  if (Object.keys(parameters ?? {}).length === 0) {
    faults.required('parameters', 'must contain at least one key/value pair')
  }
}
