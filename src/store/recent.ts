// The entries that were read last, so that what is read again and again costs no query. Holds what
// is published and nothing else: every published write goes through `note`.

import type { Entry, StoreEvent } from './store.ts'

/** Some thousands of objects of usual size; a box with little memory must be able to spare it. */
const RECENT_CHARS_MAX = 8 * 1024 * 1024

export class Recent {
  readonly #charsMax: number
  /** The one read longest ago comes first. */
  readonly #entries = new Map<string, Entry>()
  #chars = 0

  constructor(charsMax = RECENT_CHARS_MAX) {
    this.#charsMax = charsMax
  }

  /** What stands at `key`, from here or by `read`. */
  get(key: string, read: (key: string) => Entry | undefined): Entry | undefined {
    const known = this.#entries.get(key)
    if (known !== undefined) {
      this.#entries.delete(key)
      this.#entries.set(key, known)
      return known
    }
    const entry = read(key)
    if (entry !== undefined) this.#keep(entry)
    return entry
  }

  /** Only what was read before is kept up to date: a write alone is no sign of interest. */
  note(events: readonly StoreEvent[]): void {
    if (this.#entries.size === 0) return
    for (const { type, entry } of events) {
      if (!this.#drop(entry.key)) continue
      if (type === 'put') this.#keep(entry)
    }
  }

  #keep(entry: Entry): void {
    this.#entries.set(entry.key, entry)
    this.#chars += entry.value.length
    while (this.#chars > this.#charsMax) this.#drop(this.#entries.keys().next().value!)
  }

  #drop(key: string): boolean {
    const entry = this.#entries.get(key)
    if (entry === undefined) return false
    this.#entries.delete(key)
    this.#chars -= entry.value.length
    return true
  }
}
