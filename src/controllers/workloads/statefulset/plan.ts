// Decides what to do next for one StatefulSet. Pure.
//
// In order, one pod at a time:  0 ─ wait until it is available ─► 1 ─► … ─► last
//   then down:                  those beyond the last, the highest first, one at a time
//   then a roll:                from the last down to the partition, one at a time
//
// In parallel the first two go all at once. A pass ends at what must be waited for: a change of the
// pods brings the next one. Scaling comes before rolling.

import type { Pod, StatefulSet } from '../../../api/schema/generated/types.ts'
import { availableInMs, isFinished, isReady } from '../../pods.ts'
import { scaled } from '../percent.ts'
import {
  draftMember,
  hasIdentity,
  isWanted,
  ordinalOf,
  replicasOf,
  revisionOf,
  startOf,
  type Version,
} from './identity.ts'
import { type ClaimOf, type PodClaims, planPodClaims, waitsForClaims } from './pod-claims.ts'

export type World = {
  set: StatefulSet
  /** All that the set owns. */
  pods: readonly Pod[]
  claimOf: ClaimOf
  current: Version
  update: Version
  /** How long a pod that failed is still left alone. */
  waitMs: (ordinal: number) => number
  nowMs: number
}

export type Member = { pod: Pod; ordinal: number }

export type Action =
  | { do: 'create'; pod: Pod; ordinal: number; claims: PodClaims }
  /** Creates missing claims of a pod that waits for them, and settles whose they are. */
  | { do: 'claim'; pod: Pod; claims: PodClaims }
  | { do: 'mend'; pod: Pod; ordinal: number; claims: PodClaims }
  | { do: 'delete'; pod: Pod; ordinal: number; because: 'failed' | 'scaled' | 'old' }

/** Actions of a group go in order, or all at once; the groups always go in order. */
export type ActionGroup = { inParallel: boolean; actions: Action[] }

export type SetPlan = {
  groups: ActionGroup[]
  /** When a pod that failed may be replaced. */
  recheckInMs: number | undefined
}

/** One pass makes at most this many pods; the next pass continues. */
export const BURST_MAX = 500

/** What is done for one pod, and whether others wait for it. */
type Step = { actions: Action[]; blocks: boolean; waitMs?: number }

export function planStatefulSet(world: World): SetPlan {
  const { set } = world
  const plan: SetPlan = { groups: [], recheckInMs: undefined }
  if (set.metadata.deletionTimestamp !== undefined) return plan
  const inOrder = set.spec.podManagementPolicy !== 'Parallel'
  const goes = (stepOf: (member: Member) => Step, members: readonly Member[]) =>
    addGroup(plan, stepOf, members, inOrder)

  const { replicas, isWhole } = replicasOfSet(world, inOrder)
  if (!goes((member) => planReplica(world, member, inOrder), replicas)) return plan
  const condemned = condemnedOf(world)
  if (!goes((member) => planOwners(world, member), condemned)) return plan
  const firstUnavailable = condemned.findLast(({ pod }) => isUnavailable(world, pod))
  const planDown = (member: Member) => planCondemned(world, member, { inOrder, firstUnavailable })
  if (!goes(planDown, condemned) || !isWhole) return plan
  plan.groups.push({ inParallel: false, actions: planRoll(world, replicas) })
  return plan
}

/** False when what comes after must wait. */
function addGroup(
  plan: SetPlan,
  stepOf: (member: Member) => Step,
  members: readonly Member[],
  inOrder: boolean,
): boolean {
  const group: ActionGroup = { inParallel: !inOrder, actions: [] }
  plan.groups.push(group)
  for (const member of members) {
    const { actions, blocks, waitMs } = stepOf(member)
    group.actions.push(...actions)
    if (waitMs !== undefined) {
      plan.recheckInMs = Math.min(waitMs, plan.recheckInMs ?? Number.POSITIVE_INFINITY)
    }
    if (blocks && inOrder) return false
  }
  return true
}

/**
 * A pod for each number that is wanted, made up where there is none. No further than a pass gets:
 * somebody may want two thousand million of them.
 */
function replicasOfSet(world: World, inOrder: boolean): { replicas: Member[]; isWhole: boolean } {
  const { set } = world
  const there = new Map(world.pods.map((pod) => [ordinalOf(set, pod), pod]))
  const end = startOf(set) + replicasOf(set)
  const replicas: Member[] = []
  let left = inOrder ? 1 : BURST_MAX
  for (let ordinal = startOf(set); ordinal < end; ordinal++) {
    const pod = there.get(ordinal)
    if (pod === undefined && left-- === 0) return { replicas, isWhole: false }
    replicas.push({ ordinal, pod: pod ?? draftMember(world, ordinal) })
  }
  return { replicas, isWhole: true }
}

/** Those too many, from above. */
function condemnedOf({ set, pods }: World): Member[] {
  const members = pods.flatMap((pod) => {
    const ordinal = ordinalOf(set, pod)
    return ordinal === undefined || isWanted(set, ordinal) ? [] : [{ pod, ordinal }]
  })
  return members.toSorted((a, b) => b.ordinal - a.ordinal)
}

/** A pod that is only made up has no phase. */
export const isMade = ({ status }: Pod) => Boolean(status?.phase)
const isGoing = ({ metadata }: Pod) => metadata.deletionTimestamp !== undefined
export const isRunningAndReady = (pod: Pod) => pod.status?.phase === 'Running' && isReady(pod)

export function isAvailable({ set, nowMs }: Pick<World, 'set' | 'nowMs'>, pod: Pod): boolean {
  return availableInMs(pod, set.spec.minReadySeconds ?? 0, nowMs) === 0
}

function isUnavailable(world: World, pod: Pod): boolean {
  return !isAvailable(world, pod) || isGoing(pod)
}

function planReplica(world: World, { pod, ordinal }: Member, inOrder: boolean): Step {
  const { set, claimOf } = world
  if (isFinished(pod)) return planFailed(world, { pod, ordinal })
  const claimsOf = () => planPodClaims({ set, pod, ordinal }, claimOf)
  if (!isMade(pod)) {
    if (waitsForClaims({ set, pod, ordinal }, claimOf)) return { actions: [], blocks: true }
    return { actions: [{ do: 'create', pod, ordinal, claims: claimsOf() }], blocks: true }
  }
  const claims = claimsOf()
  const actions: Action[] = []
  if (pod.status?.phase === 'Pending' && hasWork(claims)) {
    actions.push({ do: 'claim', pod, claims })
  }
  const isSettled = !isGoing(pod) && isRunningAndReady(pod) && isAvailable(world, pod)
  if (inOrder && !isSettled) return { actions, blocks: true }
  const isRight = hasIdentity(set, pod, ordinal) && claims.owners.length === 0
  if (!isRight && actions.length === 0) actions.push({ do: 'mend', pod, ordinal, claims })
  return { actions, blocks: false }
}

const hasWork = ({ missing, going, owners }: PodClaims) =>
  missing.length + going.length + owners.length > 0

/** It is made again once it is gone. Also one that succeeded: sets run for ever. */
function planFailed({ waitMs }: World, { pod, ordinal }: Member): Step {
  if (isGoing(pod)) return { actions: [], blocks: true }
  const leftMs = waitMs(ordinal)
  if (leftMs > 0) return { actions: [], blocks: true, waitMs: leftMs }
  return { actions: [{ do: 'delete', pod, ordinal, because: 'failed' }], blocks: true }
}

function planOwners({ set, claimOf }: World, { pod, ordinal }: Member): Step {
  const { owners, contested } = planPodClaims({ set, pod, ordinal }, claimOf)
  if (owners.length === 0) return { actions: [], blocks: false }
  const claims = { missing: [], going: [], owners, contested }
  return { actions: [{ do: 'claim', pod, claims }], blocks: false }
}

/**
 * One that is not well blocks the others, unless it is the lowest such, which may go itself; or it
 * ended, and will never be well.
 */
function planCondemned(
  world: World,
  { pod, ordinal }: Member,
  { inOrder, firstUnavailable }: { inOrder: boolean; firstUnavailable: Member | undefined },
): Step {
  if (isGoing(pod)) return { actions: [], blocks: true }
  const isWell = isRunningAndReady(pod) && isAvailable(world, pod)
  const mayGo = isWell || isFinished(pod) || pod === firstUnavailable?.pod
  if (inOrder && !mayGo) return { actions: [], blocks: true }
  return { actions: [{ do: 'delete', pod, ordinal, because: 'scaled' }], blocks: true }
}

function planRoll(world: World, replicas: readonly Member[]): Action[] {
  const { type, rollingUpdate } = world.set.spec.updateStrategy ?? {}
  if (type === 'OnDelete') return []
  const fromLast = replicas.slice(rollingUpdate?.partition ?? 0).reverse()
  const isOld = ({ pod }: Member) => revisionOf(pod) !== world.update.name && !isGoing(pod)
  const remove = ({ pod, ordinal }: Member): Action => {
    return { do: 'delete', pod, ordinal, because: 'old' }
  }
  if (rollingUpdate?.maxUnavailable !== undefined) {
    const whole = replicasOf(world.set)
    const most = Math.max(1, scaled(rollingUpdate.maxUnavailable, whole, Math.floor))
    const missing = replicas.filter(({ pod }) => isUnavailable(world, pod)).length
    return fromLast
      .filter(isOld)
      .slice(0, Math.max(0, most - missing))
      .map(remove)
  }
  const next = fromLast.find((member) => isOld(member) || isUnavailable(world, member.pod))
  return next !== undefined && isOld(next) ? [remove(next)] : []
}
