// A plan in the making. Local to one call of planPod, so it may be changed while it grows.

import type { Action, PodPlan, Seen, Trouble, Waiting } from './pod-seen.ts'
import { keyOf } from './pod-seen.ts'

type Retry = { firstMs: number; maxMs: number }

/** How long to wait after a failure, doubled with each further one. */
const RETRIES: Record<Action['do'], Retry> = {
  'find-image': { firstMs: 10_000, maxMs: 300_000 },
  start: { firstMs: 10_000, maxMs: 300_000 },
  'create-sandbox': { firstMs: 1_000, maxMs: 30_000 },
  'prepare-volumes': { firstMs: 500, maxMs: 122_000 },
  'post-start': { firstMs: 1_000, maxMs: 10_000 },
  'pre-stop': { firstMs: 1_000, maxMs: 10_000 },
  stop: { firstMs: 1_000, maxMs: 10_000 },
  remove: { firstMs: 1_000, maxMs: 60_000 },
  'remove-sandbox': { firstMs: 1_000, maxMs: 30_000 },
  'remove-volumes': { firstMs: 1_000, maxMs: 30_000 },
}

export function retryAtMs(action: Action['do'], trouble: Trouble): number {
  const { firstMs, maxMs } = RETRIES[action]
  return trouble.atMs + Math.min(firstMs * 2 ** (trouble.count - 1), maxMs)
}

export class Draft {
  readonly seen: Seen
  readonly actions: Action[] = []
  readonly cancel: string[] = []
  readonly waiting = new Map<string, Waiting>()
  #recheckAtMs = Infinity

  constructor(seen: Seen) {
    this.seen = seen
  }

  /** Asks for `action`, unless it is under way or failed too short a time ago. */
  want(action: Action): void {
    const key = keyOf(action)
    if (this.seen.busy.has(key)) return
    const trouble = this.seen.troubles.get(key)
    const retryMs = trouble === undefined ? 0 : retryAtMs(action.do, trouble)
    if (retryMs > this.seen.nowMs) this.recheckAt(retryMs)
    else this.actions.push(action)
  }

  /** Ends what is under way under `key`, if anything is. */
  stopWork(key: string): void {
    if (this.seen.busy.has(key)) this.cancel.push(key)
  }

  recheckAt(atMs: number): void {
    this.#recheckAtMs = Math.min(this.#recheckAtMs, atMs)
  }

  plan(phase: PodPlan['phase'], ending?: PodPlan['ending']): PodPlan {
    const { actions, cancel, waiting } = this
    const isNever = this.#recheckAtMs === Infinity
    const recheckInMs = isNever ? undefined : Math.max(this.#recheckAtMs - this.seen.nowMs, 0)
    return { phase, actions, cancel, waiting, ending, recheckInMs }
  }
}
