// How often, and as what, a volume may be mounted.

import type { FieldErrors } from '../validation/field-errors.ts'
import { checkSupported } from '../validation/values.ts'

const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod']
export const VOLUME_MODES = ['Block', 'Filesystem']

export function checkAccessModes(faults: FieldErrors, at: string, modes: readonly string[]) {
  for (const mode of modes) checkSupported(faults, at, mode, ACCESS_MODES)
  const others = modes.filter((mode) => mode !== 'ReadWriteOncePod' && ACCESS_MODES.includes(mode))
  if (!modes.includes('ReadWriteOncePod') || others.length === 0) return
  faults.forbidden(at, 'may not use ReadWriteOncePod with other access modes')
}

const SHORT = [
  ['ReadWriteOnce', 'RWO'],
  ['ReadOnlyMany', 'ROX'],
  ['ReadWriteMany', 'RWX'],
  ['ReadWriteOncePod', 'RWOP'],
] as const

/** `RWO,ROX`, as tables show them. */
export function accessModesCell(modes: readonly string[] | undefined): string {
  const shown = SHORT.filter(([mode]) => modes?.includes(mode))
  return shown.map(([, short]) => short).join(',')
}
