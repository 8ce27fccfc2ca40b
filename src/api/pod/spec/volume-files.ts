// Single files of volumes whose content comes from the API.

import type { DownwardAPIVolumeFile, KeyToPath } from '../../schema/generated/types.ts'
import type { FieldErrors } from '../../validation/field-errors.ts'
import { checkFreePath } from '../../validation/paths.ts'
import { checkFileMode } from '../../validation/values.ts'
import { checkFieldRef, checkResourceFieldRef } from './env.ts'

export function checkKeyToPath(
  faults: FieldErrors,
  at: string,
  { key, path = '', mode }: KeyToPath,
) {
  if (!key) faults.required(`${at}.key`)
  if (!path) faults.required(`${at}.path`)
  checkFreePath(faults, `${at}.path`, path)
  checkFileMode(faults, `${at}.mode`, mode)
}

const FILE_FIELDS = [
  ...['metadata.name', 'metadata.namespace', 'metadata.labels', 'metadata.annotations'],
  'metadata.uid',
]

export function checkDownwardFile(faults: FieldErrors, at: string, file: DownwardAPIVolumeFile) {
  const { path = '', fieldRef, resourceFieldRef, mode } = file
  if (!path) faults.required(`${at}.path`)
  checkFreePath(faults, `${at}.path`, path)
  if (fieldRef) {
    checkFieldRef(faults, `${at}.fieldRef`, fieldRef, FILE_FIELDS)
    if (resourceFieldRef) {
      const detail = 'fieldRef and resourceFieldRef can not be specified simultaneously'
      faults.invalid(at, 'resource', detail)
    }
  } else if (resourceFieldRef) {
    checkResourceFieldRef(faults, `${at}.resourceFieldRef`, resourceFieldRef, true)
  } else faults.required(at, 'one of fieldRef and resourceFieldRef is required')
  checkFileMode(faults, `${at}.mode`, mode)
}
