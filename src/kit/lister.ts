// A read-only view of one kind, kept up to date by an informer, with indexes.
//
// Objects in it are shared by every reader and must never be changed; in tests they are frozen, so
// that a change fails at once.

import { type KubeObject, keyOf } from '../api/object.ts'
import { hasLabels } from './labels.ts'

export interface Lister<O extends KubeObject> {
  /** `namespace/name`, or the name alone for what has no namespace. */
  get(key: string): O | undefined
  all(): O[]
  inNamespace(namespace: string): O[]
  /** Those whose owner with `controller: true` has this uid. */
  ownedBy(owner: KubeObject): O[]
  /** Those of a namespace that carry all of `labels`; none for an empty selector. */
  withLabels(namespace: string, labels: Readonly<Record<string, string>>): O[]
  /** Those for which the index made with this name gives `value`. */
  by(index: string, value: string): O[]
  readonly size: number
}

/** The values under which an object is found in an index. */
export type IndexOf<O> = (object: O) => readonly string[]

const NAMESPACE = 'namespace'
const OWNER = 'owner'

const BUILT_IN: ReadonlyMap<string, IndexOf<KubeObject>> = new Map([
  [NAMESPACE, (object) => (object.metadata.namespace ? [object.metadata.namespace] : [])],
  [OWNER, controllerUidOf],
])

function controllerUidOf({ metadata }: KubeObject): string[] {
  const controller = metadata.ownerReferences?.find((owner) => owner.controller)
  return controller === undefined ? [] : [controller.uid]
}

/** What an informer fills and everybody else reads through `Lister`. */
export class Cache<O extends KubeObject> implements Lister<O> {
  readonly #objects = new Map<string, O>()
  readonly #indexes = new Map<string, Index<O>>()

  constructor() {
    for (const [name, valuesOf] of BUILT_IN) this.addIndex(name, valuesOf)
  }

  /** Adds an index, or does nothing when one with this name exists. */
  addIndex(name: string, valuesOf: IndexOf<O>): void {
    if (this.#indexes.has(name)) return
    const index = new Index(valuesOf)
    for (const [key, object] of this.#objects) index.add(key, object)
    this.#indexes.set(name, index)
  }

  /** Puts `object` in the place of the one with the same key, which is returned. */
  put(object: O): O | undefined {
    const key = keyOf(object)
    const old = this.remove(key)
    this.#objects.set(key, object)
    for (const index of this.#indexes.values()) index.add(key, object)
    return old
  }

  remove(key: string): O | undefined {
    const old = this.#objects.get(key)
    if (old === undefined) return undefined
    this.#objects.delete(key)
    for (const index of this.#indexes.values()) index.remove(key, old)
    return old
  }

  keys(): string[] {
    return [...this.#objects.keys()]
  }

  get size(): number {
    return this.#objects.size
  }

  get(key: string): O | undefined {
    return this.#objects.get(key)
  }

  all(): O[] {
    return [...this.#objects.values()]
  }

  inNamespace(namespace: string): O[] {
    return this.by(NAMESPACE, namespace)
  }

  ownedBy(owner: KubeObject): O[] {
    return owner.metadata.uid === undefined ? [] : this.by(OWNER, owner.metadata.uid)
  }

  withLabels(namespace: string, labels: Readonly<Record<string, string>>): O[] {
    if (Object.keys(labels).length === 0) return []
    return this.inNamespace(namespace).filter((object) => hasLabels(object, labels))
  }

  by(name: string, value: string): O[] {
    const index = this.#indexes.get(name)
    if (index === undefined) throw new Error(`there is no index ${name}`)
    return index.keysOf(value).map((key) => this.#objects.get(key)!)
  }
}

class Index<O> {
  readonly #valuesOf: IndexOf<O>
  readonly #keys = new Map<string, Set<string>>()

  constructor(valuesOf: IndexOf<O>) {
    this.#valuesOf = valuesOf
  }

  keysOf(value: string): string[] {
    return [...(this.#keys.get(value) ?? [])]
  }

  add(key: string, object: O): void {
    for (const value of this.#valuesOf(object)) {
      const keys = this.#keys.get(value)
      if (keys === undefined) this.#keys.set(value, new Set([key]))
      else keys.add(key)
    }
  }

  remove(key: string, object: O): void {
    for (const value of this.#valuesOf(object)) {
      const keys = this.#keys.get(value)
      keys?.delete(key)
      if (keys?.size === 0) this.#keys.delete(value)
    }
  }
}
