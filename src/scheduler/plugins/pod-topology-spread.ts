// Spreads pods of a kind evenly over topologies (KEP-895): those that must be, and those that would
// rather.

import { nodes } from '../../api/kinds/core/node/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import type { Node, Pod } from '../../api/schema/generated/types.ts'
import type { Change } from '../../kit/informer.ts'
import { type Filtering, final, hintOf, type MakePlugin, open, type View } from '../framework.ts'
import type { NodeState, PodInfo } from '../node-state.ts'
import { scoreSpread } from './pod-topology-spread-score.ts'
import {
  type Constraint,
  countSelected,
  defaultConstraints,
  domainOf,
  hasTopologies,
  isIncluded,
  ownConstraints,
  selects,
} from './spread-constraints.ts'

export const podTopologySpread: MakePlugin = (handle) => {
  const defaultsOf = defaultConstraints(handle)
  return {
    name: 'PodTopologySpread',
    weight: 2,
    preFilter: filterSpread,
    preScore({ pod }, fitting, view) {
      const isOwn = (pod.spec?.topologySpreadConstraints ?? []).length > 0
      const constraints = isOwn ? ownConstraints(pod, 'ScheduleAnyway') : defaultsOf(pod)
      if (constraints.length === 0) return undefined
      // By default also a node without a zone takes part, as far as it can.
      return scoreSpread({ pod, constraints, needsAll: isOwn }, fitting, view)
    },
    hints: [hintOf(pods, mayHelpAsPod), hintOf(nodes, mayHelpAsNode)],
  }
}

/** The default constraints only advise: what must be is what the pod itself says. */
function constraintsOf(pod: Pod): Constraint[] {
  return ownConstraints(pod, 'DoNotSchedule')
}

function filterSpread({ pod }: PodInfo, view: View): Filtering | undefined {
  const constraints = constraintsOf(pod)
  if (constraints.length === 0) return undefined
  const spreads = constraints.map((constraint) => ({
    constraint,
    counts: new Map<string, number>(),
    itself: selects(constraint, pod) ? 1 : 0,
    /** The least of `counts`, while it is known. */
    fewest: undefined as number | undefined,
  }))
  const add = (spread: (typeof spreads)[number], node: Node, count: number) => {
    if (!isIncluded(pod, spread.constraint, node)) return
    const domain = domainOf(node, spread.constraint.topologyKey)!
    spread.counts.set(domain, (spread.counts.get(domain) ?? 0) + count)
    spread.fewest = undefined
  }
  for (const state of view.nodes) {
    if (!hasTopologies(state.node, constraints)) continue
    for (const spread of spreads) {
      add(spread, state.node, countSelected(pod, spread.constraint, state))
    }
  }
  return {
    filter({ node }: NodeState) {
      for (const spread of spreads) {
        const { constraint, counts, itself } = spread
        const { topologyKey, minDomains, maxSkew } = constraint
        const domain = domainOf(node, topologyKey)
        if (domain === undefined) {
          const reason = "node(s) didn't match pod topology spread constraints"
          return final(`${reason} (missing required label)`)
        }
        spread.fewest ??= counts.size < minDomains ? 0 : Math.min(...counts.values())
        if ((counts.get(domain) ?? 0) + itself - spread.fewest <= maxSkew) continue
        return open("node(s) didn't match pod topology spread constraints")
      }
      return undefined
    },
    suppose(other, node, by) {
      if (other.metadata.namespace !== pod.metadata.namespace) return
      if (!hasTopologies(node, constraints)) return
      for (const spread of spreads) if (selects(spread.constraint, other)) add(spread, node, by)
    },
  }
}

function mayHelpAsPod(pod: Pod, change: Change<Pod>): boolean {
  const { type, object } = change
  const constraints = constraintsOf(pod)
  const isItself = object.metadata.uid === pod.metadata.uid
  if (!isItself && object.metadata.namespace !== pod.metadata.namespace) return false
  if (type !== 'updated') return constraints.some((constraint) => selects(constraint, object))
  const { old } = change
  const honors = constraints.some(({ policies }) => policies.nodeTaintsPolicy === 'Honor')
  const tolerations = [old.spec?.tolerations, object.spec?.tolerations]
  if (isItself && honors && !Bun.deepEquals(tolerations[0], tolerations[1])) return true
  const counts = (constraint: Constraint, one: Pod) =>
    one.metadata.deletionTimestamp === undefined && selects(constraint, one)
  return constraints.some((constraint) => counts(constraint, old) !== counts(constraint, object))
}

function mayHelpAsNode(pod: Pod, change: Change<Node>): boolean {
  const constraints = constraintsOf(pod)
  const counts = hasTopologies(change.object, constraints)
  if (change.type !== 'updated') return counts
  if (counts !== hasTopologies(change.old, constraints)) return true
  const moves = constraints.some(
    ({ topologyKey }) => domainOf(change.old, topologyKey) !== domainOf(change.object, topologyKey),
  )
  return counts && (moves || !Bun.deepEquals(change.old.spec?.taints, change.object.spec?.taints))
}
