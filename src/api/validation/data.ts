// Bags of keys and values: ConfigMaps and Secrets.

import type { FieldErrors } from './field-errors.ts'
import { sameValue } from './values.ts'

export const DATA_BYTES_MAX = 1024 * 1024

/** Length of what base64 text stands for. */
export function decodedBytes(base64: string): number {
  const padding = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0
  return (base64.length / 4) * 3 - padding
}

type Freezable = { immutable?: boolean }

/** An object that was made immutable stays so, and `fields` with it. */
export function checkFrozen<O extends Freezable>(
  faults: FieldErrors,
  object: O,
  old: O,
  fields: readonly (keyof O & string)[],
) {
  if (!old.immutable) return
  const detail = 'field is immutable when `immutable` is set'
  if (!object.immutable) faults.forbidden('immutable', detail)
  for (const field of fields) {
    if (!sameValue(object[field], old[field])) faults.forbidden(field, detail)
  }
}
