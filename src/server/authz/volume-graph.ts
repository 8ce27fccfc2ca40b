// Which claim a volume is bound to: a node may read the volumes of the claims of its pods.

import type { PersistentVolume } from '../../api/schema/generated/types.ts'
import type { Entry } from '../../store/store.ts'
import type { StoreIndex } from '../storage/store-feed.ts'

/** Follows the store. */
export class VolumeGraph implements StoreIndex {
  readonly storagePrefix = 'persistentvolumes'
  /** `persistentvolumeclaims/namespace/name`, by the key of the volume. */
  readonly #claims = new Map<string, string>()

  claimOf(volume: string): string | undefined {
    return this.#claims.get(`${this.storagePrefix}/${volume}`)
  }

  reset(): void {
    this.#claims.clear()
  }

  put({ key, value }: Entry): void {
    const { spec }: PersistentVolume = JSON.parse(value)
    const { namespace, name } = spec.claimRef ?? {}
    if (!namespace || !name) this.#claims.delete(key)
    else this.#claims.set(key, `persistentvolumeclaims/${namespace}/${name}`)
  }

  remove({ key }: Entry): void {
    this.#claims.delete(key)
  }
}
