// A number of equal pods: what ReplicaSets and ReplicationControllers have in common.
//
// Level-triggered: a pass compares the whole spec with every owned pod, so a missed event costs
// latency, never correctness.

import { humanDuration } from '../../api/duration.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import { type KubeObject, keyOf } from '../../api/object.ts'
import type { ResourceRow } from '../../api/resource.ts'
import type {
  Pod,
  PodTemplateSpec,
  ReplicaSetStatus,
  ReplicationControllerStatus,
} from '../../api/schema/generated/types.ts'
import { type Controller, defineController, type Kit, watching } from '../../kit/controller.ts'
import type { About } from '../../kit/events.ts'
import { hasLabels } from '../../kit/labels.ts'
import { conditionOf, nonZero, withCondition, withoutCondition } from '../conditions.ts'
import { messageOf } from '../failures.ts'
import { availableInMs, isActive, isReady, isTerminating, nextAvailableInMs } from '../pods.ts'
import { candidatesOf, performClaims, planClaims } from './claims.ts'
import { cheapestPods } from './deletion-order.ts'
import { draftPod, type Failure, performPods } from './pod-writes.ts'
import { planReplacement, type Replacement } from './replacement.ts'

/** One pass starts or removes at most this many pods; the next pass continues. */
export const BURST_MAX = 500

type Group = KubeObject & { status?: unknown }

/** How a kind says what a group of pods must be. */
export type PodGroupKind<O extends Group> = {
  name: string
  row: ResourceRow<O>
  replicas: (group: O) => number
  minReadySeconds: (group: O) => number
  template: (group: O) => PodTemplateSpec | undefined
  selects: (group: O, pod: Pod) => boolean
  status: (group: O) => GroupStatus | undefined
  /** Pods of other groups of the same owner, for choosing what to remove. */
  related?: (group: O, kit: Kit) => Pod[]
}

export type GroupStatus = ReplicaSetStatus & ReplicationControllerStatus

export type ReplicaPlan = { create: number; remove: Pod[] }

export function planReplicas(
  replicas: number,
  active: readonly Pod[],
  related: readonly Pod[],
  nowMs: number,
): ReplicaPlan {
  const missing = replicas - active.length
  if (missing >= 0) return { create: Math.min(missing, BURST_MAX), remove: [] }
  const count = Math.min(-missing, BURST_MAX)
  return { create: 0, remove: cheapestPods(active, related, count, nowMs) }
}

/** The controller of a kind that keeps a number of pods. */
export function podGroupController<O extends Group>(kind: PodGroupKind<O>): Controller<O> {
  const { row } = kind
  /** The failed pod that each group was last told to wait for. */
  const told = new Map<string, string>()
  return defineController<O>({
    name: kind.name,
    reconciles: row,
    owns: [pods],
    watches: [
      watching(pods, (pod, list) => {
        if (pod.metadata.ownerReferences?.some(({ controller }) => controller)) return []
        const groups = list(row).inNamespace(pod.metadata.namespace ?? '')
        return groups.filter((group) => kind.selects(group, pod)).map(keyOf)
      }),
    ],

    async reconcile(group, kit, signal) {
      const nowMs = kit.clock.nowMs()
      const candidates = candidatesOf(pods, group, kit)
      const matches = (pod: Pod) => kind.selects(group, pod)
      const claims = planClaims(group, candidates.filter(isActive), matches)
      const parties = { ownerRow: row, owner: group, row: pods }
      const active = await performClaims(parties, claims, kit, signal)
      const terminating = kit.list(pods).ownedBy(group).filter(isTerminating).filter(matches)

      const isGoing = group.metadata.deletionTimestamp !== undefined
      const related = kind.related?.(group, kit) ?? active
      const wanted = planReplicas(kind.replicas(group), active, related, nowMs)
      const replacement = planReplacement(kit.list(pods).ownedBy(group), nowMs)
      const isWaiting = !isGoing && wanted.create > 0 && replacement.waitMs > 0
      const plan = isWaiting ? { ...wanted, create: 0 } : wanted
      if (isWaiting) tellWaiting({ row, object: group }, replacement, told, kit)
      const failure = isGoing ? undefined : await perform(kind, group, plan, kit, signal)

      const status = planStatus(kind, group, { active, terminating, failure, nowMs })
      await kit.writer.putStatus(row, group, status as NonNullable<O['status']>, signal)
      if (failure !== undefined) throw failure.error
      const settlesInMs = nextAvailableInMs(active, kind.minReadySeconds(group), nowMs)
      const dueMs = [settlesInMs, isWaiting ? replacement.waitMs : undefined]
      const requeueInMs = Math.min(...dueMs.filter((ms) => ms !== undefined))
      if (requeueInMs !== Number.POSITIVE_INFINITY) return { requeueInMs }
    },

    async reconcileGone(key) {
      told.delete(key)
    },
  })
}

/** Once for each failure; the first is replaced so soon that there is nothing to tell. */
function tellWaiting(
  about: About,
  { last, rounds, waitMs }: Replacement,
  told: Map<string, string>,
  { events }: Kit,
): void {
  const key = keyOf(about.object)
  const { name = '', uid = '' } = last?.metadata ?? {}
  if (rounds < 2 || told.get(key) === uid) return
  told.set(key, uid)
  const why = last?.status?.reason || last?.status?.message || 'its containers ended'
  const wait = `waiting ${humanDuration(Math.ceil(waitMs / 1000) * 1000)} before making another`
  const message = `Pod ${name} failed (${why}), ${rounds} times in a row: ${wait}`
  events.warning(about, 'ReplacementBackOff', message)
}

function perform<O extends Group>(
  { row, template }: PodGroupKind<O>,
  object: O,
  { create, remove }: ReplicaPlan,
  kit: Kit,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const draft = draftPod({ row, object }, template(object))
  const drafts = Array.from({ length: create }, () => draft)
  return performPods({ row, object }, { create: drafts, remove }, kit, signal)
}

type Observed = {
  active: readonly Pod[]
  terminating: readonly Pod[]
  failure: Failure | undefined
  nowMs: number
}

function planStatus<O extends Group>(
  kind: PodGroupKind<O>,
  group: O,
  { active, terminating, failure, nowMs }: Observed,
): GroupStatus {
  const labels = kind.template(group)?.metadata?.labels ?? {}
  const minReadySeconds = kind.minReadySeconds(group)
  const isAvailable = (pod: Pod) => availableInMs(pod, minReadySeconds, nowMs) === 0
  const conditions = planConditions(kind.status(group)?.conditions, failure, nowMs)
  return {
    replicas: active.length,
    ...nonZero({
      fullyLabeledReplicas: active.filter((pod) => hasLabels(pod, labels)).length,
      readyReplicas: active.filter(isReady).length,
      availableReplicas: active.filter(isAvailable).length,
      observedGeneration: group.metadata.generation,
      conditions,
    }),
    ...(kind.row.kind === 'ReplicaSet' ? { terminatingReplicas: terminating.length } : {}),
  } as GroupStatus
}

function planConditions(
  old: GroupStatus['conditions'],
  failure: Failure | undefined,
  nowMs: number,
): GroupStatus['conditions'] {
  const type = 'ReplicaFailure'
  if (failure === undefined) return withoutCondition(old, type)
  // The first failure stays the story until it is over: its message must not change at each try.
  if (conditionOf(old, type) !== undefined) return old
  const message = messageOf(failure.error)
  return withCondition(old, { type, status: 'True', reason: failure.reason, message }, nowMs)
}
