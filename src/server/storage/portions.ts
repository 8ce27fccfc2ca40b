// A kind at one revision, read in portions: many may read large kinds at once, and what each holds
// in memory stays small. The store forgets nothing that is younger than minutes.

import type { ListResult, Store } from '../../store/store.ts'

/** About how many characters a portion is meant to have, and the most objects. */
const PORTION_CHARS = 256 * 1024
const PORTION_COUNT_MAX = 1000
/** Read before anything is known of how large the objects are. */
const UNKNOWN_COUNT = 2

/** How many objects under a prefix made a portion the last time. */
const lastCounts = new WeakMap<Store, Map<string, number>>()
const PREFIXES_MAX = 1000

/**
 * Everything under `prefix` as it stands at the first step. Throws `CompactedError` for a reader who
 * takes longer than history is kept.
 */
export function* portionsOf(store: Store, prefix: string): Generator<ListResult, void> {
  const counts = countsOf(store)
  let limit = counts.get(prefix) ?? UNKNOWN_COUNT
  let read = store.list(prefix, { limit })
  for (;;) {
    yield read
    const last = read.entries.at(-1)
    if (last === undefined) return
    limit = fitting(read)
    counts.set(prefix, limit)
    if (!read.more) return
    read = store.list(prefix, { limit, atRevision: read.revision, afterKey: last.key })
  }
}

function fitting({ entries }: ListResult): number {
  const chars = entries.reduce((sum, { value }) => sum + value.length, 1)
  return Math.min(Math.ceil((entries.length * PORTION_CHARS) / chars), PORTION_COUNT_MAX)
}

function countsOf(store: Store): Map<string, number> {
  let counts = lastCounts.get(store)
  if (counts === undefined || counts.size > PREFIXES_MAX) {
    counts = new Map()
    lastCounts.set(store, counts)
  }
  return counts
}
