// Fields that an applied configuration wants to change and others own.

import { ApiError } from '../../status.ts'
import { type Fields, hasPath, intersection, membersOf, union } from './fields.ts'
import type { Owner, Owners } from './managers.ts'
import { compareText, pathText } from './path.ts'
import type { ChangesAt } from './versions.ts'

export type Conflict = { readonly owner: Owner; readonly path: readonly string[] }

/** Conflicts of the manager `mine` with all the others, in the order of their names. */
export function conflictsOf(owners: Owners, mine: string, changesAt: ChangesAt): Conflict[] {
  const conflicts: Conflict[] = []
  for (const [identity, owner] of owners) {
    if (identity === mine) continue
    const { modified, added } = changesAt(owner.apiVersion)
    const touched = union(modified, added)
    const common = intersection(owner.fields, touched)
    for (const path of membersOf(common)) conflicts.push({ owner, path })
  }
  return conflicts.sort((a, b) => compareText(nameOf(a.owner), nameOf(b.owner)))
}

export function conflictsOutside(conflicts: readonly Conflict[], allowed: Fields): Conflict[] {
  return conflicts.filter(({ path }) => !hasPath(allowed, path))
}

/** 409 with one cause per field; the words are upstream's. */
export function applyConflict(conflicts: readonly Conflict[]): ApiError {
  const causes = conflicts.map(({ owner, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${nameOf(owner)}`,
    field: pathText(path),
  }))
  return new ApiError(409, 'Conflict', messageOf(conflicts), { causes })
}

function messageOf(conflicts: readonly Conflict[]): string {
  const [first] = conflicts
  if (first !== undefined && conflicts.length === 1) {
    const what = `conflict with ${nameOf(first.owner)}: ${pathText(first.path)}`
    return `Apply failed with 1 conflict: ${what}`
  }
  const byOwner = Map.groupBy(conflicts, ({ owner }) => nameOf(owner))
  const lines = [...byOwner].flatMap(([name, theirs]) => [
    `conflicts with ${name}:`,
    ...theirs.map(({ path }) => `- ${pathText(path)}`),
  ])
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`
}

/** `"kubectl" with subresource "status" using v1`; appliers are the same in every version. */
function nameOf(owner: Owner): string {
  const name = JSON.stringify(owner.manager)
  const part =
    owner.subresource === '' ? '' : ` with subresource ${JSON.stringify(owner.subresource)}`
  return owner.operation === 'Update'
    ? `${name}${part} using ${owner.apiVersion}`
    : `${name}${part}`
}
