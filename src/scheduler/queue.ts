// Pods that wait for a node.
//
//   add ──► active ──(take)──► being placed ──► gone
//             ▲                     │ no node fits
//             │ back-off over       ▼
//          backing off ◄──(a change)── waiting ──(5 minutes)──► active

import type { Pod } from '../api/schema/generated/types.ts'
import type { Clock } from '../lib/clock.ts'
import type { PendingCounts } from './metrics.ts'

/** As upstream: pods that failed are tried again after 1 s, doubling to 10 s. */
const BACKOFF = { firstMs: 1000, maxMs: 10_000 }
/** However quiet the cluster is, a pod is looked at again after this long. */
const WAIT_MS_MAX = 5 * 60_000

type Waiting = {
  pod: Pod
  addedAtMs: number
  failureCount: number
  failedAtMs: number
  state: 'active' | 'backing off' | 'waiting' | 'being placed'
  cancel?: () => void
}

export class SchedulingQueue {
  readonly #clock: Clock
  readonly #onReady: () => void
  readonly #pods = new Map<string, Waiting>()
  /** Counts changes of the cluster, to catch one that came while a pod was being placed. */
  #changes = 0

  /** `onReady` is called whenever `take` may have something to give. */
  constructor(clock: Clock, onReady: () => void) {
    this.#clock = clock
    this.#onReady = onReady
  }

  /** Adds a pod, or notes its newest version; one that waits is tried again when it changed. */
  put(pod: Pod): void {
    const uid = pod.metadata.uid!
    const known = this.#pods.get(uid)
    if (known === undefined) {
      const addedAtMs = this.#clock.monotonicMs()
      this.#pods.set(uid, { pod, addedAtMs, failureCount: 0, failedAtMs: 0, state: 'active' })
      this.#onReady()
      return
    }
    const isChanged = known.pod.metadata.generation !== pod.metadata.generation
    known.pod = pod
    if (known.state === 'waiting' && isChanged) this.#backOff(known)
  }

  remove(uid: string): void {
    this.#pods.get(uid)?.cancel?.()
    this.#pods.delete(uid)
  }

  /** How many wait for what. */
  get pending(): PendingCounts {
    const states = [...this.#pods.values()].map(({ state }) => state)
    const count = (wanted: Waiting['state']) => states.filter((state) => state === wanted).length
    const [active, backoff] = [count('active'), count('backing off')]
    return { active, backoff, unschedulable: count('waiting') }
  }

  has(uid: string): boolean {
    return this.#pods.has(uid)
  }

  /** The most important pod that may be tried now; the older of equals. */
  take(): { pod: Pod; change: number } | undefined {
    let best: Waiting | undefined
    for (const one of this.#pods.values()) {
      if (one.state === 'active' && (best === undefined || comesBefore(one, best))) best = one
    }
    if (best === undefined) return undefined
    best.state = 'being placed'
    return { pod: best.pod, change: this.#changes }
  }

  /** No node fits: wait for a change; `change` is what `take` gave. */
  fail(uid: string, change: number): void {
    const one = this.#pods.get(uid)
    if (one === undefined) return
    one.failureCount++
    one.failedAtMs = this.#clock.monotonicMs()
    if (change !== this.#changes) return this.#backOff(one)
    one.state = 'waiting'
    one.cancel = this.#clock.after(WAIT_MS_MAX, () => this.#activate(one))
  }

  /** Something changed that may make room: everyone who waits tries again, backed off. */
  wake(): void {
    this.#changes++
    for (const one of this.#pods.values()) if (one.state === 'waiting') this.#backOff(one)
  }

  close(): void {
    for (const one of this.#pods.values()) one.cancel?.()
  }

  #backOff(one: Waiting): void {
    one.cancel?.()
    const waitMs = Math.min(BACKOFF.firstMs * 2 ** (one.failureCount - 1), BACKOFF.maxMs)
    const restMs = one.failedAtMs + waitMs - this.#clock.monotonicMs()
    if (restMs <= 0) return this.#activate(one)
    one.state = 'backing off'
    one.cancel = this.#clock.after(restMs, () => this.#activate(one))
  }

  #activate(one: Waiting): void {
    one.cancel?.()
    one.state = 'active'
    this.#onReady()
  }
}

function comesBefore(a: Waiting, b: Waiting): boolean {
  const priority = (b.pod.spec?.priority ?? 0) - (a.pod.spec?.priority ?? 0)
  return priority === 0 ? a.addedAtMs < b.addedAtMs : priority < 0
}
