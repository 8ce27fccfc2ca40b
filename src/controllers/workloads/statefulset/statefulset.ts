// Keeps the numbered pods of each StatefulSet, with the claims and the history that belong to them.
//
// All judgement is in plan.ts, status.ts, pod-claims.ts and revisions.ts.

import { controllerRevisions } from '../../../api/kinds/apps/controllerrevision/row.ts'
import { statefulSets } from '../../../api/kinds/apps/statefulset/row.ts'
import { persistentVolumeClaims } from '../../../api/kinds/core/persistentvolumeclaim/row.ts'
import { pods } from '../../../api/kinds/core/pod/row.ts'
import { controllerOf, keyOf } from '../../../api/object.ts'
import type { ControllerRevision, Pod, StatefulSet } from '../../../api/schema/generated/types.ts'
import { type Controller, defineController, type Kit, watching } from '../../../kit/controller.ts'
import { matchesSelector } from '../../../kit/labels.ts'
import { nextAvailableInMs } from '../../pods.ts'
import { candidatesOf, performClaims, planClaims } from '../claims.ts'
import { FailureBackoff } from '../failure-backoff.ts'
import { planForgetting, setAt } from '../history.ts'
import { inBatches } from '../pod-writes.ts'
import { claimTemplates, ordinalOf, revisionOf, type Version } from './identity.ts'
import { MemberWriter } from './member-writer.ts'
import { type Action, planStatefulSet, type SetPlan } from './plan.ts'
import type { ClaimOf } from './pod-claims.ts'
import { type Revisions, settleRevisions } from './revisions.ts'
import { planSetStatus } from './status.ts'

/** Ports that are taken for a moment are tried again soon, those taken for ever not too often. */
const FAILURE_WAIT_MS_MAX = 60_000

export function statefulSetController(): Controller<StatefulSet> {
  const backoff = new FailureBackoff(FAILURE_WAIT_MS_MAX)
  return defineController<StatefulSet>({
    name: 'statefulset-controller',
    reconciles: statefulSets,
    owns: [pods, controllerRevisions],
    watches: [
      watching(pods, (pod, list) => {
        if (controllerOf(pod) !== undefined) return []
        const all = list(statefulSets).inNamespace(pod.metadata.namespace ?? '')
        return all.filter((set) => isMember(set, pod)).map(keyOf)
      }),
      watchingClaims,
    ],

    async reconcile(set, kit, signal) {
      const owned = await claimPods(set, kit, signal)
      const revisions = await settleRevisions(set, kit, signal)
      // A set that is going makes no new revisions; without one there is nothing to say.
      if (revisions === undefined) return
      const { current, update, collisionCount } = revisions
      const nowMs = kit.clock.nowMs()
      const waits = backoff.of(keyOf(set), set.metadata)
      const plan = planStatefulSet({
        set,
        pods: owned,
        claimOf: claimsOf(set, kit),
        current: versionAt(set, current),
        update: versionAt(set, update),
        waitMs: (ordinal) => waits.waitMs(String(ordinal), nowMs),
        nowMs,
      })
      const writer = new MemberWriter(set, kit)
      const replaced = (ordinal: number) => waits.replaced(String(ordinal), nowMs)
      const { rolledCount, failure } = await performPlan(plan, writer, signal, replaced)
      const names = { current: nameOf(current), update: nameOf(update) }
      const seen = { set, pods: owned, ...names, collisionCount, rolledCount, nowMs }
      const status = planSetStatus(seen)
      await kit.writer.putStatus(statefulSets, set, status, signal)
      await forgetRevisions(set, owned, revisions, kit, signal)
      if (failure !== undefined) throw failure.error

      const dueMs = [
        nextAvailableInMs(owned, set.spec.minReadySeconds ?? 0, nowMs),
        plan.recheckInMs,
      ]
      const requeueInMs = Math.min(...dueMs.filter((ms) => ms !== undefined))
      if (requeueInMs !== Number.POSITIVE_INFINITY) return { requeueInMs }
    },

    async reconcileGone(key) {
      backoff.forget(key)
    },
  })
}

const nameOf = ({ metadata }: ControllerRevision) => metadata.name ?? ''

function versionAt(set: StatefulSet, revision: ControllerRevision): Version {
  return { name: nameOf(revision), set: setAt(statefulSets, set, revision) }
}

/** A pod that waits for the end of an old claim waits for nothing else. */
const watchingClaims = watching(
  persistentVolumeClaims,
  ({ metadata }, list) => {
    const { namespace = '', name = '' } = metadata
    const all = list(statefulSets).inNamespace(namespace)
    const isOf = (set: StatefulSet) =>
      claimTemplates(set).some(([template]) => name.startsWith(`${template}-${set.metadata.name}-`))
    return all.filter(isOf).map(keyOf)
  },
  (change) => {
    if (change.type !== 'updated') return change.type === 'deleted'
    const { metadata: now } = change.object
    const { metadata: before } = change.old
    const isGoing = now.deletionTimestamp !== before.deletionTimestamp
    return isGoing || !Bun.deepEquals(now.ownerReferences, before.ownerReferences)
  },
)

function isMember(set: StatefulSet, pod: Pod): boolean {
  return matchesSelector(pod, set.spec.selector) && ordinalOf(set, pod) !== undefined
}

function claimPods(set: StatefulSet, kit: Kit, signal: AbortSignal): Promise<Pod[]> {
  const claims = planClaims(set, candidatesOf(pods, set, kit), (pod) => isMember(set, pod))
  return performClaims({ ownerRow: statefulSets, owner: set, row: pods }, claims, kit, signal)
}

function claimsOf({ metadata }: StatefulSet, { list }: Kit): ClaimOf {
  return (name) => list(persistentVolumeClaims).get(`${metadata.namespace}/${name}`)
}

/** Ends at the first failure, which is returned: the status must be current all the same. */
async function performPlan(
  { groups }: SetPlan,
  writer: MemberWriter,
  signal: AbortSignal,
  replaced: (ordinal: number) => void,
): Promise<{ rolledCount: number; failure: { error: unknown } | undefined }> {
  let rolledCount = 0
  const perform = async (action: Action) => {
    await writer.perform(action, signal)
    if (action.do !== 'delete') return
    if (action.because === 'failed') replaced(action.ordinal)
    if (action.because === 'old') rolledCount++
  }
  for (const { inParallel, actions } of groups) {
    const failure = inParallel ? await inBatches(actions, perform) : await inTurn(actions, perform)
    if (failure !== undefined) return { rolledCount, failure }
  }
  return { rolledCount, failure: undefined }
}

async function inTurn<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<{ error: unknown } | undefined> {
  for (const item of items) {
    try {
      await work(item)
    } catch (error) {
      return { error }
    }
  }
}

async function forgetRevisions(
  set: StatefulSet,
  owned: readonly Pod[],
  { all, current, update }: Revisions,
  { writer }: Kit,
  signal: AbortSignal,
): Promise<void> {
  if (set.metadata.deletionTimestamp !== undefined) return
  const needed = new Set([...owned.map(revisionOf), current.metadata.name, update.metadata.name])
  const limit = set.spec.revisionHistoryLimit ?? 10
  const forgotten = planForgetting(all, ({ metadata }) => needed.has(metadata.name), limit)
  for (const revision of forgotten) await writer.remove(controllerRevisions, revision, {}, signal)
}
