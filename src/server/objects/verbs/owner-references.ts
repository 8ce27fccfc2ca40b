// metadata.ownerReferences that stand there twice are dropped, with a warning.

import type { AnyObject } from '../../../api/object.ts'
import type { ResourceRequest } from '../../server.ts'

const TWICE = '.metadata.ownerReferences contains duplicate entries'
const DEDUPED =
  'API server dedups owner references in 1.20+, and may reject such requests as early as 1.24;' +
  ' please fix your requests'

/** Of an object as it was sent. */
export function dedupOwners(request: ResourceRequest, object: AnyObject): void {
  const twice = dropRepeated(object)
  if (twice.length > 0) warn(request, `${TWICE}; ${DEDUPED}`, twice)
}

/** Of an object that mutating admission has been at. */
export function dedupOwnersAgain(request: ResourceRequest, object: AnyObject): void {
  const twice = dropRepeated(object)
  if (twice.length > 0)
    warn(request, `${TWICE} after mutating admission happens; ${DEDUPED}`, twice)
}

function warn({ warnings }: ResourceRequest, why: string, uids: readonly string[]): void {
  warnings.push(`${why}; duplicate UID(s) observed: ${uids.join(', ')}`)
}

/** The uids of what was dropped. Bodies of sub-resources may have no metadata. */
function dropRepeated({ metadata }: Partial<AnyObject>): string[] {
  const owners = metadata?.ownerReferences
  if (!metadata || !owners || owners.length < 2) return []
  const seen = new Set<string>()
  const twice: string[] = []
  metadata.ownerReferences = owners.filter((owner) => {
    const text = JSON.stringify(owner, Object.keys(owner).sort())
    if (seen.has(text)) twice.push(owner.uid)
    return !seen.has(text) && seen.add(text)
  })
  return twice
}
