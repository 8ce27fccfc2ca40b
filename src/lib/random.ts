// The only door to randomness. Tests pass a seeded one, so that a run can be repeated.

export interface Random {
  /** A number in [0, 1). */
  next(): number
  /** A version 4 UUID. */
  uuid(): string
  /** `length` bytes; unpredictable in production, from the seed in tests. */
  bytes(length: number): Uint8Array
}

/** What upstream draws generated names from: no vowels, so no words, and no look-alikes. */
const NAME_LETTERS = 'bcdfghjklmnpqrstvwxz2456789'

/** A suffix for generateName and the like. */
export function randomSuffix(random: Random, length = 5): string {
  let text = ''
  for (let i = 0; i < length; i++) {
    text += NAME_LETTERS[Math.floor(random.next() * NAME_LETTERS.length)]
  }
  return text
}

export class SystemRandom implements Random {
  next(): number {
    return Math.random()
  }

  uuid(): string {
    return crypto.randomUUID()
  }

  bytes(length: number): Uint8Array {
    return crypto.getRandomValues(new Uint8Array(length))
  }
}

/** mulberry32: small, fast, and the same everywhere for one seed. */
export class SeededRandom implements Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  uuid(): string {
    const hex = Array.from(this.bytes(16), (byte) => byte.toString(16).padStart(2, '0')).join('')
    const variant = '89ab'[Number.parseInt(hex[16]!, 16) & 3]
    return [
      hex.slice(0, 8),
      hex.slice(8, 12),
      `4${hex.slice(13, 16)}`,
      `${variant}${hex.slice(17, 20)}`,
      hex.slice(20),
    ].join('-')
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => Math.floor(this.next() * 256))
  }
}
