// How well a node suits a pod: 0 to 100 per score, weighted and summed as kube-scheduler does.
// Pure.

import { matchesNodeTerm } from '../../api/requirement.ts'
import type { Pod } from '../../api/schema/generated/types.ts'
import { isTolerated } from '../../api/tolerations.ts'
import type { NodeState } from '../cluster.ts'
import { type Amounts, scoredRequestsOf } from '../requests.ts'

const SCORE_MAX = 100
const WEIGHTS = { taints: 3, affinity: 2, least: 1, balanced: 1, images: 1 }
const SCORED = ['cpu', 'memory'] as const
/** Images smaller than this are no reason to prefer a node; nor does more than that count. */
const IMAGE_BYTES = { min: 23 * 1024 * 1024, max: 1000 * 1024 * 1024 }

/** The sum of all weighted scores of each of `states`, in their order. */
export function scoreNodes(pod: Pod, states: readonly NodeState[]): number[] {
  const requests = scoredRequestsOf(pod)
  const taints = normalised(states.map((state) => untolerated(pod, state))).map(
    (score) => SCORE_MAX - score,
  )
  const affinity = normalised(states.map((state) => preferred(pod, state)))
  return states.map((state, i) => {
    const fractions = SCORED.map((name) => usedFraction(name, requests, state))
    return (
      WEIGHTS.taints * taints[i]! +
      WEIGHTS.affinity * affinity[i]! +
      WEIGHTS.least * leastAllocated(fractions) +
      WEIGHTS.balanced * balanced(fractions) +
      WEIGHTS.images * imageLocality(pod, state, states)
    )
  })
}

/** Scaled so that the largest becomes 100; all zeros stay zeros. */
function normalised(values: readonly number[]): number[] {
  const largest = Math.max(0, ...values)
  return values.map((value) => (largest === 0 ? 0 : Math.floor((SCORE_MAX * value) / largest)))
}

function untolerated(pod: Pod, { node }: NodeState): number {
  const soft = (node.spec?.taints ?? []).filter(({ effect }) => effect === 'PreferNoSchedule')
  return soft.filter((taint) => !isTolerated(pod.spec?.tolerations ?? [], taint)).length
}

function preferred(pod: Pod, { node }: NodeState): number {
  const terms =
    pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
  const matching = terms.filter(({ preference }) => matchesNodeTerm(preference, node))
  return matching.reduce((sum, { weight }) => sum + weight, 0)
}

/** What would be in use with this pod, as a fraction; at most 1. */
function usedFraction(name: string, requests: Amounts, state: NodeState): number {
  const total = state.allocatable.get(name) ?? 0
  if (total === 0) return 1
  return Math.min(((state.scored.get(name) ?? 0) + (requests.get(name) ?? 0)) / total, 1)
}

function leastAllocated(fractions: readonly number[]): number {
  const free = fractions.map((fraction) => Math.floor((1 - fraction) * SCORE_MAX))
  return Math.floor(free.reduce((sum, score) => sum + score, 0) / free.length)
}

function balanced(fractions: readonly number[]): number {
  const mean = fractions.reduce((sum, fraction) => sum + fraction, 0) / fractions.length
  const squares = fractions.map((fraction) => (fraction - mean) ** 2)
  const deviation = Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / fractions.length)
  return Math.floor((1 - deviation) * SCORE_MAX)
}

/** Prefers nodes that have the images, less so the fewer nodes have them: no hot spots. */
function imageLocality(pod: Pod, state: NodeState, states: readonly NodeState[]): number {
  const { containers, initContainers = [] } = pod.spec!
  const images = [...containers, ...initContainers].map(({ image }) => image ?? '')
  const sum = images.reduce((total, image) => {
    const bytes = imageBytes(state, image)
    if (bytes === 0) return total
    const spread = states.filter((other) => imageBytes(other, image) > 0).length / states.length
    return total + bytes * spread
  }, 0)
  const max = IMAGE_BYTES.max * images.length
  const clamped = Math.min(Math.max(sum, IMAGE_BYTES.min), max)
  return Math.floor((SCORE_MAX * (clamped - IMAGE_BYTES.min)) / (max - IMAGE_BYTES.min))
}

function imageBytes({ node }: NodeState, image: string): number {
  const found = node.status?.images?.find(({ names }) => names?.includes(image))
  return found?.sizeBytes ?? 0
}
