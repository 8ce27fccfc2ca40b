// A store that tells how long writes and lists take, by kind. Everything else passes through: what
// is read by its key comes from memory.

import type { Registry } from '../../api/registry.ts'
import type { Clock } from '../../lib/clock.ts'
import type {
  Entry,
  ListOptions,
  ListResult,
  Store,
  StoreWatch,
  WriteOptions,
  WriteResult,
} from '../../store/store.ts'

export type StoreOperation = 'list' | 'create' | 'update' | 'delete'

export interface StoreObserver {
  /** What is told how long one operation on one kind took. */
  stored(operation: StoreOperation, group: string, resource: string): (seconds: number) => void
}

type Told = Readonly<Record<StoreOperation, (seconds: number) => void>>
export type MeasuredStoreDeps = { registry: Registry; clock: Clock; observer: StoreObserver }

export class MeasuredStore implements Store {
  readonly #store: Store
  readonly #deps: MeasuredStoreDeps
  /** By how the keys of a kind begin. */
  readonly #told = new Map<string, Told>()
  readonly #unknown: Told

  constructor(store: Store, deps: MeasuredStoreDeps) {
    this.#store = store
    this.#deps = deps
    this.#unknown = this.#toldOf('', 'other')
  }

  get revision(): number {
    return this.#store.revision
  }

  get compactedRevision(): number {
    return this.#store.compactedRevision
  }

  get sizeBytes(): number {
    return this.#store.sizeBytes
  }

  current(signal: AbortSignal): Promise<void> | undefined {
    return this.#store.current(signal)
  }

  get(key: string): Entry | undefined {
    return this.#store.get(key)
  }

  list(prefix: string, options?: ListOptions): ListResult {
    const beganMs = this.#deps.clock.monotonicMs()
    const result = this.#store.list(prefix, options)
    this.#tell('list', prefix, beganMs)
    return result
  }

  count(prefix: string): number {
    return this.#store.count(prefix)
  }

  create(key: string, value: string, options?: WriteOptions): Promise<WriteResult> {
    return this.#measured('create', key, this.#store.create(key, value, options))
  }

  update(
    key: string,
    value: string,
    expected: number,
    options?: WriteOptions,
  ): Promise<WriteResult> {
    return this.#measured('update', key, this.#store.update(key, value, expected, options))
  }

  delete(key: string, expected: number): Promise<WriteResult> {
    return this.#measured('delete', key, this.#store.delete(key, expected))
  }

  watch(prefix: string, fromRevision: number): StoreWatch {
    return this.#store.watch(prefix, fromRevision)
  }

  compact(revision: number): Promise<void> {
    return this.#store.compact(revision)
  }

  erase(): Promise<void> {
    return this.#store.erase()
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  async #measured(operation: StoreOperation, key: string, write: Promise<WriteResult>) {
    const beganMs = this.#deps.clock.monotonicMs()
    const result = await write
    this.#tell(operation, key, beganMs)
    return result
  }

  #tell(operation: StoreOperation, key: string, beganMs: number): void {
    const seconds = (this.#deps.clock.monotonicMs() - beganMs) / 1000
    this.#kindOf(key)[operation](seconds)
  }

  /** The beginning of a key is one part, or two: pods, services/specs. */
  #kindOf(key: string): Told {
    const first = key.indexOf('/')
    if (first < 0) return this.#unknown
    const known = this.#told.get(key.slice(0, first))
    if (known !== undefined) return known
    const second = key.indexOf('/', first + 1)
    const two = second < 0 ? key : key.slice(0, second)
    return this.#told.get(two) ?? this.#learn(key.slice(0, first), two)
  }

  #learn(one: string, two: string): Told {
    const found = (prefix: string) =>
      this.#deps.registry.rows.find(({ storagePrefix }) => storagePrefix === prefix)
    const row = found(one) ?? found(two)
    if (row === undefined) return this.#unknown
    const told = this.#toldOf(row.group, row.plural)
    this.#told.set(row.storagePrefix, told)
    return told
  }

  #toldOf(group: string, resource: string): Told {
    const { observer } = this.#deps
    return {
      list: observer.stored('list', group, resource),
      create: observer.stored('create', group, resource),
      update: observer.stored('update', group, resource),
      delete: observer.stored('delete', group, resource),
    }
  }
}
