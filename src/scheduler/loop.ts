// The scheduler: pods that have no node go in, bindings come out.
//
// One pod is placed at a time, because the next must see where it went; bindings are sent without
// waiting for each other, at most a fixed number at once.

import { namespaces } from '../api/kinds/core/namespace/row.ts'
import { nodes } from '../api/kinds/core/node/row.ts'
import { pods } from '../api/kinds/core/pod/row.ts'
import type { KubeObject } from '../api/object.ts'
import type { AnyRow } from '../api/resource.ts'
import type { Namespace, Node, Pod } from '../api/schema/generated/types.ts'
import { isConflict, isNotFound } from '../api/status.ts'
import type { Client } from '../kit/client.ts'
import type { Change, Informer } from '../kit/informer.ts'
import type { InformerSet } from '../kit/informer-set.ts'
import { aborted } from '../lib/abort.ts'
import type { Clock } from '../lib/clock.ts'
import type { Component } from '../lib/component.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import type { Random } from '../lib/random.ts'
import { Cluster, isFinished } from './cluster.ts'
import { type Result, schedulerMetrics } from './metrics.ts'
import { placePod } from './place.ts'
import { SchedulingQueue } from './queue.ts'
import { reportFailure, reportSuccess } from './report.ts'

export type SchedulerDeps = {
  client: Client
  informers: InformerSet
  clock: Clock
  random: Random
  log: Log
  metrics: Metrics
  /** Names this scheduler in its events: default-scheduler-<host>. */
  hostName: string
}

const SCHEDULER_NAME = 'default-scheduler'
const BINDINGS_MAX = 32

export function createScheduler(deps: SchedulerDeps): Component {
  // Asked for now, so that whoever else reads these kinds shares the caches.
  for (const row of [pods, nodes, namespaces]) deps.informers.of<KubeObject>(row as AnyRow)
  return {
    name: 'scheduler',
    start(signal) {
      return Promise.resolve({ done: new Scheduler(deps, signal).run() })
    },
  }
}

class Scheduler {
  readonly #deps: SchedulerDeps
  readonly #signal: AbortSignal
  readonly #cluster = new Cluster()
  readonly #queue: SchedulingQueue
  readonly #pods: Informer<Pod>
  readonly #nodes: Informer<Node>
  readonly #namespaces: Informer<Namespace>
  readonly #attempted: (result: Result, seconds: number) => void
  #isReady = false
  #bindings = 0
  #isScheduled = false

  constructor(deps: SchedulerDeps, signal: AbortSignal) {
    this.#deps = deps
    this.#signal = signal
    this.#queue = new SchedulingQueue(deps.clock, () => this.#soon())
    this.#attempted = schedulerMetrics(deps.metrics, () => this.#queue.pending)
    this.#pods = deps.informers.of<Pod>(pods)
    this.#nodes = deps.informers.of<Node>(nodes)
    this.#namespaces = deps.informers.of<Namespace>(namespaces)
  }

  async run(): Promise<void> {
    const stops = [
      this.#nodes.onChange((change) => this.#onNode(change)),
      this.#pods.onChange((change) => this.#onPod(change)),
    ]
    try {
      const informers = [this.#nodes, this.#pods, this.#namespaces]
      await Promise.all(informers.map((informer) => informer.synced(this.#signal)))
      this.#isReady = true
      this.#soon()
      await aborted(this.#signal)
    } catch (error) {
      if (!this.#signal.aborted) throw error
    } finally {
      for (const stop of stops) stop()
      this.#queue.close()
    }
  }

  #onNode(change: Change<Node>): void {
    if (change.type === 'deleted') return this.#cluster.removeNode(change.object.metadata.name!)
    this.#cluster.setNode(change.object)
    if (change.type === 'added' || mayMakeRoom(change.old, change.object)) this.#queue.wake()
  }

  #onPod(change: Change<Pod>): void {
    const pod = change.object
    const uid = pod.metadata.uid!
    if (change.type === 'deleted' || isFinished(pod)) {
      this.#queue.remove(uid)
      this.#cluster.removePod(pod)
      this.#queue.wake()
    } else if (pod.spec?.nodeName) {
      this.#queue.remove(uid)
      this.#cluster.setPod(pod)
      // Only a new pod, or one whose labels changed, can be what an affinity was waiting for.
      if (change.type === 'added' || !change.old.spec?.nodeName || labelsDiffer(change)) {
        this.#queue.wake()
      }
    } else if (isOurs(pod)) this.#queue.put(pod)
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
      this.#place(next.pod, next.change)
    }
  }

  #place(pod: Pod, change: number): void {
    const labelsOf = (name: string) => this.#namespaces.lister.get(name)?.metadata.labels ?? {}
    const { clock } = this.#deps
    const startedMs = clock.monotonicMs()
    const placement = placePod(pod, this.#cluster.nodes(), {
      namespaceLabels: labelsOf,
      dice: () => this.#deps.random.next(),
    })
    const seconds = (clock.monotonicMs() - startedMs) / 1000
    this.#attempted(placement.ok ? 'scheduled' : 'unschedulable', seconds)
    this.#bindings++
    const work = placement.ok
      ? this.#bind(pod, placement.nodeName, change)
      : this.#refuse(pod, placement.message, change)
    work
      .catch((error) => this.#failed(pod, error, change))
      .finally(() => {
        this.#bindings--
        this.#soon()
      })
  }

  async #bind(pod: Pod, nodeName: string, change: number): Promise<void> {
    const { client } = this.#deps
    const { name, namespace, uid } = pod.metadata
    this.#cluster.setPod(pod, nodeName)
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name, namespace, uid },
      target: { kind: 'Node', name: nodeName },
    }
    const where = { namespace, name: name!, subresource: 'binding' }
    try {
      await client.post(pods, where, binding, this.#signal)
    } catch (error) {
      this.#cluster.removePod(pod)
      // Bound by somebody else, or gone: the informer tells.
      if (isNotFound(error) || isConflict(error)) return this.#queue.fail(uid!, change)
      throw error
    }
    this.#queue.remove(uid!)
    await reportSuccess(this.#deps, pod, nodeName, this.#signal)
  }

  async #refuse(pod: Pod, message: string, change: number): Promise<void> {
    this.#queue.fail(pod.metadata.uid!, change)
    await reportFailure(this.#deps, pod, message, this.#signal)
  }

  #failed(pod: Pod, error: unknown, change: number): void {
    if (this.#signal.aborted) return
    this.#queue.fail(pod.metadata.uid!, change - 1)
    const { namespace, name } = pod.metadata
    this.#deps.log.warn('schedule a pod', { pod: `${namespace}/${name}`, error })
  }
}

function isOurs(pod: Pod): boolean {
  return (
    pod.spec?.schedulerName === SCHEDULER_NAME &&
    pod.metadata.deletionTimestamp === undefined &&
    (pod.spec.schedulingGates ?? []).length === 0
  )
}

function labelsDiffer(change: Change<Pod>): boolean {
  if (change.type !== 'updated') return false
  return !Bun.deepEquals(change.old.metadata.labels, change.object.metadata.labels)
}

/** Heartbeats change nodes all the time; only these parts decide where pods fit. */
function mayMakeRoom(old: Node, node: Node): boolean {
  return (
    !Bun.deepEquals(old.spec, node.spec) ||
    !Bun.deepEquals(old.metadata.labels, node.metadata.labels) ||
    !Bun.deepEquals(old.status?.allocatable, node.status?.allocatable)
  )
}
