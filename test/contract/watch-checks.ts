// What every watch promises, one function for each promise. They judge what a watcher has seen
// against the whole history, and throw with the revision at which a promise was broken.

import type { StoreEvent } from '../../src/store/store.ts'

/** Revisions never go back. */
export function watchIsOrdered(seen: readonly StoreEvent[]): void {
  seen.forEach((event, i) => {
    const before = seen[i - 1]
    if (before && event.revision < before.revision) {
      throw new Error(`revision ${event.revision} comes after ${before.revision}`)
    }
  })
}

/** No event comes twice. */
export function watchNeverRepeats(seen: readonly StoreEvent[]): void {
  const revisions = new Set<number>()
  for (const { revision } of seen) {
    if (revisions.has(revision)) throw new Error(`revision ${revision} comes twice`)
    revisions.add(revision)
  }
}

/** Everything that happened under `prefix` after `from` is there, as it happened, and no more. */
export function watchIsComplete(
  seen: readonly StoreEvent[],
  history: readonly StoreEvent[],
  { prefix, from }: { prefix: string; from: number },
): void {
  const expected = history.filter(
    ({ revision, entry }) => revision > from && entry.key.startsWith(prefix),
  )
  for (const [i, event] of expected.entries()) {
    if (JSON.stringify(seen[i]) === JSON.stringify(event)) continue
    throw new Error(
      `after ${from}, event ${i} is ${JSON.stringify(seen[i])}, not ${JSON.stringify(event)}`,
    )
  }
  if (seen.length > expected.length) {
    throw new Error(`revision ${seen[expected.length]!.revision} never happened`)
  }
}

/** A watch that was cut in two and resumed has seen the same as one that was not. */
export function watchIsResumable(
  parts: readonly (readonly StoreEvent[])[],
  whole: readonly StoreEvent[],
): void {
  const joined = parts.flat()
  joined.forEach((event, i) => {
    if (event.revision !== whole[i]?.revision) {
      throw new Error(`resumed, event ${i} is ${event.revision}, not ${whole[i]?.revision}`)
    }
  })
  if (joined.length < whole.length) {
    throw new Error(`resumed, revision ${whole[joined.length]!.revision} is missing`)
  }
}

/** What is acknowledged later has a higher revision, whatever happened in between. */
export function revisionsOnlyGrow(revisions: readonly number[]): void {
  revisions.forEach((revision, i) => {
    if (i > 0 && revision <= revisions[i - 1]!) {
      throw new Error(`revision ${revision} was given after ${revisions[i - 1]}`)
    }
  })
}
