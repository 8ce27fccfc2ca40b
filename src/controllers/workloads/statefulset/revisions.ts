// Which revision a StatefulSet is at, and which it is on its way from.

import { controllerRevisions } from '../../../api/kinds/apps/controllerrevision/row.ts'
import { statefulSets } from '../../../api/kinds/apps/statefulset/row.ts'
import type { ControllerRevision, StatefulSet } from '../../../api/schema/generated/types.ts'
import type { Kit } from '../../../kit/controller.ts'
import { matchesSelector } from '../../../kit/labels.ts'
import { candidatesOf, ownerReference, performClaims, planClaims } from '../claims.ts'
import {
  byRevision,
  createRevision,
  hasData,
  isAt,
  revisionName,
  revisionNumber,
  templatePatch,
} from '../history.ts'
import { revisionHash } from '../template-hash.ts'

export type Revisions = {
  all: readonly ControllerRevision[]
  current: ControllerRevision
  update: ControllerRevision
  collisionCount: number
}

export type RevisionPlan =
  | { do: 'keep'; revision: ControllerRevision }
  /** It was so before: the number of that revision becomes the highest. */
  | { do: 'raise'; revision: ControllerRevision; to: number }
  | { do: 'create'; draft: ControllerRevision }

/** `revisions`, the oldest first, are all that the set has. */
export function planRevision(
  set: StatefulSet,
  revisions: readonly ControllerRevision[],
): RevisionPlan {
  const data = templatePatch(set)
  const newest = revisions.at(-1)
  const equal = revisions.findLast((revision) => hasData(revision, data))
  if (newest === undefined) return { do: 'create', draft: draftRevision(set, 1) }
  if (equal !== undefined && hasData(newest, data)) return { do: 'keep', revision: newest }
  const next = revisionNumber(newest) + 1
  if (equal !== undefined) return { do: 'raise', revision: equal, to: next }
  if (isAt(statefulSets, set, newest)) return { do: 'keep', revision: newest }
  return { do: 'create', draft: draftRevision(set, next) }
}

function draftRevision(set: StatefulSet, revision: number): ControllerRevision {
  const { annotations, namespace = '' } = set.metadata
  const data = templatePatch(set)
  const hash = revisionHash(data, set.status?.collisionCount ?? 0)
  const labels = { ...set.spec.template.metadata?.labels, 'controller.kubernetes.io/hash': hash }
  return {
    metadata: {
      name: revisionName(set, hash),
      namespace,
      labels,
      ...(annotations ? { annotations } : {}),
      ownerReferences: [ownerReference(statefulSets, set)],
    },
    data,
    revision,
  } as ControllerRevision
}

/** Makes the history tell of the set as it is. Undefined for a set that is going and has none. */
export async function settleRevisions(
  set: StatefulSet,
  kit: Kit,
  signal: AbortSignal,
): Promise<Revisions | undefined> {
  const before = await claimRevisions(set, kit, signal)
  const count = set.status?.collisionCount ?? 0
  const isGoing = set.metadata.deletionTimestamp !== undefined
  const plan = planRevision(set, before)
  if (isGoing && plan.do !== 'keep') return undefined
  const { revision: update, collisionCount } = await settle(set, plan, count, kit, signal)
  const all = [...before.filter(({ metadata }) => metadata.uid !== update.metadata.uid), update]
  const current = all.find(({ metadata }) => metadata.name === set.status?.currentRevision)
  return { all, current: current ?? update, update, collisionCount }
}

async function settle(
  set: StatefulSet,
  plan: RevisionPlan,
  collisionCount: number,
  kit: Kit,
  signal: AbortSignal,
): Promise<{ revision: ControllerRevision; collisionCount: number }> {
  switch (plan.do) {
    case 'keep':
      return { revision: plan.revision, collisionCount }
    case 'raise': {
      const raise = (draft: ControllerRevision) => {
        draft.revision = plan.to
      }
      const { writer } = kit
      const revision = await writer.change(controllerRevisions, plan.revision, raise, signal)
      return { revision, collisionCount }
    }
    case 'create': {
      const { draft } = plan
      const hashOf = (count: number) => revisionHash(draft.data, count)
      // The label keeps the hash that was tried first, as upstream's does.
      const draftOf = () => ({ ...draft, metadata: { ...draft.metadata } })
      return createRevision(set, { hashOf, draftOf, collisionCount }, kit, signal)
    }
  }
}

async function claimRevisions(
  set: StatefulSet,
  kit: Kit,
  signal: AbortSignal,
): Promise<ControllerRevision[]> {
  const isOurs = (revision: ControllerRevision) => matchesSelector(revision, set.spec.selector)
  // Those that were given other labels are left alone, but not let go.
  const candidates = candidatesOf(controllerRevisions, set, kit).filter(isOurs)
  const claims = planClaims(set, candidates, isOurs)
  const parties = { ownerRow: statefulSets, owner: set, row: controllerRevisions }
  const all = await performClaims(parties, claims, kit, signal)
  return all.toSorted(byRevision)
}
