// Prefers nodes whose CPU and memory are used alike once the pod is there.

import { type MakePlugin, SCORE_MAX } from '../framework.ts'
import type { NodeState } from '../node-state.ts'
import type { Amounts } from '../requests.ts'

const SCORED = ['cpu', 'memory'] as const

export const balancedAllocation: MakePlugin = () => ({
  name: 'NodeResourcesBalancedAllocation',
  weight: 1,
  preScore({ requests }) {
    // A pod that asks for nothing changes no balance: it would go where balance is best for ever.
    if (SCORED.every((name) => (requests.get(name) ?? 0) === 0)) return undefined
    const half = SCORE_MAX / 2
    return {
      /** 75 when nothing changes, 100 at best, 50 at worst. */
      score: (state) =>
        half + Math.trunc((half + balance(state, requests) - balance(state, NOTHING)) / 2),
    }
  },
})

const NOTHING: Amounts = new Map()

function balance({ allocatable, requested }: NodeState, more: Amounts): number {
  const fractions = SCORED.flatMap((name) => {
    const total = allocatable.get(name) ?? 0
    if (total === 0) return []
    return [Math.min(((requested.get(name) ?? 0) + (more.get(name) ?? 0)) / total, 1)]
  })
  const [a, b] = fractions
  const deviation = a === undefined || b === undefined ? 0 : Math.abs((a - b) / 2)
  return Math.trunc((1 - deviation) * SCORE_MAX)
}
