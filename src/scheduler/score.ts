// PreScore, Score and NormalizeScore of all plug-ins, weighted and summed. Pure.

import type { Plugin, View } from './framework.ts'
import type { NodeState, PodInfo } from './node-state.ts'

export type Scores = {
  readonly states: readonly NodeState[]
  /** Weighted, in the order of `states`; of the plug-ins that have something to say. */
  readonly parts: readonly { readonly plugin: string; readonly scores: readonly number[] }[]
  readonly totals: readonly number[]
}

export function scoreNodes(
  plugins: readonly Plugin[],
  info: PodInfo,
  states: readonly NodeState[],
  view: View,
): Scores {
  const parts = plugins.flatMap(({ name, preScore, weight = 1 }) => {
    const scoring = preScore?.(info, states, view)
    if (scoring === undefined) return []
    const raw = states.map((state) => scoring.score(state))
    const scores = scoring.normalize?.(raw, states) ?? raw
    return [{ plugin: name, scores: scores.map((score) => weight * score) }]
  })
  const totals = states.map((_, i) => parts.reduce((sum, { scores }) => sum + scores[i]!, 0))
  return { states, parts, totals }
}
