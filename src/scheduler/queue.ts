// Pods that wait for a node.
//
//   put ──(PreEnqueue)──► active ──(take)──► being placed ──► gone
//          │               ▲  ▲                    │ refused            │ an error
//          ▼               │  └── back-off over    ▼                    ▼
//        gated ────────────┘   backing off ◄── waiting ──(5 minutes)─► active
//                                    ▲  a change that, by the hint of a plug-in that refused
//                                    └─ the pod, may help it
//
// Nothing is tried again without a reason. When nothing else is to do, who backs off from a refusal
// need not wait any longer.

import { pods } from '../api/kinds/core/pod/row.ts'
import type { KubeObject } from '../api/object.ts'
import { type AnyRow, groupVersionOf } from '../api/resource.ts'
import type { Pod } from '../api/schema/generated/types.ts'
import type { Change } from '../kit/informer.ts'
import type { Clock } from '../lib/clock.ts'
import type { Hint, Plugin } from './framework.ts'
import { Heap } from './heap.ts'
import type { PendingCounts } from './metrics.ts'

/** As upstream: pods that failed are tried again after 1 s, doubling to 10 s. */
const BACKOFF = { firstMs: 1000, maxMs: 10_000 }
/** However quiet the cluster is, a pod is looked at again after this long. */
const WAIT_MS_MAX = 5 * 60_000
/** Whoever was refused by nobody in particular: any change may help. */
const ANYBODY = ''

type State = 'gated' | 'active' | 'backing off' | 'waiting' | 'being placed' | 'gone'
type Waiting = {
  pod: Pod
  queuedAtMs: number
  failureCount: number
  failedAtMs: number
  state: State
  /** The plug-ins that refused it. */
  rejectors: ReadonlySet<string>
  cancel?: () => void
}

/** What `take` gives and the answers need: the pod, and how much had happened by then. */
export type Taken = { readonly pod: Pod; readonly change: number }

export type QueueOptions = {
  clock: Clock
  plugins: readonly Plugin[]
  /** Called whenever `take` may have something to give. */
  onReady: () => void
}

export class SchedulingQueue {
  readonly #clock: Clock
  readonly #onReady: () => void
  readonly #plugins: readonly Plugin[]
  readonly #hints: ReadonlyMap<string, readonly { plugin: string; hint: Hint }[]>
  readonly #pods = new Map<string, Waiting>()
  /** Entries whose state has changed since are passed over. */
  readonly #active: Heap<Waiting>
  readonly #backingOff = new Heap<{ one: Waiting; dueMs: number }>((a, b) => a.dueMs - b.dueMs)
  /** By who refused them. */
  readonly #waiting = new Map<string, Set<Waiting>>()
  /** Counts changes of the cluster, to catch one that came while a pod was being placed. */
  #changes = 0

  constructor({ clock, plugins, onReady }: QueueOptions) {
    this.#clock = clock
    this.#onReady = onReady
    this.#plugins = plugins
    this.#hints = hintsByRow(plugins)
    const sorts = plugins.flatMap(({ queueSort }) => queueSort ?? [])
    if (sorts.length !== 1) throw new Error('exactly one plug-in must sort the queue')
    this.#active = new Heap<Waiting>(sorts[0]!)
  }

  /** Adds a pod, or notes its newest version; `change`, if it is any news, may help it. */
  put(pod: Pod, change?: Change<Pod>): void {
    const uid = pod.metadata.uid!
    const known = this.#pods.get(uid)
    if (known === undefined) {
      const queuedAtMs = this.#clock.monotonicMs()
      const fresh = { failureCount: 0, failedAtMs: 0, rejectors: new Set<string>() }
      const one: Waiting = { pod, queuedAtMs, state: 'gated', ...fresh }
      this.#pods.set(uid, one)
      return this.#activate(one)
    }
    known.pod = pod
    if (known.state === 'gated') return this.#activate(known)
    if (known.state !== 'waiting' || change === undefined) return
    const hints = this.#hints.get(keyOf(pods)) ?? []
    const isHelped = hints.some(({ plugin, hint }) => {
      return known.rejectors.has(plugin) && hint.mayHelp(pod, change)
    })
    if (isHelped || known.rejectors.size === 0) this.#backOff(known)
  }

  remove(uid: string): void {
    const one = this.#pods.get(uid)
    if (one === undefined) return
    this.#leave(one, 'gone')
    this.#pods.delete(uid)
  }

  /** How many wait for what. */
  get pending(): PendingCounts {
    const counts = new Map<State, number>()
    for (const { state } of this.#pods.values()) counts.set(state, (counts.get(state) ?? 0) + 1)
    const of = (state: State) => counts.get(state) ?? 0
    return {
      active: of('active'),
      backoff: of('backing off'),
      unschedulable: of('waiting'),
      gated: of('gated'),
    }
  }

  has(uid: string): boolean {
    return this.#pods.has(uid)
  }

  /** The pod that may be tried now. */
  take(): Taken | undefined {
    const one = this.#nextActive() ?? this.#nextBackingOff()
    if (one === undefined) return undefined
    this.#leave(one, 'being placed')
    return { pod: one.pod, change: this.#changes }
  }

  /** Refused by `rejectors`: wait until one of them may have changed its mind. */
  refused({ pod, change }: Taken, rejectors: ReadonlySet<string>): void {
    const one = this.#failed(pod)
    if (one === undefined) return
    one.rejectors = rejectors
    if (change !== this.#changes) return this.#backOff(one)
    one.state = 'waiting'
    for (const plugin of namesOf(one)) {
      const others = this.#waiting.get(plugin)
      if (others === undefined) this.#waiting.set(plugin, new Set([one]))
      else others.add(one)
    }
    one.cancel = this.#clock.after(WAIT_MS_MAX, () => this.#activate(one))
  }

  /** Nobody refused it, something went wrong: try it again a little later. */
  retry(pod: Pod): void {
    const one = this.#failed(pod)
    if (one === undefined) return
    one.rejectors = new Set()
    this.#backOff(one, 'error')
  }

  /** PreEnqueue may answer otherwise now. */
  recheck(uid: string): void {
    const one = this.#pods.get(uid)
    if (one?.state === 'gated') this.#activate(one)
  }

  /** Tries a pod that waits at once. */
  activate(uid: string): void {
    const one = this.#pods.get(uid)
    if (one?.state === 'waiting' || one?.state === 'backing off') this.#activate(one)
  }

  /** Something changed: whom it may help tries again, backed off. `except` is a pod it cannot. */
  changed(row: AnyRow, change: Change<KubeObject>, except?: string): void {
    this.#changes++
    for (const one of this.#waiting.get(ANYBODY) ?? []) this.#backOff(one)
    for (const { plugin, hint } of this.#hints.get(keyOf(row)) ?? []) {
      for (const one of this.#waiting.get(plugin) ?? []) {
        if (one.pod.metadata.uid === except) continue
        if (hint.mayHelp(one.pod, change)) this.#backOff(one)
      }
    }
  }

  close(): void {
    for (const one of this.#pods.values()) one.cancel?.()
  }

  #failed({ metadata }: Pod): Waiting | undefined {
    const one = this.#pods.get(metadata.uid!)
    if (one === undefined) return undefined
    one.failureCount++
    one.failedAtMs = this.#clock.monotonicMs()
    // Who has been tried goes behind those of its priority who have not.
    one.queuedAtMs = one.failedAtMs
    return one
  }

  #nextActive(): Waiting | undefined {
    for (let one = this.#active.pop(); one !== undefined; one = this.#active.pop()) {
      if (one.state === 'active') return one
    }
    return undefined
  }

  #nextBackingOff(): Waiting | undefined {
    while (this.#backingOff.first !== undefined) {
      const { one } = this.#backingOff.pop()!
      if (one.state === 'backing off') return this.#mayEnter(one) ? one : undefined
    }
    return undefined
  }

  #backOff(one: Waiting, why: 'refusal' | 'error' = 'refusal'): void {
    const waitMs = Math.min(BACKOFF.firstMs * 2 ** (one.failureCount - 1), BACKOFF.maxMs)
    const dueMs = one.failedAtMs + waitMs
    const restMs = dueMs - this.#clock.monotonicMs()
    if (restMs <= 0) return this.#activate(one)
    this.#leave(one, 'backing off')
    one.cancel = this.#clock.after(restMs, () => this.#activate(one))
    if (why === 'error') return
    this.#backingOff.push({ one, dueMs })
    this.#onReady()
  }

  #activate(one: Waiting): void {
    if (!this.#mayEnter(one)) return
    this.#leave(one, 'active')
    this.#active.push(one)
    this.#onReady()
  }

  #mayEnter(one: Waiting): boolean {
    const isGated = this.#plugins.some(({ preEnqueue }) => preEnqueue?.(one.pod) !== undefined)
    if (isGated) this.#leave(one, 'gated')
    return !isGated
  }

  #leave(one: Waiting, state: State): void {
    one.cancel?.()
    delete one.cancel
    if (one.state === 'waiting') {
      for (const plugin of namesOf(one)) this.#waiting.get(plugin)?.delete(one)
    }
    one.state = state
  }
}

function namesOf({ rejectors }: Waiting): Iterable<string> {
  return rejectors.size === 0 ? [ANYBODY] : rejectors
}

function keyOf(row: AnyRow): string {
  return `${groupVersionOf(row)}/${row.plural}`
}

function hintsByRow(plugins: readonly Plugin[]) {
  const byRow = new Map<string, { plugin: string; hint: Hint }[]>()
  for (const { name, hints = [] } of plugins) {
    for (const hint of hints) {
      const key = keyOf(hint.row)
      byRow.set(key, [...(byRow.get(key) ?? []), { plugin: name, hint }])
    }
  }
  return byRow
}
