// Bytes of answers that were made and not taken yet. Whoever leaves too many unread gets no further
// answer until some were read, and all users together are bounded as well.

import type { UserInfo } from '../../api/resource.ts'
import { tooManyRequests } from '../response/errors.ts'

/** Some large lists at once; several such users leave a small machine room to work. */
export const USER_BYTES_MAX = 24 * 1024 * 1024
export const ALL_BYTES_MAX = 96 * 1024 * 1024
const RETRY_AFTER_SECONDS = 1

export class Unread {
  readonly #bytesOf = new Map<string, number>()
  #all = 0

  /** Throws 429 for a user who has to read first. Administrators are never turned away. */
  check({ username, groups }: UserInfo): void {
    if (groups.includes('system:masters')) return
    const own = this.#bytesOf.get(username) ?? 0
    const isOver = own >= USER_BYTES_MAX || (own > 0 && this.#all >= ALL_BYTES_MAX)
    if (!isOver) return
    const message = 'Too many answers are unread: read them, then try again.'
    throw tooManyRequests(message, RETRY_AFTER_SECONDS)
  }

  /** Returns what is to be called when they were taken, or never will be. */
  add({ username }: UserInfo, bytes: number): () => void {
    this.#change(username, bytes)
    let isOver = false
    return () => {
      if (!isOver) this.#change(username, -bytes)
      isOver = true
    }
  }

  #change(username: string, bytes: number): void {
    this.#all += bytes
    const own = (this.#bytesOf.get(username) ?? 0) + bytes
    if (own <= 0) this.#bytesOf.delete(username)
    else this.#bytesOf.set(username, own)
  }
}
