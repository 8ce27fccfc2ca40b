// Fields that an applied configuration wants to change and others own.

import { ApiError } from '../../status.ts'
import { type Fields, hasPath, intersection, membersOf, union } from './fields.ts'
import type { FieldManager, FieldManagers } from './managers.ts'
import { compareText, pathText } from './path.ts'
import type { ChangesAt } from './versions.ts'

export type Conflict = { readonly fieldManager: FieldManager; readonly path: readonly string[] }

/** Conflicts of the manager `mine` with all the others, in the order of their names. */
export function conflictsOf(
  managers: FieldManagers,
  mine: string,
  changesAt: ChangesAt,
): Conflict[] {
  const conflicts: Conflict[] = []
  for (const [identity, fieldManager] of managers) {
    if (identity === mine) continue
    const { modified, added } = changesAt(fieldManager.apiVersion)
    const touched = union(modified, added)
    const common = intersection(fieldManager.fields, touched)
    for (const path of membersOf(common)) conflicts.push({ fieldManager, path })
  }
  return conflicts.sort((a, b) => compareText(nameOf(a.fieldManager), nameOf(b.fieldManager)))
}

export function conflictsOutside(conflicts: readonly Conflict[], allowed: Fields): Conflict[] {
  return conflicts.filter(({ path }) => !hasPath(allowed, path))
}

/** 409 with one cause per field; the words are upstream's. */
export function applyConflict(conflicts: readonly Conflict[]): ApiError {
  const causes = conflicts.map(({ fieldManager, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${nameOf(fieldManager)}`,
    field: pathText(path),
  }))
  return new ApiError(409, 'Conflict', messageOf(conflicts), { causes })
}

function messageOf(conflicts: readonly Conflict[]): string {
  const [first] = conflicts
  if (first !== undefined && conflicts.length === 1) {
    const what = `conflict with ${nameOf(first.fieldManager)}: ${pathText(first.path)}`
    return `Apply failed with 1 conflict: ${what}`
  }
  const byManager = Map.groupBy(conflicts, ({ fieldManager }) => nameOf(fieldManager))
  const lines = [...byManager].flatMap(([name, theirs]) => [
    `conflicts with ${name}:`,
    ...theirs.map(({ path }) => `- ${pathText(path)}`),
  ])
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`
}

/** `"kubectl" with subresource "status" using v1`; appliers are the same in every version. */
function nameOf(fieldManager: FieldManager): string {
  const name = JSON.stringify(fieldManager.manager)
  const part =
    fieldManager.subresource === ''
      ? ''
      : ` with subresource ${JSON.stringify(fieldManager.subresource)}`
  return fieldManager.operation === 'Update'
    ? `${name}${part} using ${fieldManager.apiVersion}`
    : `${name}${part}`
}
