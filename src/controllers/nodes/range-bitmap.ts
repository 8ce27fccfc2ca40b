// Which parts of the cluster's pod addresses are given away: one counter for each part of a node's
// size, so that to give one away costs a step, however many nodes there are.

import { addressAt, type Cidr, contains, sizeOf } from '../../lib/ip.ts'

/** What a node gets: 254 pods, or as many as any node can run. */
const NODE_PREFIX = { 4: 24, 6: 64 } as const
/** Larger ranges are used only in part: nobody has as many nodes. */
const PARTS_MAX = 1 << 16

type Span = { first: number; end: number }

export class RangeBitmap {
  readonly #cluster: Cidr
  readonly #prefix: number
  /** How many have it: two Nodes may say the same, and the one that goes frees nothing then. */
  readonly #counts: Uint32Array
  /** Nothing below is free. */
  #lowest = 0

  /** What overlaps `reserved` is never given away. */
  constructor(cluster: Cidr, reserved: readonly Cidr[]) {
    this.#cluster = cluster
    this.#prefix = Math.max(cluster.prefix, NODE_PREFIX[cluster.family])
    const partCount = Math.min(2 ** (this.#prefix - cluster.prefix), PARTS_MAX)
    this.#counts = new Uint32Array(partCount)
    for (const range of reserved) this.#add(this.#spanOf(range), 1)
  }

  /** False for what does not lie within the cluster's range: that is none of ours. */
  take(range: Cidr): boolean {
    if (!this.#isInside(range)) return false
    this.#add(this.#spanOf(range), 1)
    return true
  }

  giveBack(range: Cidr): void {
    if (!this.#isInside(range)) return
    const span = this.#spanOf(range)
    this.#add(span, -1)
    this.#lowest = Math.min(this.#lowest, span.first)
  }

  /** Takes the first part that nobody has; undefined when there is none. */
  takeFirst(): Cidr | undefined {
    const at = this.#counts.indexOf(0, this.#lowest)
    this.#lowest = at < 0 ? this.#counts.length : at + 1
    if (at < 0) return undefined
    this.#counts[at] = 1
    const size = sizeOf({ ...this.#cluster, prefix: this.#prefix })
    const base = addressAt(this.#cluster, BigInt(at) * size).value
    return { family: this.#cluster.family, base, prefix: this.#prefix }
  }

  #isInside({ family, base, prefix }: Cidr): boolean {
    return prefix >= this.#cluster.prefix && contains(this.#cluster, { family, value: base })
  }

  /** The parts that the range overlaps. */
  #spanOf(range: Cidr): Span {
    const { base, family } = this.#cluster
    if (range.family !== family) return { first: 0, end: 0 }
    const size = sizeOf({ ...this.#cluster, prefix: this.#prefix })
    const last = range.base + sizeOf(range) - 1n
    const bounded = (value: bigint) => Math.min(Math.max(Number(value), 0), this.#counts.length)
    if (last < base) return { first: 0, end: 0 }
    const first = range.base <= base ? 0 : bounded((range.base - base) / size)
    return { first, end: bounded((last - base) / size + 1n) }
  }

  #add({ first, end }: Span, change: 1 | -1): void {
    for (let i = first; i < end; i++) this.#counts[i]! += change
  }
}
