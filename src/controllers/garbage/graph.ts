// Who owns whom, over all kinds. Nothing is kept here: it is a view of the informers' caches, which
// hold metadata alone for kinds that no controller reads.

import { type KubeObject, keyOf } from '../../api/object.ts'
import { type AnyRow, groupVersionOf } from '../../api/resource.ts'
import type { OwnerReference } from '../../api/schema/generated/types.ts'
import type { Change, Informer } from '../../kit/informer.ts'
import type { InformerSet } from '../../kit/informer-set.ts'

export type OwnerNode = { key: string; row: AnyRow; object: KubeObject }

type Entry = { row: AnyRow; informer: Informer<KubeObject> }

const OWNERS = 'garbage/owners'
const UID = 'garbage/uid'

export class OwnerGraph {
  readonly #informers: InformerSet
  readonly #entries = new Map<string, Entry>()

  constructor(informers: InformerSet) {
    this.#informers = informers
  }

  /** Follows `rows`, and no others any more. `onChange` hears of every change of a new one. */
  follow(rows: readonly AnyRow[], onChange: (row: AnyRow, change: Change<KubeObject>) => void) {
    const wanted = new Map(collectable(rows).map((row) => [nameOf(row), row]))
    for (const [name, { row }] of this.#entries) {
      if (wanted.has(name)) continue
      this.#informers.drop(row)
      this.#entries.delete(name)
    }
    for (const [name, row] of wanted) {
      if (this.#entries.has(name)) continue
      const informer = this.#informers.metadataOf(row)
      informer.addIndex(OWNERS, ({ metadata }) =>
        (metadata.ownerReferences ?? []).map(({ uid }) => uid),
      )
      informer.addIndex(UID, ({ metadata }) => (metadata.uid ? [metadata.uid] : []))
      this.#entries.set(name, { row, informer })
      informer.onChange((change) => onChange(row, change))
    }
  }

  async synced(signal: AbortSignal): Promise<void> {
    for (const { informer } of [...this.#entries.values()]) await informer.synced(signal)
  }

  /** The object that a queue key stands for, if it is still the same one. */
  find(key: string): OwnerNode | undefined {
    const { name, objectKey, uid } = parseKey(key)
    const entry = this.#entries.get(name)
    const object = entry?.informer.lister.get(objectKey)
    if (entry === undefined || object?.metadata.uid !== uid) return undefined
    return { key, row: entry.row, object }
  }

  byUid(uid: string): OwnerNode | undefined {
    for (const { row, informer } of this.#entries.values()) {
      const [object] = informer.lister.by(UID, uid)
      if (object !== undefined) return { key: keyFor(row, object), row, object }
    }
    return undefined
  }

  /** Everything that names `uid` as an owner. */
  dependentsOf(uid: string): OwnerNode[] {
    return [...this.#entries.values()].flatMap(({ row, informer }) =>
      informer.lister.by(OWNERS, uid).map((object) => ({ key: keyFor(row, object), row, object })),
    )
  }

  /** The kind that a reference means; undefined when nothing like it is served. */
  rowOf({ apiVersion, kind }: OwnerReference): AnyRow | undefined {
    for (const { row } of this.#entries.values()) {
      if (row.kind === kind && groupVersionOf(row) === apiVersion) return row
    }
    // Another version of a kind that we follow in one.
    const group = apiVersion.includes('/') ? apiVersion.split('/')[0] : ''
    for (const { row } of this.#entries.values()) {
      if (row.kind === kind && row.group === group) return row
    }
    return undefined
  }
}

/** Kinds whose objects can go, once each. Events own nothing and nobody owns them. */
export function collectable(rows: readonly AnyRow[]): AnyRow[] {
  const seen = new Set(['events'])
  return rows.filter((row) => {
    const isFollowable = ['delete', 'list', 'watch'].every((verb) =>
      (row.verbs as readonly string[]).includes(verb),
    )
    if (!isFollowable || seen.has(row.storagePrefix)) return false
    seen.add(row.storagePrefix)
    return true
  })
}

const nameOf = (row: AnyRow) => `${row.group}/${row.version}/${row.plural}`

export function keyFor(row: AnyRow, object: KubeObject): string {
  return [nameOf(row), keyOf(object), object.metadata.uid].join(' ')
}

function parseKey(key: string) {
  const [name = '', objectKey = '', uid = ''] = key.split(' ')
  return { name, objectKey, uid }
}
