// What one run of a probe says, and what to make of a row of them. Pure.

import type { Probe } from '../../api/schema/generated/types.ts'

export type ProbeKind = 'startup' | 'liveness' | 'readiness'

/** `warning` counts as success; `error` says nothing about the container and is thrown away. */
export type Outcome = {
  readonly result: 'success' | 'warning' | 'failure' | 'error'
  /** What the probe answered, for the event. */
  readonly output: string
}

export type ProbeState = {
  /** Undefined until a threshold was reached: nothing is known. */
  readonly verdict: boolean | undefined
  readonly last: boolean | undefined
  /** How often in a row the last result came. */
  readonly run: number
}

export const UNPROBED: ProbeState = { verdict: undefined, last: undefined, run: 0 }

/** The verdict changes only when enough equal results came in a row. */
export function noteOutcome(state: ProbeState, probe: Probe, outcome: Outcome): ProbeState {
  if (outcome.result === 'error') return state
  const last = outcome.result !== 'failure'
  const run = state.last === last ? state.run + 1 : 1
  const threshold = last ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3)
  return { verdict: run >= threshold ? last : state.verdict, last, run }
}

/** A startup probe ends with its verdict, a liveness probe with a bad one: the container goes. */
export function isSettled(kind: ProbeKind, { verdict }: ProbeState): boolean {
  if (kind === 'startup') return verdict !== undefined
  return kind === 'liveness' && verdict === false
}
