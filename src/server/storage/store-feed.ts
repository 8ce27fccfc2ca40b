// The server's own view of its store: one watch over everything, handed to whoever keeps an index.
//
// An index gets the present entries of its storagePrefix at once, then every change in order.

import type { Log } from '../../lib/log.ts'
import { type Entry, SlowWatcherError, type Store, type StoreEvent } from '../../store/store.ts'

export interface StoreIndex {
  /** What the keys that it is about begin with, up to a slash: pods, services/specs. */
  readonly storagePrefix: string
  /** Forgets everything; the entries as they are now follow. */
  reset(): void
  put(entry: Entry): void
  remove(entry: Entry): void
}

export class StoreFeed {
  readonly #store: Store
  readonly #log: Log
  /** By the first part of their storagePrefix. */
  readonly #indexes = new Map<string, StoreIndex[]>()
  /** Where the watch goes on. */
  #revision: number

  constructor(store: Store, log: Log) {
    this.#store = store
    this.#log = log
    this.#revision = store.revision
  }

  /** To be called before `run`. */
  add(index: StoreIndex): void {
    const root = rootOf(index.storagePrefix)
    const others = this.#indexes.get(root) ?? []
    this.#indexes.set(root, [...others, index])
    this.#fill(index)
  }

  /** Returns when the store closes or `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#follow(signal)
        return
      } catch (error) {
        if (!(error instanceof SlowWatcherError)) throw error
        this.#revision = this.#store.revision
        for (const index of [...this.#indexes.values()].flat()) this.#fill(index)
      }
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const watch = this.#store.watch('', this.#revision)
    signal.addEventListener('abort', () => watch.close(), { once: true })
    for await (const batch of watch) {
      for (const event of batch) this.#handOut(event)
      this.#revision = batch.at(-1)?.revision ?? this.#revision
    }
  }

  #fill(index: StoreIndex): void {
    index.reset()
    for (const entry of this.#store.list(`${index.storagePrefix}/`).entries) {
      this.#tell(entry.key, () => index.put(entry))
    }
  }

  #handOut({ type, entry }: StoreEvent): void {
    for (const index of this.#indexes.get(rootOf(entry.key)) ?? []) {
      if (!entry.key.startsWith(`${index.storagePrefix}/`)) continue
      this.#tell(entry.key, () => (type === 'put' ? index.put(entry) : index.remove(entry)))
    }
  }

  /** One entry that a index cannot read must not stop the others. */
  #tell(key: string, run: () => void): void {
    try {
      run()
    } catch (error) {
      this.#log.error('cannot follow a change', { key, error })
    }
  }
}

function rootOf(key: string): string {
  const end = key.indexOf('/')
  return end < 0 ? key : key.slice(0, end)
}
