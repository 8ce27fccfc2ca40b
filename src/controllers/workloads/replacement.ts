// How long to wait before failed pods are replaced. Pods that fail as soon as they are made - a
// port is taken, a node refuses them - would else be made a hundred times a second.
//
//   made ─► failed ─(1 s)─► made ─► failed ─(2 s)─► made ─► failed ─(4 s)─► …  at most 5 minutes
//
// It follows from the failed pods alone: who deletes them tries again at once. As with containers,
// a pod that ran for ten minutes begins anew. Better than upstream, where only DaemonSets wait.

import type { Pod } from '../../api/schema/generated/types.ts'
import { parseTime } from '../../api/time.ts'
import { conditionOf } from '../conditions.ts'

const FIRST_MS = 1000
const WAIT_MS_MAX = 5 * 60_000
const GOOD_MS = 2 * WAIT_MS_MAX

export type Replacement = {
  /** 0: replace now. */
  waitMs: number
  /** Times in a row that pods were made and failed; those made at the same time count once. */
  rounds: number
  /** The last that failed; undefined when none has. */
  last: Pod | undefined
}

type Failed = { pod: Pod; madeMs: number; failedMs: number }

export function planReplacement(owned: readonly Pod[], nowMs: number): Replacement {
  const failed = owned
    .filter(({ status }) => status?.phase === 'Failed')
    .map((pod) => ({ pod, ...timesOf(pod) }))
    .toSorted((a, b) => b.madeMs - a.madeMs || b.failedMs - a.failedMs)
  const rounds = roundsOf(failed)
  const [last] = failed
  if (last === undefined || rounds === 0) return { waitMs: 0, rounds: 0, last: last?.pod }
  const backoffMs = Math.min(FIRST_MS * 2 ** (rounds - 1), WAIT_MS_MAX)
  // A clock that jumped back must not make a wait of minutes one of years.
  const goneMs = Math.max(0, nowMs - last.failedMs)
  return { waitMs: Math.max(0, backoffMs - goneMs), rounds, last: last.pod }
}

/** From the newest back to the first that was good for a while. */
function roundsOf(failed: readonly Failed[]): number {
  let rounds = 0
  let atMs: number | undefined
  for (const { madeMs, failedMs } of failed) {
    if (failedMs - madeMs >= GOOD_MS) break
    // The newer one was made long after this one failed: something else was well meanwhile.
    if (atMs !== undefined && atMs - failedMs >= GOOD_MS) break
    if (madeMs !== atMs) rounds++
    atMs = madeMs
  }
  return rounds
}

/** When it failed is not a field of its own: the last that anything says of its end. */
function timesOf({ metadata, status }: Pod): { madeMs: number; failedMs: number } {
  const madeMs = msOf(metadata.creationTimestamp) ?? 0
  const ends = (status?.containerStatuses ?? []).map(({ state }) => state?.terminated?.finishedAt)
  const ready = conditionOf(status?.conditions, 'Ready')?.lastTransitionTime
  const known = [...ends, ready, status?.startTime].map(msOf).filter((ms) => ms !== undefined)
  return { madeMs, failedMs: Math.max(madeMs, ...known) }
}

function msOf(text: string | null | undefined): number | undefined {
  return text ? parseTime(text) : undefined
}
