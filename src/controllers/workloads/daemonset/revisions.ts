// Which revision a DaemonSet is at.

import { controllerRevisions } from '../../../api/kinds/apps/controllerrevision/row.ts'
import { daemonSets } from '../../../api/kinds/apps/daemonset/row.ts'
import { pods } from '../../../api/kinds/core/pod/row.ts'
import type { ControllerRevision, DaemonSet, Pod } from '../../../api/schema/generated/types.ts'
import type { Kit } from '../../../kit/controller.ts'
import { matchesSelector } from '../../../kit/labels.ts'
import { candidatesOf, ownerReference, performClaims, planClaims } from '../claims.ts'
import {
  byRevision,
  createRevision,
  hasData,
  isAt,
  REVISION_LABEL,
  revisionNumber,
  templatePatch,
} from '../history.ts'
import { templateHash } from '../template-hash.ts'

export type Revisions = {
  /** Carried by the pods of the set as it is. */
  hash: string
  old: readonly ControllerRevision[]
  /** Undefined as long as no two names have collided. */
  collisionCount: number | undefined
}

export const hashOfRevision = ({ metadata }: ControllerRevision) =>
  // Those that others made may lack the label: then their name serves.
  metadata.labels?.[REVISION_LABEL] ?? metadata.name ?? ''

export type RevisionPlan = {
  /** Undefined: it is to be created. */
  current: ControllerRevision | undefined
  /** Others with the same data. */
  doubles: ControllerRevision[]
  old: ControllerRevision[]
  /** That of the current one, which must be the highest. */
  revision: number
}

export function planRevisions(
  set: DaemonSet,
  revisions: readonly ControllerRevision[],
): RevisionPlan {
  const data = templatePatch(set)
  const oldestFirst = revisions.toSorted(byRevision)
  let same = oldestFirst.filter((revision) => hasData(revision, data))
  const newest = oldestFirst.at(-1)
  if (same.length === 0 && newest !== undefined && isAt(daemonSets, set, newest)) same = [newest]
  const old = oldestFirst.filter((revision) => !same.includes(revision))
  const current = same.at(-1)
  const highest = old.at(-1)
  const next = (highest === undefined ? 0 : revisionNumber(highest)) + 1
  const revision = Math.max(next, current === undefined ? 0 : revisionNumber(current))
  return { current, doubles: same.slice(0, -1), old, revision }
}

/** Makes the history tell of the set as it is. `owned` are its pods. */
export async function settleRevisions(
  set: DaemonSet,
  owned: readonly Pod[],
  kit: Kit,
  signal: AbortSignal,
): Promise<Revisions> {
  const plan = planRevisions(set, await claimRevisions(set, kit, signal))
  const { collisionCount } = set.status ?? {}
  if (plan.current === undefined) {
    const count = collisionCount ?? 0
    const created = await create(set, plan.revision, count, kit, signal)
    return {
      hash: hashOfRevision(created.revision),
      old: plan.old,
      collisionCount: created.collisionCount === count ? collisionCount : created.collisionCount,
    }
  }
  const { current } = plan
  const edit = (draft: ControllerRevision) => {
    draft.revision = plan.revision
    draft.metadata.labels = { ...draft.metadata.labels, [REVISION_LABEL]: hashOfRevision(current) }
  }
  await kit.writer.change(controllerRevisions, current, edit, signal)
  const hash = hashOfRevision(current)
  if (plan.doubles.length > 0) await merge(plan.doubles, hash, owned, kit, signal)
  return { hash, old: plan.old, collisionCount }
}

function create(
  set: DaemonSet,
  revision: number,
  collisionCount: number,
  kit: Kit,
  signal: AbortSignal,
) {
  const { annotations, namespace = '' } = set.metadata
  const { template } = set.spec
  const draftOf = (hash: string) =>
    ({
      metadata: {
        namespace,
        labels: { ...template.metadata?.labels, [REVISION_LABEL]: hash },
        ...(annotations ? { annotations } : {}),
        ownerReferences: [ownerReference(daemonSets, set)],
      },
      data: templatePatch(set),
      revision,
    }) as ControllerRevision
  const hashOf = (count: number) => templateHash(template, count)
  return createRevision(set, { hashOf, draftOf, collisionCount }, kit, signal)
}

/** Pods of the doubles become pods of the one that stays. */
async function merge(
  doubles: readonly ControllerRevision[],
  hash: string,
  owned: readonly Pod[],
  { writer }: Kit,
  signal: AbortSignal,
): Promise<void> {
  const theirs = new Set(doubles.map(hashOfRevision))
  for (const pod of owned) {
    if (!theirs.has(pod.metadata.labels?.[REVISION_LABEL] ?? '')) continue
    const body = { metadata: { labels: { [REVISION_LABEL]: hash } } }
    await writer.patch(pods, pod, { type: 'merge', body }, signal)
  }
  for (const double of doubles) await writer.remove(controllerRevisions, double, {}, signal)
}

function claimRevisions(
  set: DaemonSet,
  kit: Kit,
  signal: AbortSignal,
): Promise<ControllerRevision[]> {
  const matches = (revision: ControllerRevision) => matchesSelector(revision, set.spec.selector)
  const claims = planClaims(set, candidatesOf(controllerRevisions, set, kit), matches)
  const parties = { ownerRow: daemonSets, owner: set, row: controllerRevisions }
  return performClaims(parties, claims, kit, signal)
}

/** As many as there are beyond `limit`, the oldest first; those that a pod is of stay. */
export function planForgetting(
  old: readonly ControllerRevision[],
  owned: readonly Pod[],
  limit: number,
): ControllerRevision[] {
  const live = new Set(owned.map(({ metadata }) => metadata.labels?.[REVISION_LABEL]))
  const unneeded = old.filter((revision) => !live.has(hashOfRevision(revision)))
  return unneeded.toSorted(byRevision).slice(0, Math.max(0, old.length - limit))
}
