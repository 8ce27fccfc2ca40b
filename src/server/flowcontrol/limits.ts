// How many requests may be in flight at once, those that read and those that write apart. Requests
// that last (watches, streams) and administrators are not counted.

import type { UserInfo } from '../../api/resource.ts'
import type { RequestInfo } from '../request/request-info.ts'
import { tooManyRequests } from '../response/errors.ts'

const READS_MAX = 400
const WRITES_MAX = 200
const RETRY_AFTER_SECONDS = 1

const READING = new Set(['get', 'list', 'watch', 'head', 'options'])
const LASTING = new Set(['proxy', 'exec', 'attach', 'portforward', 'log'])

export class InFlight {
  readonly #max: { reads: number; writes: number }
  readonly count = { reads: 0, writes: 0 }

  constructor(max: { reads?: number | undefined; writes?: number | undefined } = {}) {
    this.#max = { reads: max.reads ?? READS_MAX, writes: max.writes ?? WRITES_MAX }
  }

  /** Takes a place and returns what gives it back. Throws 429 when there is none. */
  enter(info: RequestInfo, user: UserInfo): () => void {
    if (isLasting(info) || user.groups.includes('system:masters')) return nothing
    const kind = READING.has(info.verb) ? 'reads' : 'writes'
    if (this.count[kind] >= this.#max[kind]) {
      const message = 'Too many requests, please try again later.'
      throw tooManyRequests(message, RETRY_AFTER_SECONDS)
    }
    this.count[kind]++
    return () => {
      this.count[kind]--
    }
  }
}

function nothing(): void {}

function isLasting(info: RequestInfo): boolean {
  return info.verb === 'watch' || LASTING.has(info.subresource)
}
