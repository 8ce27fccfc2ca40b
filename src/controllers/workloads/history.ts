// What StatefulSets and DaemonSets were: each template that they had, in a ControllerRevision.
//
// The data of a revision is a strategic patch that puts the template back. `kubectl rollout undo`
// reads it, so its form is upstream's. Names and bounds from upstream's pkg/controller/history.

import { controllerRevisions } from '../../api/kinds/apps/controllerrevision/row.ts'
import type { KubeObject } from '../../api/object.ts'
import { applyStrategicMergePatch } from '../../api/patch/strategic.ts'
import type { JsonObject } from '../../api/patch/value.ts'
import type { ResourceRow } from '../../api/resource.ts'
import type { ControllerRevision, PodTemplateSpec } from '../../api/schema/generated/types.ts'
import { isAlreadyExists } from '../../api/status.ts'
import type { Kit } from '../../kit/controller.ts'
import { sorted } from './template-hash.ts'

/** Carried by pods, and by the revisions of DaemonSets: which revision they are of. */
export const REVISION_LABEL = 'controller-revision-hash'

/** With its hash a name may be 253 characters long. */
const PREFIX_CHARS_MAX = 223
/** Hashes have 32 bits: more collisions in a row than this are no accident. */
const COLLISIONS_MAX = 100

type Templated = KubeObject & { spec: { template: PodTemplateSpec } }

export const revisionNumber = ({ revision }: ControllerRevision) => revision ?? 0

/**
 * The data of the revision that `set` is of. Its keys are sorted, as Go writes them: clients
 * compare it byte by byte with what they make of the set themselves.
 */
export function templatePatch({ spec }: Templated): JsonObject {
  const patch = { spec: { template: { ...spec.template, $patch: 'replace' } } }
  return sorted(patch) as JsonObject
}

export function hasData(revision: ControllerRevision, data: JsonObject): boolean {
  return Bun.deepEquals(revision.data, data)
}

/** `set` as it was at `revision`; all that a revision does not keep stays as it is. */
export function setAt<O extends Templated>(
  row: ResourceRow<O>,
  set: O,
  revision: ControllerRevision,
): O {
  const data = (revision.data ?? {}) as JsonObject
  const restored = applyStrategicMergePatch(set as unknown as JsonObject, data, row.schema())
  return restored as unknown as O
}

/**
 * Whether going back to `revision` would change nothing. Its data may differ in what has become a
 * default since it was written.
 */
export function isAt<O extends Templated>(
  row: ResourceRow<O>,
  set: O,
  revision: ControllerRevision,
): boolean {
  const data = templatePatch(set)
  if (hasData(revision, data)) return true
  const restored = structuredClone(setAt(row, set, revision))
  row.defaults(restored)
  return Bun.deepEquals(templatePatch(restored), data)
}

/** The oldest first. */
export function byRevision(a: ControllerRevision, b: ControllerRevision): number {
  const byNumber = revisionNumber(a) - revisionNumber(b)
  if (byNumber !== 0) return byNumber
  const [aTime, bTime] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '']
  if (aTime !== bTime) return aTime < bTime ? -1 : 1
  return (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1
}

export function revisionName(owner: KubeObject, hash: string): string {
  return `${(owner.metadata.name ?? '').slice(0, PREFIX_CHARS_MAX)}-${hash}`
}

/** The oldest of those that nothing needs, so that no more than `limit` of them are left. */
export function planForgetting(
  revisions: readonly ControllerRevision[],
  isNeeded: (revision: ControllerRevision) => boolean,
  limit: number,
): ControllerRevision[] {
  const unneeded = revisions.filter((revision) => !isNeeded(revision)).toSorted(byRevision)
  return limit < 0 ? [] : unneeded.slice(0, Math.max(0, unneeded.length - limit))
}

export type RevisionNaming = {
  hashOf: (collisionCount: number) => string
  draftOf: (hash: string) => ControllerRevision
  collisionCount: number
}

/**
 * Creates a revision under the first name that no other has. One that is there already with the
 * same data is as good: we made it, and our cache has not seen it yet.
 */
export async function createRevision(
  owner: KubeObject,
  { hashOf, draftOf, collisionCount }: RevisionNaming,
  { writer, client }: Kit,
  signal: AbortSignal,
): Promise<{ revision: ControllerRevision; collisionCount: number }> {
  let count = collisionCount
  for (;;) {
    const hash = hashOf(count)
    const name = revisionName(owner, hash)
    const draft = draftOf(hash)
    draft.metadata.name = name
    try {
      const revision = await writer.create(controllerRevisions, draft, signal)
      return { revision, collisionCount: count }
    } catch (error) {
      if (!isAlreadyExists(error) || count - collisionCount >= COLLISIONS_MAX) throw error
      const { namespace } = owner.metadata
      const there = await client.get(controllerRevisions, { namespace, name }, signal)
      if (Bun.deepEquals(there.data, draft.data)) return { revision: there, collisionCount: count }
      count++
    }
  }
}
