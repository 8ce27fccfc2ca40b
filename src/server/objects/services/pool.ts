// Numbers of a range, each given to at most one owner.

import type { Random } from '../../../lib/random.ts'

/** Owners may share a number among their own uses of it. */
export type Owner = string

export class NumberPool {
  readonly #first: number
  readonly #size: number
  /** Below this offset numbers are only given to who asks for them, while there are others. */
  readonly #dynamicFrom: number
  readonly #random: Random
  readonly #used = new Map<number, Owner>()
  readonly #held = new Map<number, Owner>()

  /** `bandSize` is that of the lower part, which is kept for requests. */
  constructor(range: { first: number; size: number; bandSize: number }, random: Random) {
    this.#first = range.first
    this.#size = range.size
    this.#dynamicFrom = range.size > range.bandSize ? range.bandSize : 0
    this.#random = random
  }

  has(number: number): boolean {
    return number >= this.#first && number < this.#first + this.#size
  }

  isFree(number: number, owner: Owner): boolean {
    const taken = this.#used.get(number) ?? this.#held.get(number)
    return taken === undefined || taken === owner
  }

  /** Returns false when somebody else has it. */
  hold(number: number, owner: Owner): boolean {
    if (!this.isFree(number, owner)) return false
    this.#held.set(number, owner)
    return true
  }

  /** Neither in use nor on hold. */
  isUnused(number: number): boolean {
    return !this.#used.has(number) && !this.#held.has(number)
  }

  /** Undefined when the range is exhausted, but for what is to be `avoid`ed. */
  holdAny(owner: Owner, avoid: (number: number) => boolean = () => false): number | undefined {
    const number =
      this.#freeIn(this.#dynamicFrom, this.#size, avoid) ??
      this.#freeIn(0, this.#dynamicFrom, avoid)
    if (number !== undefined) this.#held.set(number, owner)
    return number
  }

  letGo(number: number): void {
    this.#held.delete(number)
  }

  use(number: number, owner: Owner): void {
    this.#used.set(number, owner)
    this.#held.delete(number)
  }

  free(number: number, owner: Owner): void {
    if (this.#used.get(number) === owner) this.#used.delete(number)
  }

  clear(): void {
    this.#used.clear()
  }

  /** From a random place on, so that numbers are not given again at once. */
  #freeIn(from: number, to: number, avoid: (number: number) => boolean): number | undefined {
    const count = to - from
    const start = Math.floor(this.#random.next() * count)
    for (let i = 0; i < count; i++) {
      const number = this.#first + from + ((start + i) % count)
      if (this.isUnused(number) && !avoid(number)) return number
    }
    return undefined
  }
}
