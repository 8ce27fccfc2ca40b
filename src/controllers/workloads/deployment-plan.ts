// Decides the next step of a Deployment. Pure.
//
// One pass takes one kind of step: bring the new set's annotations up to date, create it, resize
// sets, or clean up. Each step changes a ReplicaSet, which wakes the Deployment for the next one.

import type { Deployment, ReplicaSet } from '../../api/schema/generated/types.ts'
import { own } from '../../lib/own.ts'
import {
  type Annotations,
  byCreation,
  desiredAnnotation,
  draftSet,
  isActiveSet,
  isRolling,
  maxAnnotation,
  maxSurge,
  maxUnavailable,
  newSetAnnotations,
  replicasOf,
  revisionOfSet,
  sizeAnnotations,
  sortSets,
  sumOf,
} from './deployment-sets.ts'

export type World = {
  deployment: Deployment
  /** All that the Deployment owns. */
  sets: readonly ReplicaSet[]
  /** Pods of a set that have not ended yet, terminating ones too. */
  podsLeft: (rs: ReplicaSet) => number
}

export type Resize = { rs: ReplicaSet; replicas: number; annotations: Annotations }

export type DeploymentStep =
  | { do: 'nothing' }
  | { do: 'annotate'; rs: ReplicaSet; annotations: Annotations; minReadySeconds: number }
  | { do: 'create'; draft: ReplicaSet }
  | { do: 'resize'; sets: Resize[] }
  | { do: 'clean-up'; sets: ReplicaSet[] }

export type DeploymentPlan = {
  step: DeploymentStep
  /** False while nothing rolls (paused, scaling, deleted): then progress is not judged. */
  isRollout: boolean
}

type Sets = { newSet: ReplicaSet | undefined; oldSets: ReplicaSet[] }

export function planDeployment(world: World): DeploymentPlan {
  const { deployment } = world
  if (deployment.metadata.deletionTimestamp !== undefined) {
    return { step: { do: 'nothing' }, isRollout: false }
  }
  const sets = sortSets(deployment, world.sets)
  const isPaused = deployment.spec.paused ?? false
  const isRollout = !isPaused && !isScaling(deployment, world.sets)
  const annotate = planAnnotations(deployment, sets)
  if (annotate !== undefined) return { step: annotate, isRollout }
  if (!isRollout) {
    const sizes = planScale(deployment, sets)
    if (sizes.length > 0 || !isPaused) return { step: resize(sizes), isRollout }
    return { step: planCleanUp(deployment, sets.oldSets), isRollout }
  }
  const step = isRolling(deployment) ? planRoll(deployment, sets) : planRecreate(world, sets)
  return { step, isRollout }
}

/** The Deployment's size changed since its sets were last told. */
function isScaling(deployment: Deployment, sets: readonly ReplicaSet[]): boolean {
  return sets.filter(isActiveSet).some((rs) => {
    const desired = desiredAnnotation(rs)
    return desired !== undefined && desired !== replicasOf(deployment)
  })
}

function planAnnotations(
  deployment: Deployment,
  { newSet, oldSets }: Sets,
): DeploymentStep | undefined {
  if (newSet === undefined) return undefined
  const annotations = newSetAnnotations(deployment, newSet, oldSets)
  const minReadySeconds = deployment.spec.minReadySeconds ?? 0
  const isCurrent =
    Bun.deepEquals(annotations, newSet.metadata.annotations ?? {}) &&
    minReadySeconds === (newSet.spec.minReadySeconds ?? 0)
  return isCurrent ? undefined : { do: 'annotate', rs: newSet, annotations, minReadySeconds }
}

function planRoll(deployment: Deployment, { newSet, oldSets }: Sets): DeploymentStep {
  if (newSet === undefined) {
    const replicas = newSetSize(deployment, 0, oldSets)
    return { do: 'create', draft: draftSet(deployment, oldSets, replicas) }
  }
  const up = resizeOf(deployment, newSet, newSetSize(deployment, replicasOf(newSet), oldSets))
  if (up.length > 0) return resize(up)
  const down = planShrink(deployment, newSet, oldSets)
  if (down.length > 0) return resize(down)
  return isComplete(deployment) ? planCleanUp(deployment, oldSets) : { do: 'nothing' }
}

/** As many as asked for, as long as all sets together stay within replicas + surge. */
function newSetSize(deployment: Deployment, size: number, oldSets: readonly ReplicaSet[]): number {
  const replicas = replicasOf(deployment)
  if (!isRolling(deployment) || size >= replicas) return replicas
  const room = replicas + maxSurge(deployment) - sumOf(oldSets, replicasOf) - size
  return room <= 0 ? size : size + Math.min(room, replicas - size)
}

/** Old sets shrink by what is unhealthy first, then by what is available beyond the minimum. */
function planShrink(
  deployment: Deployment,
  newSet: ReplicaSet,
  oldSets: readonly ReplicaSet[],
): Resize[] {
  const active = oldSets.filter(isActiveSet).toSorted(byCreation)
  const minAvailable = replicasOf(deployment) - maxUnavailable(deployment)
  const total = sumOf(active, replicasOf) + replicasOf(newSet)
  const newUnavailable = replicasOf(newSet) - availableOf(newSet)
  let mayGo = total - minAvailable - newUnavailable
  if (mayGo <= 0) return []

  const sizes = new Map(active.map((rs) => [rs, replicasOf(rs)]))
  for (const rs of active) {
    const unhealthy = Math.max(0, replicasOf(rs) - availableOf(rs))
    const count = Math.min(mayGo, unhealthy)
    sizes.set(rs, replicasOf(rs) - count)
    mayGo -= count
  }
  let surplus = sumOf([...active, newSet], availableOf) - minAvailable
  for (const rs of active) {
    const count = Math.max(0, Math.min(sizes.get(rs)!, surplus))
    sizes.set(rs, sizes.get(rs)! - count)
    surplus -= count
  }
  return active.flatMap((rs) => resizeOf(deployment, rs, sizes.get(rs)!))
}

/** Old sets go to zero, all their pods end, and only then the new set starts. */
function planRecreate({ deployment, podsLeft }: World, { newSet, oldSets }: Sets): DeploymentStep {
  const down = oldSets.filter(isActiveSet).flatMap((rs) => resizeOf(deployment, rs, 0))
  if (down.length > 0) return resize(down)
  const isOldLeft = oldSets.some((rs) => (rs.status?.replicas ?? 0) > 0 || podsLeft(rs) > 0)
  if (isOldLeft) return { do: 'nothing' }
  const replicas = replicasOf(deployment)
  if (newSet === undefined) return { do: 'create', draft: draftSet(deployment, oldSets, replicas) }
  const up = resizeOf(deployment, newSet, replicas)
  if (up.length > 0) return resize(up)
  return isComplete(deployment) ? planCleanUp(deployment, oldSets) : { do: 'nothing' }
}

/** A change of size, not of template: one set takes it all; in the middle of a roll they share. */
function planScale(deployment: Deployment, { newSet, oldSets }: Sets): Resize[] {
  const all = newSet === undefined ? oldSets : [...oldSets, newSet]
  const active = all.filter(isActiveSet)
  if (active.length <= 1) {
    const only = active[0] ?? newSet ?? oldSets.at(-1)
    return only === undefined ? [] : resizeOf(deployment, only, replicasOf(deployment))
  }
  if (newSet !== undefined && isSaturated(deployment, newSet)) {
    return oldSets.filter(isActiveSet).flatMap((rs) => resizeOf(deployment, rs, 0))
  }
  return isRolling(deployment) ? planProportions(deployment, active) : []
}

/** Every set grows or shrinks by its share; what rounding leaves goes to the largest. */
function planProportions(deployment: Deployment, active: readonly ReplicaSet[]): Resize[] {
  const replicas = replicasOf(deployment)
  const allowed = replicas > 0 ? replicas + maxSurge(deployment) : 0
  const toAdd = allowed - sumOf(active, replicasOf)
  const bySize = (a: ReplicaSet, b: ReplicaSet) => {
    const ageOrder = toAdd > 0 ? byCreation(b, a) : byCreation(a, b)
    return replicasOf(b) - replicasOf(a) || ageOrder
  }
  const largestFirst = active.toSorted(bySize)
  let left = toAdd
  const sizes = largestFirst.map((rs) => {
    const share = shareOf(deployment, rs)
    const count = toAdd > 0 ? Math.min(share, left) : Math.max(share, left)
    const change = left === 0 ? 0 : count
    left -= change
    return replicasOf(rs) + change
  })
  sizes[0] = Math.max(0, sizes[0]! + left)
  return largestFirst.flatMap((rs, i) => {
    const annotations = sizeAnnotations(deployment)
    const isTold = Object.entries(annotations).every(
      ([name, value]) => own(rs.metadata.annotations, name) === value,
    )
    return isTold && sizes[i] === replicasOf(rs) ? [] : [{ rs, replicas: sizes[i]!, annotations }]
  })
}

/** By how much `rs` changes if it keeps its part of the whole. */
function shareOf(deployment: Deployment, rs: ReplicaSet): number {
  const size = replicasOf(rs)
  if (replicasOf(deployment) === 0) return -size
  const before = maxAnnotation(rs) || (deployment.status?.replicas ?? 0)
  if (before === 0) return 0
  const exact = (size * (replicasOf(deployment) + maxSurge(deployment))) / before
  return Math.round(exact) - size
}

function isSaturated(deployment: Deployment, rs: ReplicaSet): boolean {
  const replicas = replicasOf(deployment)
  return (
    replicasOf(rs) === replicas &&
    desiredAnnotation(rs) === replicas &&
    availableOf(rs) === replicas
  )
}

/** Old sets beyond the history limit, the lowest revision first; only those that are empty. */
function planCleanUp(deployment: Deployment, oldSets: readonly ReplicaSet[]): DeploymentStep {
  const { revisionHistoryLimit = KEEP_ALL } = deployment.spec
  if (revisionHistoryLimit === KEEP_ALL) return { do: 'nothing' }
  const alive = oldSets.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
  const surplus = alive.length - revisionHistoryLimit
  if (surplus <= 0) return { do: 'nothing' }
  const oldestFirst = alive.toSorted(
    (a, b) => Number(revisionOfSet(a) - revisionOfSet(b)) || byCreation(a, b),
  )
  const sets = oldestFirst.slice(0, surplus).filter(isEmptySet)
  return sets.length === 0 ? { do: 'nothing' } : { do: 'clean-up', sets }
}

/** What "no limit" looks like in these fields. */
export const KEEP_ALL = 2 ** 31 - 1

function isEmptySet({ spec, status, metadata }: ReplicaSet): boolean {
  const isSeen = (metadata.generation ?? 0) <= (status?.observedGeneration ?? 0)
  return isSeen && (status?.replicas ?? 0) === 0 && spec.replicas === 0
}

/** All pods are of the new template and available, and no others are left. */
export function isComplete(
  { spec, metadata, status: stored }: Deployment,
  status: Deployment['status'] = stored,
): boolean {
  const replicas = spec.replicas ?? 1
  return (
    (status?.updatedReplicas ?? 0) === replicas &&
    (status?.replicas ?? 0) === replicas &&
    (status?.availableReplicas ?? 0) === replicas &&
    (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0)
  )
}

export const availableOf = ({ status }: ReplicaSet) => status?.availableReplicas ?? 0

function resizeOf(deployment: Deployment, rs: ReplicaSet, replicas: number): Resize[] {
  if (replicasOf(rs) === replicas) return []
  return [{ rs, replicas, annotations: sizeAnnotations(deployment) }]
}

function resize(sets: Resize[]): DeploymentStep {
  return sets.length === 0 ? { do: 'nothing' } : { do: 'resize', sets }
}
