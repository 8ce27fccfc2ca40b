// Keeps a node from being promised to more than it has, and prefers the one with more to spare.

import { nodes } from '../../api/kinds/core/node/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import type { Node, Pod } from '../../api/schema/generated/types.ts'
import type { Change } from '../../kit/informer.ts'
import { hintOf, type MakePlugin, type Refusal, SCORE_MAX } from '../framework.ts'
import { draftOf, type NodeState } from '../node-state.ts'
import { type Amounts, requestsOf } from '../requests.ts'

const SCORED = ['cpu', 'memory'] as const

export const nodeResourcesFit: MakePlugin = () => ({
  name: 'NodeResourcesFit',
  weight: 1,
  preFilter: ({ requests }) => ({ filter: (state) => lacks(requests, state) }),
  preScore: ({ scored }) => ({ score: (state) => leastAllocated(scored, state) }),
  hints: [hintOf(pods, freesSome), hintOf(nodes, hasMore)],
})

function lacks(
  requests: Amounts,
  { allocatable, requested, pods }: NodeState,
): Refusal | undefined {
  const reasons: string[] = []
  let isFinal = false
  if (pods.size + 1 > (allocatable.get('pods') ?? 0)) reasons.push('Too many pods')
  for (const [name, amount] of requests) {
    if (amount === 0) continue
    const total = allocatable.get(name) ?? 0
    if (amount <= total - (requested.get(name) ?? 0)) continue
    reasons.push(`Insufficient ${name}`)
    if (amount > total) isFinal = true
  }
  return reasons.length === 0 ? undefined : { reasons, isFinal }
}

/** The mean of what would be left, in percent of what the node has. */
function leastAllocated(wanted: Amounts, { allocatable, scored }: NodeState): number {
  const scores = SCORED.flatMap((name) => {
    const total = allocatable.get(name) ?? 0
    if (total === 0) return []
    const used = (scored.get(name) ?? 0) + (wanted.get(name) ?? 0)
    return used > total ? [0] : [Math.floor(((total - used) * SCORE_MAX) / total)]
  })
  if (scores.length === 0) return 0
  return Math.floor(scores.reduce((sum, score) => sum + score, 0) / scores.length)
}

/** A pod that is gone leaves room; one that shrinks, if it is room that `pod` wants. */
function freesSome(pod: Pod, change: Change<Pod>): boolean {
  if (change.type !== 'updated') return change.type === 'deleted'
  const isItself = change.object.metadata.uid === pod.metadata.uid
  const [before, after] = [requestsOf(change.old), requestsOf(change.object)]
  const shrinks = (name: string) => (before.get(name) ?? 0) > (after.get(name) ?? 0)
  if (isItself) return [...before.keys()].some(shrinks)
  if (!change.object.spec?.nodeName) return false
  return [...requestsOf(pod)].some(([name, amount]) => amount > 0 && shrinks(name))
}

/** A node that could hold the pod if it were empty, and is new or has more than it had. */
function hasMore(pod: Pod, change: Change<Node>): boolean {
  if (change.type === 'deleted') return false
  const requests = requestsOf(pod)
  const state = draftOf(change.object)
  if (lacks(requests, state) !== undefined) return false
  if (change.type === 'added') return true
  const before = draftOf(change.old).allocatable
  const grows = (name: string) => (state.allocatable.get(name) ?? 0) > (before.get(name) ?? 0)
  return grows('pods') || [...requests].some(([name, amount]) => amount > 0 && grows(name))
}
