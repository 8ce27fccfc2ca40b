// The plan for one pod, for people: why each node was refused, and what each plug-in scored. Pure.

import type { Pod } from '../api/schema/generated/types.ts'
import type { Plugin, View } from './framework.ts'
import { type Placement, placePod } from './place.ts'
import type { Scores } from './score.ts'

export type Explanation = {
  /** One line: where the pod goes, or why it goes nowhere. */
  readonly summary: string
  readonly refusals: readonly (readonly [node: string, plugin: string, why: string])[]
  /** The first row names the columns; the best node comes first. */
  readonly scores: readonly (readonly string[])[]
}

/** `view` must not count `pod` itself: one that has a node is asked for anew. */
export function explainPod(pod: Pod, view: View, plugins: readonly Plugin[]): Explanation {
  const about = `${pod.metadata.namespace}/${pod.metadata.name}`
  const held = plugins.flatMap(({ preEnqueue }) => preEnqueue?.(pod) ?? [])
  if (held.length > 0) {
    return { summary: `${about} is held back: ${held.join(', ')}`, refusals: [], scores: [] }
  }
  const { nodeName, ...spec } = pod.spec
  // The dice are left out: of nodes that are equal, the first stands for all.
  const placement = placePod({ ...pod, spec }, view, { plugins, dice: () => 0 })
  return {
    summary: `${about} ${summaryOf(placement, nodeName)}`,
    refusals: [...placement.diagnosis.refusals]
      .map(([node, { plugin, reasons }]) => [node, plugin, reasons.join(', ')] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    scores: placement.ok && placement.scores ? tableOf(placement.scores) : [],
  }
}

function summaryOf(placement: Placement, nodeName: string | undefined): string {
  const before = nodeName ? `is on ${nodeName}; asked anew, it ` : ''
  if (!placement.ok) {
    const { message, wayOut } = placement
    const stays = before === '' ? 'waits' : `${before}would wait`
    if (wayOut === undefined) return `${stays}: ${message}`
    const names = wayOut.victims.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)
    return `${stays}: ${message} To make room: preempt ${names.join(', ')} on ${wayOut.nominate}.`
  }
  const goes = before === '' ? 'goes' : `${before}would go`
  const { scores } = placement
  const highest = Math.max(...(scores?.totals ?? []))
  const equal = (scores?.states ?? []).filter((_, i) => scores!.totals[i] === highest)
  if (equal.length < 2) {
    return `${goes} to ${placement.nodeName}${scores ? '' : ', the only node that fits'}`
  }
  const names = equal.map(({ node }) => node.metadata.name!).toSorted()
  return `${goes} to one of ${names.join(', ')}, by chance`
}

function tableOf({ states, parts, totals }: Scores): string[][] {
  const rows = states
    .map(({ node }, i) => ({ name: node.metadata.name!, total: totals[i]!, i }))
    .toSorted((a, b) => b.total - a.total || (a.name < b.name ? -1 : 1))
    .map(({ name, total, i }) => [name, `${total}`, ...parts.map(({ scores }) => `${scores[i]}`)])
  return [['NODE', 'TOTAL', ...parts.map(({ plugin }) => plugin)], ...rows]
}
