// Chooses a node for one pod: filter, score, take the best. Pure but for the dice it is given.

import type { Pod } from '../api/schema/generated/types.ts'
import type { NodeState } from './cluster.ts'
import { askOf, type Refusal, refuse } from './plugins/filters.ts'
import { scoreNodes } from './plugins/scores.ts'
import { type NamespaceLabels, topologyFilters } from './plugins/topology.ts'

export type Placement = { ok: true; nodeName: string } | { ok: false; message: string }

export type PlaceOptions = {
  namespaceLabels: NamespaceLabels
  /** A number in [0, 1): decides between equals. */
  dice: () => number
}

export function placePod(
  pod: Pod,
  states: readonly NodeState[],
  { namespaceLabels, dice }: PlaceOptions,
): Placement {
  if (states.length === 0) return { ok: false, message: 'no nodes available to schedule pods' }
  const asked = askOf(pod)
  const topology = topologyFilters(pod, states, namespaceLabels)
  const refusals: Refusal[] = []
  const fitting = states.filter((state) => {
    const refusal = refuse(asked, state) ?? firstRefusal(topology, state)
    if (refusal) refusals.push(refusal)
    return refusal === undefined
  })
  if (fitting.length === 0) return { ok: false, message: describeRefusals(refusals) }
  if (fitting.length === 1) return { ok: true, nodeName: fitting[0]!.node.metadata.name! }
  const scores = scoreNodes(pod, fitting)
  const best = Math.max(...scores)
  const winners = fitting.filter((_, i) => scores[i] === best)
  const winner = winners[Math.floor(dice() * winners.length)]!
  return { ok: true, nodeName: winner.node.metadata.name! }
}

function firstRefusal(
  filters: readonly ((state: NodeState) => Refusal | undefined)[],
  state: NodeState,
): Refusal | undefined {
  for (const filter of filters) {
    const refusal = filter(state)
    if (refusal) return refusal
  }
  return undefined
}

/** As kube-scheduler 1.36 puts it, preemption and resource claims included. */
function describeRefusals(refusals: readonly Refusal[]): string {
  const count = refusals.length
  const why = counted(refusals.flatMap(({ reasons }) => reasons))
  const help = refusals.map(({ isFinal }) =>
    isFinal
      ? 'Preemption is not helpful for scheduling'
      : 'No preemption victims found for incoming pod',
  )
  const none = `0/${count} nodes are available`
  return `${none}: ${why}. no new claims to deallocate, preemption: ${none}: ${counted(help)}.`
}

/** `1 a, 2 b`, sorted as text. */
function counted(texts: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1)
  return [...counts]
    .map(([text, count]) => `${count} ${text}`)
    .sort()
    .join(', ')
}
