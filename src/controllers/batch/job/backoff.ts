// How long failed pods are waited for before they are replaced: ten seconds, twice as long after
// each failure, ten minutes at most. A success begins anew.

import type { Pod } from '../../../api/schema/generated/types.ts'
import { finishedMs, ignoredIndexFailuresOf, indexFailuresOf } from './job-pods.ts'

const FIRST_MS = 10_000
const WAIT_MS_MAX = 10 * 60_000

export type Backoff = { failures: number; lastFailureMs: number }

export const NO_BACKOFF: Backoff = { failures: 0, lastFailureMs: 0 }

/** After pods that ended since `before`. */
export function nextBackoff(
  before: Backoff,
  succeeded: readonly Pod[],
  failed: readonly Pod[],
): Backoff {
  const lastSuccessMs = Math.max(...succeeded.map(finishedMs))
  const begun = succeeded.length === 0 ? before : NO_BACKOFF
  const later = failed.map(finishedMs).filter((ms) => ms > lastSuccessMs)
  if (later.length === 0) return begun
  return { failures: begun.failures + later.length, lastFailureMs: Math.max(...later) }
}

export function remainingMs({ failures, lastFailureMs }: Backoff, nowMs: number): number {
  if (failures === 0) return 0
  const waitMs = Math.min(FIRST_MS * 2 ** (failures - 1), WAIT_MS_MAX)
  // A clock that jumped back must not make a wait of minutes one of years.
  return Math.max(0, waitMs - Math.max(0, nowMs - lastFailureMs))
}

/** Of one index, whose last pod tells of all before it. */
export function indexRemainingMs(last: Pod | undefined, nowMs: number): number {
  if (last === undefined) return 0
  const failures = indexFailuresOf(last) + ignoredIndexFailuresOf(last) + 1
  return remainingMs({ failures, lastFailureMs: finishedMs(last) }, nowMs)
}
