// Drivers, and what classes of storage hand on to them (pkg/apis/storage/validation).

import type { FieldErrors } from '../validation/field-errors.ts'
import { checkQualifiedName } from '../validation/values.ts'

const PARAMETERS_MAX = 512
const PARAMETERS_BYTES_MAX = 256 * 1024

export function checkProvisioner(faults: FieldErrors, at: string, name: string | undefined) {
  if (!name) faults.required(at)
  else checkQualifiedName(faults, at, name.toLowerCase())
}

export function checkParameters(
  faults: FieldErrors,
  parameters: Readonly<Record<string, string>> = {},
): void {
  const entries = Object.entries(parameters)
  if (entries.length > PARAMETERS_MAX) return faults.tooLong('parameters', PARAMETERS_MAX)
  let bytes = 0
  for (const [key, value] of entries) {
    if (key === '') faults.invalid('parameters', key, 'field can not be empty.')
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value)
  }
  if (bytes > PARAMETERS_BYTES_MAX) faults.tooLong('parameters', PARAMETERS_BYTES_MAX)
}
