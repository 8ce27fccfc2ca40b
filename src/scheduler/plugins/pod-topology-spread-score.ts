// Prefers the topologies with fewer pods of the kind.

import type { Pod } from '../../api/schema/generated/types.ts'
import { SCORE_MAX, type Scoring, type View } from '../framework.ts'
import type { NodeState } from '../node-state.ts'
import {
  type Constraint,
  countSelected,
  domainOf,
  HOSTNAME,
  hasTopologies,
  isIncluded,
} from './spread-constraints.ts'

type Wish = { pod: Pod; constraints: readonly Constraint[]; needsAll: boolean }

export function scoreSpread(wish: Wish, fitting: readonly NodeState[], view: View): Scoring {
  const { pod, constraints, needsAll } = wish
  const takesPart = (state: NodeState) => !needsAll || hasTopologies(state.node, constraints)
  const taking = fitting.filter(takesPart)
  const spreads = constraints.map((constraint) => {
    const counts = countDomains(wish, constraint, taking, view)
    const size = constraint.topologyKey === HOSTNAME ? taking.length : counts.size
    // So that topologies with few domains are not drowned by those with many.
    return { constraint, counts, weight: Math.log(size + 2) }
  })
  return {
    score(state) {
      if (!takesPart(state)) return 0
      let score = 0
      for (const { constraint, counts, weight } of spreads) {
        const { topologyKey, maxSkew } = constraint
        const domain = domainOf(state.node, topologyKey)
        if (domain === undefined) continue
        const isHost = topologyKey === HOSTNAME
        const count = isHost ? countSelected(pod, constraint, state) : (counts.get(domain) ?? 0)
        score += count * weight + (maxSkew - 1)
      }
      return Math.round(score)
    },
    normalize(scores, states) {
      const counted = scores.filter((_, i) => takesPart(states[i]!))
      const [least, most] = [Math.min(...counted), Math.max(0, ...counted)]
      return scores.map((score, i) => {
        if (!takesPart(states[i]!)) return 0
        if (most === 0) return SCORE_MAX
        return Math.trunc((SCORE_MAX * (most + least - score)) / most)
      })
    },
  }
}

/** Pods in each domain that a fitting node is in; those of single nodes are counted when asked. */
function countDomains(
  { pod, constraints, needsAll }: Wish,
  constraint: Constraint,
  taking: readonly NodeState[],
  view: View,
): Map<string, number> {
  const counts = new Map<string, number>()
  if (constraint.topologyKey === HOSTNAME) return counts
  for (const { node } of taking) {
    // A node without the label is in the domain of all such nodes, as upstream counts them.
    counts.set(domainOf(node, constraint.topologyKey) ?? '', 0)
  }
  for (const state of view.nodes) {
    if (needsAll && !hasTopologies(state.node, constraints)) continue
    if (!isIncluded(pod, constraint, state.node)) continue
    const domain = domainOf(state.node, constraint.topologyKey) ?? ''
    const count = counts.get(domain)
    if (count === undefined) continue
    counts.set(domain, count + countSelected(pod, constraint, state))
  }
  return counts
}
