// A kind at one revision, read in portions: many may read large kinds at once, and what each holds
// in memory stays small. The store forgets nothing that is younger than minutes.

import type { ListResult, Store } from '../../store/store.ts'

/** Read before anything is known of how large the objects are. */
const FIRST_COUNT = 8
/** About how many characters a portion is meant to have, and the most objects. */
const PORTION_CHARS = 256 * 1024
const PORTION_COUNT_MAX = 1000

/**
 * Everything under `prefix` as it stands at the first step. Throws `CompactedError` for a reader who
 * takes longer than history is kept.
 */
export function* portionsOf(store: Store, prefix: string): Generator<ListResult, void> {
  let limit = FIRST_COUNT
  let read = store.list(prefix, { limit })
  for (;;) {
    yield read
    const last = read.entries.at(-1)
    if (!read.more || last === undefined) return
    const chars = read.entries.reduce((sum, { value }) => sum + value.length, 1)
    const fitting = Math.ceil((read.entries.length * PORTION_CHARS) / chars)
    limit = Math.min(fitting, PORTION_COUNT_MAX)
    read = store.list(prefix, { limit, atRevision: read.revision, afterKey: last.key })
  }
}
