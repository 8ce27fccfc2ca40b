// How long to wait before a pod that failed is taken away to be replaced: at once the first time,
// then 1 s, 2 s, 4 s and so on. For owners whose pods are deleted before their replacement is
// made, so that nothing else remembers how often it was tried. As upstream does for DaemonSets.
//
// Held in memory: after a restart the first replacement is immediate again.

const FIRST_MS = 1000

type Wait = { sinceMs: number; waitMs: number }
type Owner = { uid: string; generation: number; waits: Map<string, Wait> }

export class FailureBackoff {
  readonly #maxMs: number
  readonly #owners = new Map<string, Owner>()

  constructor(maxMs: number) {
    this.#maxMs = maxMs
  }

  /** For one owner, as it is now: with a new template everything is tried at once again. */
  of(key: string, { uid = '', generation = 0 }: { uid?: string; generation?: number }) {
    const known = this.#owners.get(key)
    if (known?.uid === uid && known.generation === generation) return this.#place(known)
    const owner: Owner = { uid, generation, waits: new Map() }
    this.#owners.set(key, owner)
    return this.#place(owner)
  }

  forget(key: string): void {
    this.#owners.delete(key)
  }

  #place({ waits }: Owner): PlaceBackoff {
    const isOver = ({ sinceMs }: Wait, nowMs: number) => nowMs - sinceMs > 2 * this.#maxMs
    return {
      waitMs: (place, nowMs) => {
        const wait = waits.get(place)
        if (wait === undefined || isOver(wait, nowMs)) return 0
        // A clock that jumped back must not make a wait of seconds one of years.
        return Math.max(0, wait.waitMs - Math.max(0, nowMs - wait.sinceMs))
      },
      replaced: (place, nowMs) => {
        for (const [other, wait] of waits) if (isOver(wait, nowMs)) waits.delete(other)
        const before = waits.get(place)?.waitMs
        const waitMs = before === undefined ? FIRST_MS : Math.min(before * 2, this.#maxMs)
        waits.set(place, { sinceMs: nowMs, waitMs })
      },
    }
  }
}

/** A place is a node, or an ordinal. */
export type PlaceBackoff = {
  /** 0: it may be replaced now. */
  waitMs(place: string, nowMs: number): number
  replaced(place: string, nowMs: number): void
}
