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
import { ApiError } from '../../api/status.ts'
import { type Controller, defineController, type Kit, watching } from '../../kit/controller.ts'
import type { About } from '../../kit/events.ts'
import { hasLabels } from '../../kit/labels.ts'
import { conditionOf, nonZero, withCondition, withoutCondition } from '../conditions.ts'
import { availableInMs, isActive, isReady, isTerminating } from '../pods.ts'
import { ownerReference, performClaims, planClaims } from './claims.ts'
import { cheapestPods } from './deletion-order.ts'
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
      const candidates = candidatesOf(group, kit)
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
      const failure = isGoing ? undefined : await performReplicas(kind, group, plan, kit, signal)

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

/** Its own pods, and those of its namespace that nobody controls. */
function candidatesOf(group: KubeObject, { list }: Kit): Pod[] {
  const orphans = list(pods)
    .inNamespace(group.metadata.namespace ?? '')
    .filter((pod) => !pod.metadata.ownerReferences?.some(({ controller }) => controller))
  return [...list(pods).ownedBy(group), ...orphans]
}

export type Failure = { reason: 'FailedCreate' | 'FailedDelete'; error: unknown }

/** Starts and removes pods. A failure is returned, because the status must tell of it first. */
async function performReplicas<O extends Group>(
  kind: PodGroupKind<O>,
  group: O,
  plan: ReplicaPlan,
  kit: Kit,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const draft = podFrom(kind, group)
  for (let done = 0, batch = 1; done < plan.create; done += batch, batch *= 2) {
    // Batches that double: the first "quota exceeded" stops us, instead of five hundred of them.
    const size = Math.min(batch, plan.create - done)
    const tries = Array.from({ length: size }, () => createPod(kind, group, draft, kit, signal))
    const error = firstFailure(await Promise.allSettled(tries))
    if (error !== undefined) return { reason: 'FailedCreate', error }
  }
  const removals = plan.remove.map((pod) => removePod(kind, group, pod, kit, signal))
  const error = firstFailure(await Promise.allSettled(removals))
  return error === undefined ? undefined : { reason: 'FailedDelete', error }
}

function firstFailure(results: readonly PromiseSettledResult<void>[]): unknown {
  return results.find((result) => result.status === 'rejected')?.reason
}

async function createPod<O extends Group>(
  { row }: PodGroupKind<O>,
  object: O,
  draft: Pod,
  { writer, events }: Kit,
  signal: AbortSignal,
): Promise<void> {
  try {
    const pod = await writer.create(pods, draft, signal)
    events.normal({ row, object }, 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`)
  } catch (error) {
    // In a namespace that is going, nothing can be made and nothing needs to be said.
    if (signal.aborted || isNamespaceTerminating(error)) return
    events.warning({ row, object }, 'FailedCreate', `Error creating: ${messageOf(error)}`)
    throw error
  }
}

async function removePod<O extends Group>(
  { row }: PodGroupKind<O>,
  object: O,
  pod: Pod,
  { writer, events }: Kit,
  signal: AbortSignal,
): Promise<void> {
  try {
    await writer.remove(pods, pod, {}, signal)
    events.normal({ row, object }, 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`)
  } catch (error) {
    events.warning({ row, object }, 'FailedDelete', `Error deleting: ${messageOf(error)}`)
    throw new Error(`unable to delete pods: ${messageOf(error)}`)
  }
}

export function isNamespaceTerminating(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false
  return error.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating') ?? false
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function podFrom<O extends Group>(kind: PodGroupKind<O>, group: O): Pod {
  const { metadata = {}, spec } = kind.template(group) ?? {}
  const { labels, annotations, finalizers } = metadata
  return {
    metadata: {
      generateName: podPrefix(group.metadata.name ?? ''),
      namespace: group.metadata.namespace ?? '',
      ...(labels ? { labels } : {}),
      ...(annotations ? { annotations } : {}),
      ...(finalizers ? { finalizers } : {}),
      ownerReferences: [ownerReference(kind.row, group)],
    },
    spec: spec ?? { containers: [] },
  }
}

/** A name may be longer than a prefix with a dash may be; upstream then leaves the dash out. */
function podPrefix(name: string): string {
  return name.length < 253 ? `${name}-` : name
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

/** When the next of the ready pods counts as available; undefined when none is on its way. */
function nextAvailableInMs(
  active: readonly Pod[],
  minReadySeconds: number,
  nowMs: number,
): number | undefined {
  const waits = active
    .map((pod) => availableInMs(pod, minReadySeconds, nowMs))
    .filter((ms): ms is number => ms !== undefined && ms > 0)
  return waits.length === 0 ? undefined : Math.min(...waits)
}
