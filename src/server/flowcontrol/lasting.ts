// Watches and streams last as long as people like, so they take no seats. They are counted instead:
// each user may have so many at once, on all connections together.

import type { UserInfo } from '../../api/resource.ts'
import { tooManyRequests } from '../response/errors.ts'

/** An operator has some dozens, a service mesh some hundred. */
export const LASTING_MAX = 500
const RETRY_AFTER_SECONDS = 1

export class Lasting {
  readonly #max: number
  readonly #countOf = new Map<string, number>()

  constructor(max = LASTING_MAX) {
    this.#max = max
  }

  /** Returns what is to be called at its end, once or more often. Throws 429. */
  enter({ username, groups }: UserInfo): () => void {
    if (groups.includes('system:masters')) return () => {}
    const count = this.#countOf.get(username) ?? 0
    if (count >= this.#max) {
      const message = `Too many watches and streams of one user: ${this.#max} are under way.`
      throw tooManyRequests(message, RETRY_AFTER_SECONDS)
    }
    this.#countOf.set(username, count + 1)
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      const left = (this.#countOf.get(username) ?? 0) - 1
      if (left <= 0) this.#countOf.delete(username)
      else this.#countOf.set(username, left)
    }
  }
}
