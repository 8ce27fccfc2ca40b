// Objects of other kinds, as parts of the server need them: where a token's pod is, whether a
// namespace is going away.

import type { AnyObject, KubeObject } from '../../api/object.ts'
import type { ResourceRow } from '../../api/resource.ts'
import type { Entry, Store } from '../../store/store.ts'
import type { StoreIndex } from './store-feed.ts'
import { decodeStored, storeKey } from './stored.ts'

export type Where = { namespace?: string; name: string }

/** Straight from the store. */
export function readObject<O extends KubeObject>(
  store: Store,
  row: ResourceRow<O>,
  { namespace = '', name }: Where,
): O | undefined {
  const entry = store.get(storeKey(row, namespace, name))
  return entry && (decodeStored(row, entry) as unknown as O)
}

/**
 * The objects of one kind, parsed and kept. What was written a moment ago may be missing here, so
 * `get` looks into the store for what it does not know. Objects are shared: not to be changed.
 */
export class KindCache<O extends KubeObject> implements StoreIndex {
  readonly storagePrefix: string
  readonly #row: ResourceRow<O>
  readonly #store: Store
  readonly #objects = new Map<string, O>()

  constructor(row: ResourceRow<O>, store: Store) {
    this.storagePrefix = row.storagePrefix
    this.#row = row
    this.#store = store
  }

  get(where: Where): O | undefined {
    const key = storeKey(this.#row, where.namespace ?? '', where.name)
    return this.#objects.get(key) ?? readObject(this.#store, this.#row, where)
  }

  values(): Iterable<O> {
    return this.#objects.values()
  }

  reset(): void {
    this.#objects.clear()
  }

  put(entry: Entry): void {
    this.#objects.set(entry.key, decodeStored(this.#row, entry) as unknown as O)
  }

  remove(entry: Entry): void {
    this.#objects.delete(entry.key)
  }
}

/** The same by namespace, for kinds of which a namespace has few. */
export class NamespacedCache<O extends KubeObject> implements StoreIndex {
  readonly storagePrefix: string
  readonly #row: ResourceRow<O>
  /** By namespace, then by key. */
  readonly #objects = new Map<string, Map<string, O>>()

  constructor(row: ResourceRow<O>) {
    this.storagePrefix = row.storagePrefix
    this.#row = row
  }

  /** In the order of their names. Shared: not to be changed. */
  inNamespace(namespace: string): O[] {
    const objects = this.#objects.get(namespace)
    if (objects === undefined) return []
    return [...objects].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object)
  }

  reset(): void {
    this.#objects.clear()
  }

  put(entry: Entry): void {
    const object = decodeStored(this.#row, entry) as unknown as O
    const namespace = this.#namespaceOf(entry)
    const objects = this.#objects.get(namespace) ?? new Map<string, O>()
    this.#objects.set(namespace, objects.set(entry.key, object))
  }

  remove(entry: Entry): void {
    const namespace = this.#namespaceOf(entry)
    const objects = this.#objects.get(namespace)
    objects?.delete(entry.key)
    if (objects?.size === 0) this.#objects.delete(namespace)
  }

  #namespaceOf({ key }: Entry): string {
    const start = this.storagePrefix.length + 1
    return key.slice(start, key.indexOf('/', start))
  }
}

/** For code that has an object of any kind in hand. */
export function asAny(object: KubeObject): AnyObject {
  return object as AnyObject
}
