// The scheduler: pods that have no node go in, bindings come out.
//
// One pod is placed at a time, because the next must see where it went; bindings are sent without
// waiting for each other, at most a fixed number at once.

import { nodes } from '../api/kinds/core/node/row.ts'
import { pods } from '../api/kinds/core/pod/row.ts'
import type { KubeObject } from '../api/object.ts'
import type { AnyRow, ResourceRow } from '../api/resource.ts'
import type { Node, Pod } from '../api/schema/generated/types.ts'
import { isConflict, isNotFound } from '../api/status.ts'
import type { Client } from '../kit/client.ts'
import type { Change, Informer } from '../kit/informer.ts'
import type { InformerSet } from '../kit/informer-set.ts'
import { aborted } from '../lib/abort.ts'
import type { Clock } from '../lib/clock.ts'
import type { Component } from '../lib/component.ts'
import { describeError, type Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import type { Random } from '../lib/random.ts'
import { BindingCycle } from './binding.ts'
import { isNewsOfNode, isNewsOfPod } from './changes.ts'
import { Cluster } from './cluster.ts'
import { describeRefusals } from './diagnosis.ts'
import {
  type Handle,
  type MakePlugin,
  open,
  type Plugin,
  type Refusal,
  type Refused,
} from './framework.ts'
import { schedulerMetrics } from './metrics.ts'
import { isFinished } from './node-state.ts'
import { type Placement, placePod } from './place.ts'
import { PLUGINS } from './plugins/all.ts'
import { SchedulingQueue, type Taken } from './queue.ts'
import { type Failure, patchStatus, reportFailure, reportSuccess, say } from './report.ts'

export type SchedulerDeps = {
  client: Client
  informers: InformerSet
  clock: Clock
  random: Random
  log: Log
  metrics: Metrics
  /** Names this scheduler in its events: default-scheduler-<host>. */
  hostName: string
  /** Upstream's default ones when left out. */
  plugins?: readonly MakePlugin[]
}

const SCHEDULER_NAME = 'default-scheduler'
const BINDINGS_MAX = 32

export function createScheduler(deps: SchedulerDeps): Component & { readonly isIdle: boolean } {
  // Made now, so that whoever else reads the kinds that it asks for shares the caches.
  const scheduler = new Scheduler(deps)
  return {
    name: 'scheduler',
    start: (signal) => Promise.resolve({ done: scheduler.run(signal) }),
    get isIdle() {
      return scheduler.isIdle
    },
  }
}

class Scheduler {
  readonly #deps: SchedulerDeps
  readonly #cluster = new Cluster()
  readonly #plugins: readonly Plugin[]
  readonly #queue: SchedulingQueue
  readonly #bindingCycle: BindingCycle
  readonly #pods: Informer<Pod>
  readonly #nodes: Informer<Node>
  readonly #informers = new Set<Informer<KubeObject>>()
  readonly #metrics: ReturnType<typeof schedulerMetrics>
  #signal = AbortSignal.abort()
  #isReady = false
  #bindings = 0
  #isScheduled = false
  #startIndex = 0

  constructor(deps: SchedulerDeps) {
    this.#deps = deps
    this.#pods = this.#informerOf(pods)
    this.#nodes = this.#informerOf(nodes)
    const handle = this.#handle()
    this.#plugins = (deps.plugins ?? PLUGINS).map((make) => make(handle))
    const { clock } = deps
    this.#queue = new SchedulingQueue({
      clock,
      plugins: this.#plugins,
      onReady: () => this.#soon(),
    })
    this.#bindingCycle = new BindingCycle({
      clock,
      plugins: this.#plugins,
      assume: (pod, nodeName) => {
        this.#cluster.setPod(pod, nodeName)
        this.#cluster.nominations.remove(pod)
      },
      forget: (pod) => this.#cluster.removePod(pod),
      announce: (pod, nodeName) => this.#announce(pod, nodeName),
      aside: (work) => this.#aside(work),
    })
    this.#metrics = schedulerMetrics(deps.metrics, () => this.#queue.pending)
  }

  get isIdle(): boolean {
    return !this.#isScheduled && this.#bindings === 0
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal
    const stops = [
      this.#nodes.onChange((change) => this.#onNode(change)),
      this.#pods.onChange((change) => this.#onPod(change)),
      ...this.#hintRows().map((row) =>
        this.#informerOf(row as ResourceRow<KubeObject>).onChange((change) =>
          this.#queue.changed(row, change),
        ),
      ),
    ]
    try {
      await Promise.all([...this.#informers].map((informer) => informer.synced(signal)))
      this.#isReady = true
      this.#soon()
      await aborted(signal)
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      for (const stop of stops) stop()
      this.#queue.close()
    }
  }

  #handle(): Handle {
    const { client, clock, log } = this.#deps
    return {
      client,
      clock,
      log,
      lister: (row) => this.#informerOf(row).lister,
      say: (pod, what, signal) => say(this.#deps, pod, what, signal),
      recheck: ({ metadata }) => this.#queue.recheck(metadata.uid!),
      rejectWaiting: (pod, refusal: Refusal) => {
        return this.#bindingCycle.reject(pod, { ...refusal, plugin: '' })
      },
    }
  }

  #informerOf<O extends KubeObject>(row: ResourceRow<O>): Informer<O> {
    const informer = this.#deps.informers.of<O>(row)
    this.#informers.add(informer as unknown as Informer<KubeObject>)
    return informer
  }

  /** What plug-ins want to hear of, besides pods and nodes, whose news are chosen here. */
  #hintRows(): AnyRow[] {
    const rows = this.#plugins.flatMap(({ hints = [] }) => hints.map(({ row }) => row))
    return [...new Set(rows)].filter((row) => row !== (pods as AnyRow) && row !== (nodes as AnyRow))
  }

  #onNode(change: Change<Node>): void {
    if (change.type === 'deleted') this.#cluster.removeNode(change.object.metadata.name!)
    else this.#cluster.setNode(change.object)
    if (change.type === 'updated' && !isNewsOfNode(change.old, change.object)) return
    this.#queue.changed(nodes as AnyRow, change)
  }

  #onPod(change: Change<Pod>): void {
    const pod = change.object
    const old = change.type === 'updated' ? change.old : undefined
    const isGone = change.type === 'deleted' || isFinished(pod)
    const counted = this.#cluster.has(pod) || this.#cluster.nominationOf(pod) !== undefined
    this.#noteNomination(pod, old, isGone)
    if (isGone || pod.metadata.deletionTimestamp) {
      this.#queue.remove(pod.metadata.uid!)
      this.#bindingCycle.reject(pod, { ...open('removed'), plugin: '' })
    }
    if (isGone) {
      this.#cluster.removePod(pod)
      if (counted) this.#queue.changed(pods as AnyRow, { type: 'deleted', object: pod })
    } else if (pod.spec?.nodeName) {
      this.#queue.remove(pod.metadata.uid!)
      this.#cluster.setPod(pod)
      if (!old?.spec?.nodeName) this.#queue.changed(pods as AnyRow, { type: 'added', object: pod })
      else if (isNewsOfPod(old, pod)) this.#queue.changed(pods as AnyRow, change)
    } else if (isOurs(pod)) {
      this.#queue.put(pod, old && isNewsOfPod(old, pod) ? change : undefined)
    }
  }

  /**
   * What was decided here is known before the API says it: only what it says anew counts. A pod
   * that is assumed on its node waits for room no longer.
   */
  #noteNomination(pod: Pod, old: Pod | undefined, isGone: boolean): void {
    const { nominations } = this.#cluster
    const nominated = pod.status?.nominatedNodeName ?? ''
    const before = nominations.of(pod)
    if (isGone || pod.spec?.nodeName) nominations.remove(pod)
    else if (this.#cluster.has(pod)) return
    else if (old === undefined || nominated !== (old.status?.nominatedNodeName ?? '')) {
      nominations.set(pod, nominated)
    }
    const isFreed = before !== undefined && nominations.of(pod) === undefined
    if (!isFreed || isGone || pod.spec?.nodeName) return
    const freed = { type: 'deleted', object: pod } as const
    this.#queue.changed(pods as AnyRow, freed, pod.metadata.uid)
  }

  /** Runs the loop once what happens now is over: a burst of changes is then seen whole. */
  #soon(): void {
    if (this.#isScheduled || !this.#isReady || this.#signal.aborted) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.#placeAll()
    })
  }

  #placeAll(): void {
    while (this.#bindings < BINDINGS_MAX && !this.#signal.aborted) {
      const next = this.#queue.take()
      if (next === undefined) return
      this.#bindings++
      this.#place(next)
        .catch((error) => this.#failed(next.pod, error))
        .finally(() => {
          this.#bindings--
          this.#soon()
        })
    }
  }

  /** Up to the first `await`, which comes once the pod is assumed, nothing else happens. */
  async #place(taken: Taken): Promise<void> {
    const { clock, random } = this.#deps
    const { pod } = taken
    const startedMs = clock.monotonicMs()
    const placement = placePod(pod, this.#cluster, {
      plugins: this.#plugins,
      dice: () => random.next(),
      startIndex: this.#startIndex,
    })
    this.#startIndex = (this.#startIndex + placement.askedCount) % (this.#cluster.nodes.length || 1)
    const seconds = (clock.monotonicMs() - startedMs) / 1000
    this.#metrics.attempted(placement.ok ? 'scheduled' : 'unschedulable', seconds)
    if (placement.ok) return this.#bind(taken, placement.nodeName)
    return this.#refuse(taken, placement)
  }

  async #bind(taken: Taken, nodeName: string): Promise<void> {
    const { pod } = taken
    let refused: Refused | undefined
    try {
      refused = await this.#bindingCycle.run(pod, nodeName, this.#signal)
    } catch (error) {
      this.#freed(pod)
      throw error
    }
    if (refused === undefined) {
      this.#queue.remove(pod.metadata.uid!)
      return reportSuccess(this.#deps, pod, nodeName, this.#signal)
    }
    this.#queue.refused(taken, new Set(refused.plugin === '' ? [] : [refused.plugin]))
    this.#freed(pod)
    const refusals = new Map([[nodeName, refused]])
    const message = describeRefusals({ refusals, absent: undefined }, 1)
    await this.#report(pod, { reason: 'Unschedulable', message, nominate: '' })
  }

  async #announce(pod: Pod, nodeName: string): Promise<void> {
    try {
      await patchStatus(this.#deps.client, pod, { nominatedNodeName: nodeName }, this.#signal)
    } catch (error) {
      // It is worth telling, but not worth failing for.
      this.#deps.log.debug('nominate a node', { pod: pod.metadata.name, error })
    }
  }

  /** A node that was kept for `pod` is free for others. */
  #freed(pod: Pod): void {
    this.#queue.changed(pods as AnyRow, { type: 'deleted', object: pod }, pod.metadata.uid)
  }

  async #refuse(taken: Taken, placement: Placement & { ok: false }): Promise<void> {
    const { pod } = taken
    const { message, nominate, wayOut, diagnosis } = placement
    if (this.#cluster.nodes.length > 0) this.#metrics.preempted(wayOut?.victims.length ?? 0)
    if (nominate !== undefined) this.#cluster.nominations.set(pod, nominate)
    const carriedOut = wayOut?.carryOut(this.#signal).catch((error) => this.#notCleared(pod, error))
    this.#queue.refused(taken, diagnosis.rejectors)
    await this.#report(pod, { reason: 'Unschedulable', message, nominate })
    if (carriedOut !== undefined) await this.#aside(carriedOut)
  }

  /** Room could not be made: look again, rather than wait for what will not happen. */
  #notCleared({ metadata: { namespace, name, uid } }: Pod, error: unknown): void {
    if (this.#signal.aborted) return
    this.#deps.log.warn('preempt for a pod', { pod: `${namespace}/${name}`, error })
    this.#queue.activate(uid!)
  }

  async #report(pod: Pod, failure: Failure): Promise<void> {
    // What it says is compared with what it says now, which may be newer than what was placed.
    const { namespace, name, uid } = pod.metadata
    const newest = this.#pods.lister.get(`${namespace}/${name}`)
    if (newest?.metadata.uid !== uid) return
    await reportFailure(this.#deps, newest!, failure, this.#signal)
  }

  async #failed(pod: Pod, error: unknown): Promise<void> {
    if (this.#signal.aborted) return
    this.#queue.retry(pod)
    // Bound by somebody else, or gone: the informer tells.
    if (isNotFound(error) || isConflict(error)) return
    const { namespace, name } = pod.metadata
    this.#metrics.attempted('error', 0)
    this.#deps.log.warn('schedule a pod', { pod: `${namespace}/${name}`, error })
    const message = describeError(error)
    try {
      await this.#report(pod, { reason: 'SchedulerError', message, nominate: '' })
    } catch (cause) {
      this.#deps.log.debug('report a failure', { pod: `${namespace}/${name}`, error: cause })
    }
  }

  /** While `work` goes on, others may take the place of this binding. */
  async #aside<T>(work: Promise<T>): Promise<T> {
    this.#bindings--
    this.#soon()
    try {
      return await work
    } finally {
      this.#bindings++
    }
  }
}

function isOurs({ spec, metadata }: Pod): boolean {
  return spec?.schedulerName === SCHEDULER_NAME && metadata.deletionTimestamp === undefined
}
