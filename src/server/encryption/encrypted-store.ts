// A store that seals the values under some prefixes before they reach the store below, and opens
// them on the way back. Everything else passes through untouched.

import type {
  Entry,
  ListOptions,
  ListResult,
  Store,
  StoreEvent,
  StoreWatch,
  WriteOptions,
  WriteResult,
} from '../../store/store.ts'
import { isSealed, type ValueCipher } from './value-cipher.ts'

export class EncryptedStore implements Store {
  readonly #store: Store
  readonly #cipher: ValueCipher
  readonly #prefixes: readonly string[]
  /** What is read again, or watched by many, is opened once; and they all see one entry. */
  readonly #opened = new WeakMap<Entry, Entry>()
  readonly #openedEvents = new WeakMap<StoreEvent, StoreEvent>()

  constructor(store: Store, cipher: ValueCipher, prefixes: readonly string[]) {
    this.#store = store
    this.#cipher = cipher
    this.#prefixes = prefixes
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
    const entry = this.#store.get(key)
    return entry && this.#open(entry)
  }

  list(prefix: string, options?: ListOptions): ListResult {
    const result = this.#store.list(prefix, options)
    if (!this.#concerns(prefix) || !result.entries.some(({ value }) => isSealed(value)))
      return result
    return { ...result, entries: result.entries.map((entry) => this.#open(entry)) }
  }

  count(prefix: string): number {
    return this.#store.count(prefix)
  }

  async create(key: string, value: string, options?: WriteOptions): Promise<WriteResult> {
    return this.#result(await this.#store.create(key, this.#seal(key, value), options), value)
  }

  async update(
    key: string,
    value: string,
    expected: number,
    options?: WriteOptions,
  ): Promise<WriteResult> {
    const sealed = this.#seal(key, value)
    return this.#result(await this.#store.update(key, sealed, expected, options), value)
  }

  async delete(key: string, expected: number): Promise<WriteResult> {
    const result = await this.#store.delete(key, expected)
    if (result.ok) return { ok: true, entry: this.#open(result.entry) }
    return this.#result(result, '')
  }

  watch(prefix: string, fromRevision: number): StoreWatch {
    const watch = this.#store.watch(prefix, fromRevision)
    if (!this.#concerns(prefix)) return watch
    const open = (event: StoreEvent) => this.#openEvent(event)
    return {
      close: () => watch.close(),
      async *[Symbol.asyncIterator]() {
        for await (const batch of watch) yield batch.map(open)
      },
    }
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

  /** Can there be anything sealed under it? */
  #concerns(prefix: string): boolean {
    return this.#prefixes.some((one) => one.startsWith(prefix) || prefix.startsWith(one))
  }

  #seal(key: string, value: string): string {
    const isOurs = this.#prefixes.some((prefix) => key.startsWith(prefix))
    return isOurs ? this.#cipher.seal(key, value) : value
  }

  /** `written` is known already: it need not be opened. */
  #result(result: WriteResult, written: string): WriteResult {
    if (!result.ok) return { ok: false, current: result.current && this.#open(result.current) }
    const { entry } = result
    if (!isSealed(entry.value)) return result
    return { ok: true, entry: this.#keep(entry, written) }
  }

  #open(entry: Entry): Entry {
    if (!isSealed(entry.value)) return entry
    return this.#opened.get(entry) ?? this.#keep(entry, this.#cipher.open(entry.key, entry.value))
  }

  #keep(entry: Entry, value: string): Entry {
    const opened = { ...entry, value }
    this.#opened.set(entry, opened)
    return opened
  }

  #openEvent(event: StoreEvent): StoreEvent {
    const { entry, previous } = event
    if (!isSealed(entry.value) && !isSealed(previous?.value ?? '')) return event
    let opened = this.#openedEvents.get(event)
    if (opened === undefined) {
      opened = { ...event, entry: this.#open(entry), previous: previous && this.#open(previous) }
      this.#openedEvents.set(event, opened)
    }
    return opened
  }
}
