// What pods would rather have near them, or far: the sum of the weights of what is in the
// topologies of a node.

import type { Node, Pod, PodAffinityTerm } from '../../api/schema/generated/types.ts'
import { own } from '../../lib/own.ts'
import {
  dislikedTerms,
  isAbout,
  likedTerms,
  type NamespaceLabels,
  wantedTerms,
} from '../affinity-terms.ts'
import { SCORE_MAX, type Scoring, type View } from '../framework.ts'
import type { PodInfo } from '../node-state.ts'

/** What it counts that a pod which is there must have this one near it. */
const WANTED_WEIGHT = 1

/** Undefined when no node has anything that either side cares for. */
export function scoreAffinity(
  { pod }: PodInfo,
  view: View,
  labelsOf: NamespaceLabels,
): Scoring | undefined {
  const sums = sumsOf(pod, view, labelsOf)
  if (sums.size === 0) return undefined
  return {
    score({ node }) {
      const labels = Object.entries(node.metadata.labels ?? {})
      return labels.reduce((sum, [key, value]) => sum + (sums.get(key)?.get(value) ?? 0), 0)
    },
    normalize(scores) {
      const [least, most] = [Math.min(...scores), Math.max(...scores)]
      const range = most - least
      return scores.map((score) =>
        range === 0 ? 0 : Math.trunc(SCORE_MAX * ((score - least) / range)),
      )
    },
  }
}

type Sums = Map<string, Map<string, number>>

/** Weights by topology key and value. */
function sumsOf(pod: Pod, view: View, labelsOf: NamespaceLabels): Sums {
  const sums: Sums = new Map()
  const likes = likesOf(pod)
  const hasLikes = likes.length > 0
  for (const { node, pods, affine } of hasLikes ? view.nodes : view.nodesWithAffinity) {
    for (const { pod: other } of (hasLikes ? pods : affine).values()) {
      for (const { podAffinityTerm: term, weight } of likes) {
        if (isAbout(term, pod, other, labelsOf)) add(sums, node, term, weight)
      }
      for (const term of wantedTerms(other)) {
        if (isAbout(term, other, pod, labelsOf)) add(sums, node, term, WANTED_WEIGHT)
      }
      for (const { podAffinityTerm: term, weight } of likesOf(other)) {
        if (isAbout(term, other, pod, labelsOf)) add(sums, node, term, weight)
      }
    }
  }
  return sums
}

function likesOf(pod: Pod) {
  return [...likedTerms(pod), ...minus(dislikedTerms(pod))]
}

function minus(terms: ReturnType<typeof dislikedTerms>) {
  return terms.map((term) => ({ ...term, weight: -term.weight }))
}

function add(sums: Sums, node: Node, { topologyKey }: PodAffinityTerm, weight: number): void {
  const value = own(node.metadata.labels, topologyKey)
  if (value === undefined) return
  const byValue = sums.get(topologyKey) ?? new Map<string, number>()
  byValue.set(value, (byValue.get(value) ?? 0) + weight)
  sums.set(topologyKey, byValue)
}
