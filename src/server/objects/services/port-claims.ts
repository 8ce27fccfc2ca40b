// Node ports of the cluster as one object, a bit for each: whoever wants some writes it anew, and
// only if nobody else did meanwhile. So two servers cannot give the same port twice.
//
// A bit does not say whose it is. One that no Service has had for a minute is free again; a process
// that has set it may use it again at once.

import type { Clock } from '../../../lib/clock.ts'
import type { Store } from '../../../store/store.ts'
import { GRACE_MS } from './address-claims.ts'

/** Not among the resources of the API, as upstream's is not. */
const KEY = 'ranges/servicenodeports'
const ATTEMPTS_MAX = 50

export type PortRange = { first: number; last: number }

/** May run more than once: after a lost race it begins again with what stands there now. */
type Edit = (bits: Set<number>) => void

type Stored = { range: string; data: string }

export class PortClaims {
  readonly #store: Store
  readonly #clock: Clock
  readonly #range: PortRange
  readonly #own = new Set<number>()
  /** Set, and of no Service: since when that was first seen. */
  readonly #unownedMs = new Map<number, number>()

  /** Each once for every request that is being served. */
  readonly #pending: { edit: Edit; resolve: () => void; reject: (error: unknown) => void }[] = []
  #writing: Promise<void> | undefined

  constructor(store: Store, clock: Clock, range: PortRange) {
    this.#store = store
    this.#clock = clock
    this.#range = range
  }

  /** Sets the bits. Returns those that somebody else has; then none is set. */
  async take(ports: readonly number[]): Promise<number[]> {
    let lost: number[] = []
    await this.#change((bits) => {
      lost = ports.filter((port) => bits.has(port) && !this.#isFree(port))
      if (lost.length === 0) for (const port of ports) bits.add(port)
    })
    if (lost.length > 0) return lost
    for (const port of ports) {
      this.#own.add(port)
      this.#unownedMs.delete(port)
    }
    return []
  }

  async giveBack(ports: readonly number[]): Promise<void> {
    await this.#change((bits) => {
      for (const port of ports) bits.delete(port)
    })
    for (const port of ports) this.#own.delete(port)
  }

  /** Those that stored Services have are set whatever was written: they count. */
  async repair(used: Iterable<number>): Promise<void> {
    await this.#change((bits) => {
      for (const port of used) bits.add(port)
    })
  }

  /** Clears what nobody has had for a while. Returns when to look again, in ms, if it must. */
  async clean(isUsed: (port: number) => boolean): Promise<number | undefined> {
    const nowMs = this.#clock.monotonicMs()
    const left = [...this.#read().bits].filter((port) => !isUsed(port))
    for (const port of this.#unownedMs.keys()) if (isUsed(port)) this.#unownedMs.delete(port)
    for (const port of left) if (!this.#unownedMs.has(port)) this.#unownedMs.set(port, nowMs)
    const due = left.filter((port) => this.#isUnowned(port))
    if (due.length > 0) await this.giveBack(due.filter((port) => !isUsed(port)))
    for (const port of due) this.#unownedMs.delete(port)
    return left.length > due.length ? GRACE_MS : undefined
  }

  /** The caller knows of no Service that has it. */
  #isFree(port: number): boolean {
    return this.#own.has(port) || this.#isUnowned(port)
  }

  #isUnowned(port: number): boolean {
    const sinceMs = this.#unownedMs.get(port)
    return sinceMs !== undefined && this.#clock.monotonicMs() - sinceMs >= GRACE_MS
  }

  /** Changes that come while one is being written share the next write. */
  #change(edit: Edit): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#pending.push({ edit, resolve, reject })
    this.#writing ??= this.#writeAll()
    return promise
  }

  /** Never rejects: whoever asked hears of it. */
  async #writeAll(): Promise<void> {
    while (this.#pending.length > 0) {
      const batch = this.#pending.splice(0)
      try {
        await this.#write(batch.map(({ edit }) => edit))
        for (const { resolve } of batch) resolve()
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    this.#writing = undefined
  }

  async #write(edits: readonly Edit[]): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const { bits, text, revision } = this.#read()
      for (const edit of edits) edit(bits)
      const next = this.#format(bits)
      if (next === text) return
      const result = await (revision === undefined
        ? this.#store.create(KEY, next)
        : this.#store.update(KEY, next, revision))
      if (result.ok) return
    }
    throw new Error('the node ports of the cluster change too fast: try again')
  }

  #read(): { bits: Set<number>; text?: string; revision?: number } {
    const entry = this.#store.get(KEY)
    if (entry === undefined) return { bits: new Set() }
    const { range, data } = JSON.parse(entry.value) as Stored
    const first = Number(range.split('-')[0])
    const bits = new Set<number>()
    for (const [i, byte] of Buffer.from(data, 'base64').entries()) {
      for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) bits.add(first + i * 8 + bit)
    }
    return { bits, text: entry.value, revision: entry.revision }
  }

  /** What lies outside the range is of an earlier one, and no longer given. */
  #format(bits: ReadonlySet<number>): string {
    const { first, last } = this.#range
    const bytes = Buffer.alloc(Math.ceil((last - first + 1) / 8))
    for (const port of bits) {
      if (port < first || port > last) continue
      bytes[(port - first) >> 3]! |= 1 << ((port - first) & 7)
    }
    const stored: Stored = { range: `${first}-${last}`, data: bytes.toString('base64') }
    return JSON.stringify(stored)
  }
}
