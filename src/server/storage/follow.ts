// The server's own view of its store: one watch over everything, handed to whoever keeps an index.
//
// A follower gets the present entries of its storagePrefix at once, then every change in order.

import type { Log } from '../../lib/log.ts'
import { type Entry, SlowWatcherError, type Store, type StoreEvent } from '../../store/store.ts'

export interface Follower {
  /** What the keys that it is about begin with, up to a slash: pods, services/specs. */
  readonly storagePrefix: string
  /** Forgets everything; the entries as they are now follow. */
  reset(): void
  put(entry: Entry): void
  remove(entry: Entry): void
}

export class Following {
  readonly #store: Store
  readonly #log: Log
  /** By the first part of their storagePrefix. */
  readonly #followers = new Map<string, Follower[]>()
  /** Where the watch goes on. */
  #revision: number

  constructor(store: Store, log: Log) {
    this.#store = store
    this.#log = log
    this.#revision = store.revision
  }

  /** To be called before `run`. */
  add(follower: Follower): void {
    const root = rootOf(follower.storagePrefix)
    const others = this.#followers.get(root) ?? []
    this.#followers.set(root, [...others, follower])
    this.#fill(follower)
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
        for (const follower of [...this.#followers.values()].flat()) this.#fill(follower)
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

  #fill(follower: Follower): void {
    follower.reset()
    for (const entry of this.#store.list(`${follower.storagePrefix}/`).entries) {
      this.#tell(entry.key, () => follower.put(entry))
    }
  }

  #handOut({ type, entry }: StoreEvent): void {
    for (const follower of this.#followers.get(rootOf(entry.key)) ?? []) {
      if (!entry.key.startsWith(`${follower.storagePrefix}/`)) continue
      this.#tell(entry.key, () => (type === 'put' ? follower.put(entry) : follower.remove(entry)))
    }
  }

  /** One entry that a follower cannot read must not stop the others. */
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
