// Decides what to do next for one DaemonSet. Pure.
//
// First each node by itself: a pod where one should be, none where none should, one where there are
// several. When that is so everywhere, a roll: old pods go so that new ones can come, or, with
// surge, new ones come so that old ones can go.

import type { DaemonSet, Node, Pod } from '../../../api/schema/generated/types.ts'
import { availableInMs, isFinished, isReady } from '../../pods.ts'
import { scaled } from '../percent.ts'
import { type Fit, fitOf, isUpdated, targetNode, type Version } from './pod.ts'

export type World = {
  set: DaemonSet
  nodes: readonly Node[]
  /** All that the set owns. */
  pods: readonly Pod[]
  version: Version
  /** How long a pod that failed on a node is still left alone. */
  waitMs: (node: string) => number
  nowMs: number
}

export type News = { type: 'Normal' | 'Warning'; reason: string; message: string }

export type DaemonPlan = {
  /** Names of nodes. */
  create: string[]
  remove: Pod[]
  news: News[]
  /** Nodes whose failed pods are among those removed. */
  failed: string[]
  /** When a pod that failed may be replaced. */
  recheckInMs: number | undefined
}

/** One pass makes and removes at most this many pods each; the next pass continues. */
const BURST_MAX = 250

export function planDaemonSet(world: World): DaemonPlan {
  const byNode = podsByNode(world.pods)
  const fits = new Map(world.nodes.map((node) => [nameOf(node), fitOf(world.set, node)]))
  const plan: DaemonPlan = {
    create: [],
    remove: [],
    news: [],
    failed: [],
    recheckInMs: undefined,
  }
  for (const [node, fit] of fits) planNode(world, plan, { node, fit, pods: byNode.get(node) })
  for (const [node, pods] of byNode) {
    // The scheduler cannot bind them any more, and nobody else takes them away.
    if (!fits.has(node)) plan.remove.push(...pods.filter(({ spec }) => !spec.nodeName))
  }
  if (plan.create.length + plan.remove.length === 0) planRoll(world, plan, { byNode, fits })
  return {
    ...plan,
    create: plan.create.slice(0, BURST_MAX),
    remove: plan.remove.slice(0, BURST_MAX),
  }
}

const nameOf = ({ metadata }: Node) => metadata.name ?? ''
export const isGoing = ({ metadata }: Pod) => metadata.deletionTimestamp !== undefined

/** Without those that ended and are only waiting for others to let go of them. */
export function podsByNode(pods: readonly Pod[]): Map<string, Pod[]> {
  const byNode = new Map<string, Pod[]>()
  for (const pod of pods) {
    if (isFinished(pod) && isGoing(pod)) continue
    const node = targetNode(pod)
    if (node === undefined) continue
    const there = byNode.get(node)
    if (there === undefined) byNode.set(node, [pod])
    else there.push(pod)
  }
  return byNode
}

/** Those that are bound first, then the oldest. */
export function byAge(a: Pod, b: Pod): number {
  const bound = Number(Boolean(b.spec.nodeName)) - Number(Boolean(a.spec.nodeName))
  if (bound !== 0) return bound
  const [aTime, bTime] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '']
  if (aTime !== bTime) return aTime < bTime ? -1 : 1
  return (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1
}

type Place = { node: string; fit: Fit; pods: readonly Pod[] | undefined }

function planNode(world: World, plan: DaemonPlan, { node, fit, pods }: Place): void {
  if (pods === undefined) {
    if (fit.runs) plan.create.push(node)
    return
  }
  const staying = pods.filter((pod) => !isGoing(pod))
  if (!fit.stays) {
    plan.remove.push(...staying)
    return
  }
  const running = staying.filter((pod) => !planEnded(world, plan, { node, pod })).toSorted(byAge)
  if (!allowsSurge(world.set)) plan.remove.push(...running.slice(1))
  else if (running.length === 0) {
    // With surge a new one need not wait until the old is gone; but for one that ended it does.
    if (fit.runs && !staying.some(isFinished)) plan.create.push(node)
  } else if (running.length > 1) plan.remove.push(...surplus(world, running))
}

/** Whether the pod is over; then it goes, and another is made when it is gone. */
function planEnded(
  { waitMs }: World,
  plan: DaemonPlan,
  { node, pod }: { node: string; pod: Pod },
): boolean {
  if (!isFinished(pod)) return false
  const name = `${pod.metadata.namespace}/${pod.metadata.name}`
  if (pod.status?.phase === 'Succeeded') {
    const message = `Found succeeded daemon pod ${name} on node ${node}, will try to delete it`
    plan.news.push({ type: 'Normal', reason: 'SucceededDaemonPod', message })
    plan.remove.push(pod)
    return true
  }
  const leftMs = waitMs(node)
  if (leftMs > 0) {
    plan.recheckInMs = Math.min(leftMs, plan.recheckInMs ?? Number.POSITIVE_INFINITY)
    return true
  }
  const message = `Found failed daemon pod ${name} on node ${node}, will try to kill it`
  plan.news.push({ type: 'Warning', reason: 'FailedDaemonPod', message })
  plan.failed.push(node)
  plan.remove.push(pod)
  return true
}

/**
 * In a roll with surge an old pod that is ready may stand beside a new one that is not available
 * yet. All others than the oldest of each are too many.
 */
function surplus(world: World, running: readonly Pod[]): Pod[] {
  const newPod = running.find((pod) => isUpdated(pod, { ...world.version, generation: undefined }))
  const oldPod = running.find((pod) => !isUpdated(pod, { ...world.version, generation: undefined }))
  const others = running.filter((pod) => pod !== newPod && pod !== oldPod)
  if (newPod === undefined || oldPod === undefined) return others
  const isReplaced = !isReady(oldPod) || isAvailable(world, newPod)
  return isReplaced ? [...others, oldPod] : others
}

export function isAvailable({ set, nowMs }: Pick<World, 'set' | 'nowMs'>, pod: Pod): boolean {
  return availableInMs(pod, set.spec.minReadySeconds ?? 0, nowMs) === 0
}

function rollingUpdate({ spec }: DaemonSet) {
  const { type, rollingUpdate: bounds } = spec.updateStrategy ?? {}
  return type === 'RollingUpdate' ? bounds : undefined
}

function surgeOf(set: DaemonSet, nodeCount: number): number {
  return scaled(rollingUpdate(set)?.maxSurge ?? 0, nodeCount, Math.ceil)
}

const allowsSurge = (set: DaemonSet) => surgeOf(set, 1) > 0

type Cluster = { byNode: ReadonlyMap<string, readonly Pod[]>; fits: ReadonlyMap<string, Fit> }

function planRoll({ set, ...world }: World, plan: DaemonPlan, { byNode, fits }: Cluster): void {
  const bounds = rollingUpdate(set)
  if (bounds === undefined) return
  const wanted = [...fits].filter(([, { runs }]) => runs).map(([node]) => node)
  const surge = surgeOf(set, wanted.length)
  const most = scaled(bounds.maxUnavailable ?? 0, wanted.length, Math.ceil)
  const nodes = [...new Set([...wanted, ...byNode.keys()])].toSorted()
  const pairs = nodes.map((node) => pairOn(node, byNode.get(node) ?? [], world.version))
  const whole = { set, ...world }
  if (surge > 0) {
    planSurge(whole, plan, { pairs, fits, surge, wantedCount: wanted.length })
  } else planReplace(whole, plan, pairs, most === 0 && wanted.length > 0 ? 1 : most)
}

/** The old and the new pod of a node; `isCrowded` when there is more than one of either. */
type Pair = { node: string; newPod?: Pod; oldPod?: Pod; isCrowded: boolean }

function pairOn(node: string, pods: readonly Pod[], version: Version): Pair {
  const staying = pods.filter((pod) => !isGoing(pod))
  const [newPod, ...moreNew] = staying.filter((pod) => isUpdated(pod, version))
  const [oldPod, ...moreOld] = staying.filter((pod) => !isUpdated(pod, version))
  if (moreNew.length + moreOld.length > 0) return { node, isCrowded: true }
  return {
    node,
    isCrowded: false,
    ...(newPod === undefined ? {} : { newPod }),
    ...(oldPod === undefined ? {} : { oldPod }),
  }
}

/** Old pods that are not available go at once; of the others as many as may be missing. */
function planReplace(world: World, plan: DaemonPlan, pairs: readonly Pair[], most: number): void {
  let missing = 0
  const candidates: Pod[] = []
  for (const { newPod, oldPod, isCrowded } of pairs) {
    if (isCrowded || Boolean(newPod) === Boolean(oldPod)) missing++
    else if (newPod !== undefined) missing += isAvailable(world, newPod) ? 0 : 1
    else if (oldPod !== undefined && isAvailable(world, oldPod)) candidates.push(oldPod)
    else if (oldPod !== undefined) {
      plan.remove.push(oldPod)
      missing++
    }
  }
  plan.remove.push(...candidates.slice(0, Math.max(0, most - missing)))
}

type Surge = {
  pairs: readonly Pair[]
  fits: ReadonlyMap<string, Fit>
  surge: number
  wantedCount: number
}

/** New pods come beside old ones, which go when the new are available. */
function planSurge(
  world: World,
  plan: DaemonPlan,
  { pairs, fits, surge, wantedCount }: Surge,
): void {
  let surging = 0
  let available = 0
  const candidates: string[] = []
  const unwanted: Pod[] = []
  for (const { node, newPod, oldPod, isCrowded } of pairs) {
    if (isCrowded) {
      surging++
      continue
    }
    const first = oldPod ?? newPod
    const isFirstAvailable = first !== undefined && isAvailable(world, first)
    if (isFirstAvailable) available++
    if (oldPod === undefined) continue
    if (newPod !== undefined) {
      if (isAvailable(world, newPod)) plan.remove.push(oldPod)
      else surging++
    } else if (fits.get(node)?.runs) {
      if (isFirstAvailable) candidates.push(node)
      else plan.create.push(node)
    } else if (isFirstAvailable) unwanted.push(oldPod)
    else plan.remove.push(oldPod)
  }
  // Where pods are no longer wanted they serve until enough others do.
  plan.remove.push(...unwanted.slice(0, Math.max(0, available - wantedCount)))
  plan.create.push(...candidates.slice(0, Math.max(0, surge - surging)))
}
