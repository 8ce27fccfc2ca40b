// "Has my cache seen what I wrote?"
//
// A pass that plans from a cache older than its own last writes would make them twice. Revisions
// come from one store and grow, so it is enough to remember, for each key and kind, the highest
// revision written, and to hold the next pass back until the informer has got that far. Removals
// give no revision; there the object itself must be seen gone or going.

import { type KubeObject, keyOf } from '../api/object.ts'
import type { AnyRow, ResourceRow } from '../api/resource.ts'
import type { Informer } from './informer.ts'
import { revisionOf } from './revision.ts'

type Pending = {
  informer: Informer<KubeObject>
  revision: number
  /** Uids by object key. */
  removed: Map<string, string>
}

export class Barrier {
  readonly #informerOf: (row: AnyRow) => Informer<KubeObject> | undefined
  readonly #pending = new Map<string, Map<AnyRow, Pending>>()

  /** `informerOf` gives nothing for kinds that the controller keeps no cache of. */
  constructor(informerOf: (row: AnyRow) => Informer<KubeObject> | undefined) {
    this.#informerOf = informerOf
  }

  /** The pass for `key` wrote `object`, as the server answered it. */
  wrote<O extends KubeObject>(key: string, row: ResourceRow<O>, object: O): void {
    const pending = this.#pendingOf(key, row)
    if (pending) pending.revision = Math.max(pending.revision, revisionOf(object))
  }

  /** The pass for `key` deleted `object`. */
  removed<O extends KubeObject>(key: string, row: ResourceRow<O>, object: O): void {
    this.#pendingOf(key, row)?.removed.set(keyOf(object), object.metadata.uid ?? '')
  }

  /** Resolves when every cache reflects all that passes for `key` wrote. */
  async passed(key: string, signal: AbortSignal): Promise<void> {
    const pending = this.#pending.get(key)
    if (pending === undefined) return
    for (const one of pending.values()) await one.informer.until(() => isSeen(one), signal)
    this.#pending.delete(key)
  }

  #pendingOf(key: string, row: AnyRow): Pending | undefined {
    const informer = this.#informerOf(row)
    if (informer === undefined) return undefined
    const ofKey = this.#pending.get(key) ?? new Map<AnyRow, Pending>()
    const pending = ofKey.get(row) ?? { informer, revision: 0, removed: new Map() }
    this.#pending.set(key, ofKey.set(row, pending))
    return pending
  }
}

function isSeen({ informer, revision, removed }: Pending): boolean {
  if (informer.revision < revision) return false
  for (const [key, uid] of removed) {
    const cached = informer.lister.get(key)?.metadata
    const isThere = cached?.uid === uid && cached.deletionTimestamp === undefined
    if (isThere) return false
    removed.delete(key)
  }
  return true
}
