// Random writes, compactions, stops and watches from one seed, judged against a plain list of what
// was acknowledged. Repeat a failure with KEDGE_SEED=<seed>.

import { expect, test } from 'bun:test'
import { SeededRandom } from '../../src/lib/random.ts'
import type { Entry, Store, StoreEvent, WriteOptions } from '../../src/store/store.ts'
import { type StoreWorld, take } from './store.contract.ts'
import {
  revisionsOnlyGrow,
  watchIsComplete,
  watchIsOrdered,
  watchIsResumable,
  watchNeverRepeats,
} from './watch-checks.ts'

const SEEDS = process.env.KEDGE_SEED ? [Number(process.env.KEDGE_SEED)] : [1, 2, 3, 4, 5, 6]
const STEPS = 60
const PREFIXES = ['', '/a/', '/b/', '/b/k1']

export function storeFuzz(name: string, open: () => Promise<StoreWorld>): void {
  for (const seed of SEEDS) {
    test(`${name} keeps its promises under random use, seed ${seed}`, async () => {
      const world = await open()
      try {
        await new Fuzz(world, seed).run()
      } finally {
        await world.close()
      }
    })
  }
}

class Fuzz {
  readonly #world: StoreWorld
  readonly #random: SeededRandom
  /** Everything that was acknowledged, in order. */
  readonly #history: StoreEvent[] = []
  readonly #living = new Map<string, Entry>()

  constructor(world: StoreWorld, seed: number) {
    this.#world = world
    this.#random = new SeededRandom(seed)
  }

  async run(): Promise<void> {
    for (let step = 0; step < STEPS; step++) {
      const live = this.#openWatch()
      await this.#writeSome()
      await live.check()
      if (this.#chance(0.2)) await this.#store.compact(this.#someRevision())
      if (this.#chance(0.3)) await this.#world.between()
      this.#checkLists()
      await this.#checkReplay()
    }
    revisionsOnlyGrow(this.#history.map(({ revision }) => revision))
  }

  get #store(): Store {
    return this.#world.store
  }

  /** A few writes of one turn; some of them must fail. */
  async #writeSome(): Promise<void> {
    const count = 1 + Math.floor(this.#random.next() * 8)
    const expectations = Array.from({ length: count }, () => this.#writeOne())
    for (const check of expectations) await check()
    expect(this.#store.revision).toBe(this.#history.at(-1)?.revision ?? 1)
  }

  /** Starts a write and foretells its result by the model, which is one step ahead. */
  #writeOne(): () => Promise<void> {
    const key = `/${this.#pick(['a', 'b', 'c'])}/k${Math.floor(this.#random.next() * 12)}`
    const value = `${this.#random.next()}`
    const options: WriteOptions = { volatile: this.#chance(0.4) }
    const current = this.#living.get(key)
    const kind = this.#pick(['create', 'update', 'update', 'delete'] as const)
    const guessed = this.#chance(0.9) ? (current?.revision ?? 0) : 1
    const isFit = kind === 'create' ? current === undefined : current?.revision === guessed
    const writing =
      kind === 'create'
        ? this.#store.create(key, value, options)
        : kind === 'update'
          ? this.#store.update(key, value, guessed, options)
          : this.#store.delete(key, guessed)
    if (!isFit) return async () => expect(await writing).toEqual({ ok: false, current })
    const entry = this.#apply(kind, key, value, current)
    return async () => expect(await writing).toEqual({ ok: true, entry })
  }

  #apply(kind: string, key: string, value: string, current: Entry | undefined): Entry {
    const revision = (this.#history.at(-1)?.revision ?? 1) + 1
    const isDelete = kind === 'delete'
    const entry = {
      key,
      value: isDelete ? current!.value : value,
      created: current?.created ?? revision,
      revision,
    }
    const type = isDelete ? 'delete' : 'put'
    this.#history.push({ type, revision, entry, previous: current })
    if (isDelete) this.#living.delete(key)
    else this.#living.set(key, entry)
    return entry
  }

  /** A watch that is live while the next writes happen. */
  #openWatch(): { check: () => Promise<void> } {
    const prefix = this.#pick(PREFIXES)
    const from = this.#someRevision()
    const watch = this.#store.watch(prefix, from)
    return { check: () => this.#checkWatch(watch, prefix, from) }
  }

  async #checkWatch(watch: ReturnType<Store['watch']>, prefix: string, from: number) {
    const expected = this.#after(prefix, from)
    const seen = expected.length > 0 ? await take(watch, expected.length) : []
    watch.close()
    watchIsOrdered(seen)
    watchNeverRepeats(seen)
    watchIsComplete(seen, this.#history, { prefix, from })
  }

  /** One watch over the past, and the same cut in two at a random place. */
  async #checkReplay(): Promise<void> {
    const prefix = this.#pick(PREFIXES)
    const from = this.#someRevision()
    const whole = this.#after(prefix, from)
    if (whole.length === 0) return
    await this.#checkWatch(this.#store.watch(prefix, from), prefix, from)
    const cut = Math.floor(this.#random.next() * whole.length)
    const first = cut === 0 ? [] : (await take(this.#store.watch(prefix, from), cut)).slice(0, cut)
    const resumeAt = first.at(-1)?.revision ?? from
    const second = await take(this.#store.watch(prefix, resumeAt), whole.length - cut)
    watchIsResumable([first, second], whole)
  }

  #checkLists(): void {
    const prefix = this.#pick(PREFIXES)
    const atRevision = this.#someRevision()
    const expected = this.#stateAt(prefix, atRevision)
    const whole = this.#store.list(prefix, { atRevision })
    expect(whole.entries).toEqual(expected)
    const limit = 1 + Math.floor(this.#random.next() * 5)
    const pages: Entry[] = []
    for (let more = true; more; ) {
      const afterKey = pages.at(-1)?.key
      const page = this.#store.list(prefix, { atRevision, limit, ...(afterKey && { afterKey }) })
      pages.push(...page.entries)
      expect(page.remaining).toBe(expected.length - pages.length)
      more = page.more
    }
    expect(pages).toEqual(expected)
    expect(this.#store.count(prefix)).toBe(this.#stateAt(prefix, Infinity).length)
  }

  #stateAt(prefix: string, revision: number): Entry[] {
    const state = new Map<string, Entry>()
    for (const event of this.#history) {
      if (event.revision > revision) break
      if (event.type === 'put') state.set(event.entry.key, event.entry)
      else state.delete(event.entry.key)
    }
    const entries = [...state.values()].filter(({ key }) => key.startsWith(prefix))
    return entries.toSorted((a, b) => (a.key < b.key ? -1 : 1))
  }

  #after(prefix: string, from: number): StoreEvent[] {
    return this.#history.filter(
      ({ revision, entry }) => revision > from && entry.key.startsWith(prefix),
    )
  }

  /** Any revision that is still kept. */
  #someRevision(): number {
    const { compactedRevision, revision } = this.#store
    return compactedRevision + Math.floor(this.#random.next() * (revision - compactedRevision + 1))
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random.next() * items.length)]!
  }

  #chance(probability: number): boolean {
    return this.#random.next() < probability
  }
}
