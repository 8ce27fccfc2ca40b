// The status of a Deployment, from its sets. Pure. Reasons and words are upstream's
// (pkg/controller/deployment/{sync,progress}.go): kubectl rollout and people read them.

import type {
  Deployment,
  DeploymentCondition,
  DeploymentStatus,
  ReplicaSet,
} from '../../api/schema/generated/types.ts'
import { formatTime, parseTime } from '../../api/time.ts'
import { conditionOf, nonZero } from '../conditions.ts'
import { availableOf, isComplete, KEEP_ALL } from './deployment-plan.ts'
import { maxUnavailable, replicasOf, sumOf } from './deployment-sets.ts'

/** What a pass did that the status must tell of. */
export type News =
  | { is: 'created'; name: string }
  | { is: 'create failed'; message: string }
  | { is: 'collision' }
  | undefined

export type StatusInput = {
  deployment: Deployment
  newSet: ReplicaSet | undefined
  oldSets: readonly ReplicaSet[]
  isRollout: boolean
  news: News
  nowMs: number
}

type Conditions = readonly DeploymentCondition[]
type Draft = { type: string; status: string; reason: string; message: string }

export function planDeploymentStatus(input: StatusInput): DeploymentStatus {
  const { deployment, newSet, oldSets, news } = input
  const all = newSet === undefined ? oldSets : [...oldSets, newSet]
  const available = sumOf(all, availableOf)
  const { collisionCount } = deployment.status ?? {}
  const counts = {
    ...nonZero({
      observedGeneration: deployment.metadata.generation,
      replicas: sumOf(all, ({ status }) => status?.replicas ?? 0),
      updatedReplicas: newSet?.status?.replicas,
      readyReplicas: sumOf(all, ({ status }) => status?.readyReplicas ?? 0),
      availableReplicas: available,
      unavailableReplicas: Math.max(0, sumOf(all, replicasOf) - available),
    }),
    ...terminatingOf(all),
    ...(news?.is === 'collision' ? { collisionCount: (collisionCount ?? 0) + 1 } : {}),
    ...(news?.is !== 'collision' && collisionCount !== undefined ? { collisionCount } : {}),
  }
  return { ...counts, conditions: planConditions(input, counts, available) }
}

/** Unknown while a set that was looked at does not say. */
function terminatingOf(sets: readonly ReplicaSet[]): { terminatingReplicas?: number } {
  let terminatingReplicas = 0
  for (const { status } of sets) {
    if (status?.terminatingReplicas !== undefined) terminatingReplicas += status.terminatingReplicas
    else if ((status?.observedGeneration ?? 0) > 0) return {}
  }
  return { terminatingReplicas }
}

function planConditions(
  input: StatusInput,
  counts: DeploymentStatus,
  available: number,
): DeploymentCondition[] {
  const { deployment, nowMs, isRollout } = input
  const set = (conditions: Conditions, draft: Draft) => withDraft(conditions, draft, nowMs)
  let conditions: Conditions = deployment.status?.conditions ?? []
  if (hasDeadline(deployment)) conditions = planNewsCondition(conditions, input)
  const isAvailable = available >= replicasOf(deployment) - maxUnavailable(deployment)
  conditions = set(conditions, isAvailable ? AVAILABLE : UNAVAILABLE)
  if (!isRollout) return [...conditions]

  if (!hasDeadline(deployment)) conditions = without(conditions, 'Progressing')
  else conditions = planProgress(conditions, input, counts)
  const failure = replicaFailure(input)
  return failure === undefined
    ? without(conditions, 'ReplicaFailure')
    : [...set(conditions, failure)]
}

const AVAILABLE: Draft = {
  type: 'Available',
  status: 'True',
  reason: 'MinimumReplicasAvailable',
  message: 'Deployment has minimum availability.',
}
const UNAVAILABLE: Draft = {
  type: 'Available',
  status: 'False',
  reason: 'MinimumReplicasUnavailable',
  message: 'Deployment does not have minimum availability.',
}

/** Progress as told by what was just done, not by counts: paused, resumed, created, found. */
function planNewsCondition(conditions: Conditions, input: StatusInput): Conditions {
  const { deployment, newSet, news, nowMs } = input
  const current = conditionOf(conditions, 'Progressing')
  const set = (status: string, reason: string, message: string) =>
    withDraft(conditions, { type: 'Progressing', status, reason, message }, nowMs)
  if (news?.is === 'created') {
    return set('True', 'NewReplicaSetCreated', `Created new replica set "${news.name}"`)
  }
  if (news?.is === 'create failed') return set('False', 'ReplicaSetCreateError', news.message)
  if (deployment.metadata.deletionTimestamp !== undefined) return conditions
  // A roll that timed out stays so; pausing it is no excuse.
  if (current?.reason !== 'ProgressDeadlineExceeded') {
    const wasPaused = current?.reason === 'DeploymentPaused'
    const isPaused = deployment.spec.paused ?? false
    if (isPaused && !wasPaused) return set('Unknown', 'DeploymentPaused', 'Deployment is paused')
    if (!isPaused && wasPaused) return set('Unknown', 'DeploymentResumed', 'Deployment is resumed')
  }
  if (current === undefined && newSet !== undefined) {
    const { name } = newSet.metadata
    return set('True', 'FoundNewReplicaSet', `Found new replica set "${name}"`)
  }
  return conditions
}

function planProgress(
  conditions: Conditions,
  { deployment, newSet, nowMs }: StatusInput,
  counts: DeploymentStatus,
): Conditions {
  const current = conditionOf(conditions, 'Progressing')
  const isDone =
    (counts.replicas ?? 0) === (counts.updatedReplicas ?? 0) &&
    current?.reason === 'NewReplicaSetAvailable'
  if (isDone) return conditions
  const subject = newSet
    ? `ReplicaSet "${newSet.metadata.name}"`
    : `Deployment "${deployment.metadata.name}"`
  const draft = (status: string, reason: string, what: string) => ({
    type: 'Progressing',
    status,
    reason,
    message: `${subject} ${what}`,
  })
  if (isComplete(deployment, counts)) {
    const done = draft('True', 'NewReplicaSetAvailable', 'has successfully progressed.')
    return withDraft(conditions, done, nowMs)
  }
  if (hasProgressed(deployment.status, counts)) {
    // The same reason again is news here: the time of the last progress moves.
    const fresh = withDraft([], draft('True', 'ReplicaSetUpdated', 'is progressing.'), nowMs)[0]!
    const { lastTransitionTime = fresh.lastTransitionTime! } = current ?? {}
    const moved = current?.status === 'True' ? { ...fresh, lastTransitionTime } : fresh
    return [...without(conditions, 'Progressing'), moved]
  }
  if (current !== undefined && deadlineInMs(deployment, current, nowMs) < 0) {
    const late = draft('False', 'ProgressDeadlineExceeded', 'has timed out progressing.')
    return withDraft(conditions, late, nowMs)
  }
  return conditions
}

/** More new pods, fewer old ones, or more that are ready or available. */
function hasProgressed(before: DeploymentStatus = {}, now: DeploymentStatus): boolean {
  const oldPods = (status: DeploymentStatus) =>
    (status.replicas ?? 0) - (status.updatedReplicas ?? 0)
  return (
    (now.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    oldPods(now) < oldPods(before) ||
    (now.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (now.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  )
}

/**
 * When the progress deadline must be looked at again, in ms from now; undefined when it need not:
 * no deadline, complete, or already missed.
 */
export function nextCheckInMs(
  deployment: Deployment,
  status: DeploymentStatus,
  nowMs: number,
): number | undefined {
  const progressing = conditionOf(status.conditions, 'Progressing')
  if (!hasDeadline(deployment) || progressing === undefined) return undefined
  if (progressing.reason === 'ProgressDeadlineExceeded') return undefined
  if (isComplete(deployment, status)) return undefined
  const inMs = deadlineInMs(deployment, progressing, nowMs)
  // Times on the wire are whole seconds; one more makes sure that the deadline has passed.
  return inMs === Number.POSITIVE_INFINITY ? undefined : Math.max(0, inMs) + 1000
}

function deadlineInMs(deployment: Deployment, current: DeploymentCondition, nowMs: number): number {
  // A roll that ended well is no base to judge the next one by.
  if (current.reason === 'NewReplicaSetAvailable') return Number.POSITIVE_INFINITY
  if (current.reason === 'ProgressDeadlineExceeded') return -1
  const sinceMs = parseTime(current.lastUpdateTime ?? formatTime(nowMs))
  return sinceMs + (deployment.spec.progressDeadlineSeconds ?? 0) * 1000 - nowMs
}

function hasDeadline({ spec }: Deployment): boolean {
  return (spec.progressDeadlineSeconds ?? KEEP_ALL) !== KEEP_ALL
}

/** The new set's failure to make pods, or else any set's. */
function replicaFailure({ newSet, oldSets }: StatusInput): Draft | undefined {
  for (const rs of newSet === undefined ? oldSets : [newSet, ...oldSets]) {
    const failure = conditionOf(rs.status?.conditions, 'ReplicaFailure')
    if (failure === undefined) continue
    const { type, status, reason = '', message = '' } = failure
    return { type, status, reason, message }
  }
  return undefined
}

/** As it was when status and reason stay; else at the end, as upstream puts it. */
function withDraft(conditions: Conditions, draft: Draft, nowMs: number): DeploymentCondition[] {
  const current = conditionOf(conditions, draft.type)
  if (current?.status === draft.status && current.reason === draft.reason) return [...conditions]
  const now = formatTime(nowMs)
  const isSameStatus = current?.status === draft.status
  const lastTransitionTime = isSameStatus ? (current.lastTransitionTime ?? now) : now
  const fresh = { ...draft, lastUpdateTime: now, lastTransitionTime }
  return [...without(conditions, draft.type), fresh]
}

function without(conditions: Conditions, type: string): DeploymentCondition[] {
  return conditions.filter((condition) => condition.type !== type)
}
