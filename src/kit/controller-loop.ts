// The one loop that runs any controller: which key, when, again when, and what if it fails.

import { type KubeObject, keyOf } from '../api/object.ts'
import type { AnyRow, ResourceRow } from '../api/resource.ts'
import { ApiError, isConflict } from '../api/status.ts'
import { isAbort } from '../lib/abort.ts'
import type { Clock } from '../lib/clock.ts'
import type { Component, Running } from '../lib/component.ts'
import type { Log } from '../lib/log.ts'
import type { Random } from '../lib/random.ts'
import { withTasks } from '../lib/tasks.ts'
import { Barrier } from './barrier.ts'
import type { Client } from './client.ts'
import {
  type AnyController,
  type Kit,
  type ListOf,
  type Outcome,
  TerminalError,
} from './controller.ts'
import type { EventSink } from './events.ts'
import type { Change, Informer } from './informer.ts'
import type { InformerSet } from './informer-set.ts'
import type { QueueMetrics } from './queue-metrics.ts'
import { WorkQueue } from './workqueue.ts'
import { createWriter } from './writer.ts'

export type ControllerDeps = {
  informers: InformerSet
  /** The client with the rights of this service account of kube-system. */
  clientAs: (account: string) => Client
  events: EventSink
  clock: Clock
  random: Random
  log: Log
  /** Where queues are counted. */
  queues: QueueMetrics
}

const WORKERS = 5

/** Runs `controllers`. Make them all before the informers start, so that each kind is kept once. */
export function controllerLoops(
  controllers: readonly AnyController[],
  deps: ControllerDeps,
): ControllerLoop[] {
  return controllers.map((controller) => new ControllerLoop(controller, deps))
}

export class ControllerLoop implements Component {
  readonly name: string
  readonly #controller: AnyController
  readonly #deps: ControllerDeps
  readonly #client: Client
  readonly #log: Log
  readonly #queue: WorkQueue
  readonly #barrier: Barrier
  readonly #informers = new Map<AnyRow, Informer<KubeObject>>()
  /** Of `everyKind`. */
  readonly #others = new Map<AnyRow, Informer<KubeObject>>()

  constructor(controller: AnyController, deps: ControllerDeps) {
    this.name = controller.name
    this.#controller = controller
    this.#deps = deps
    this.#client = deps.clientAs(controller.account ?? controller.name)
    this.#log = deps.log.with({ controller: controller.name })
    this.#queue = new WorkQueue(
      deps.clock,
      deps.queues.watch(controller.name, () => this.#queue),
    )
    this.#barrier = new Barrier((row) => this.#informers.get(row))
    const { reconciles, owns = [], watches = [], reads = [], indexes = [] } = controller
    for (const row of [reconciles, ...owns, ...watches.map(({ row }) => row), ...reads]) {
      const selection = controller.only?.find((only) => only.row === row)?.selection
      this.#informers.set(row, deps.informers.of(row, selection))
    }
    for (const { row, name, valuesOf } of indexes) this.#informerOf(row).addIndex(name, valuesOf)
  }

  start(signal: AbortSignal): Promise<Running> {
    this.#listen()
    this.#listenToEveryKind(signal)
    return Promise.resolve({ done: this.#run(signal) })
  }

  /** No pass is due now; timers may be pending. */
  get isIdle(): boolean {
    return this.#queue.isIdle
  }

  /** Asks for a pass for every object: what a restart would do. */
  enqueueAll(): void {
    for (const object of this.#informerOf(this.#controller.reconciles).lister.all()) {
      this.#queue.add(keyOf(object))
    }
  }

  /** Wires changes to keys. Handlers hear at once of what the caches already hold. */
  #listen(): void {
    const { reconciles, owns = [], watches = [] } = this.#controller
    const everything = () => true
    const wake = (
      row: AnyRow,
      keysOf: (object: KubeObject) => readonly string[],
      matters: (change: Change<KubeObject>) => boolean,
    ) => {
      this.#informerOf(row).onChange((change) => {
        if (!matters(change)) return
        for (const key of keysOfChange(change, keysOf)) this.#queue.add(key)
      })
    }
    wake(reconciles, (object) => [keyOf(object)], everything)
    for (const row of owns) wake(row, (object) => ownerKeys(object, reconciles), everything)
    for (const { row, keysOf, matters } of watches) {
      wake(row, (object) => keysOf(object, this.#list), matters)
    }
  }

  /** Only now is it known which kinds others keep whole. */
  #listenToEveryKind(signal: AbortSignal): void {
    const { everyKind } = this.#controller
    if (everyKind === undefined) return
    const { kinds, isWanted, keysOf, matters } = everyKind
    const follow = () => {
      const wanted = new Set(
        kinds.rows().filter((row) => !this.#informers.has(row) && isWanted(row)),
      )
      for (const row of this.#others.keys()) if (!wanted.has(row)) this.#others.delete(row)
      for (const row of wanted) {
        if (this.#others.has(row)) continue
        const informer = this.#deps.informers.metadataOf(row)
        this.#others.set(row, informer)
        informer.onChange((change) => {
          if (!matters(change)) return
          for (const key of keysOf(change.object, this.#list)) this.#queue.add(key)
        })
      }
    }
    follow()
    kinds.onChange(() => {
      if (signal.aborted) return
      follow()
      // Passes that could not count the new ones want to.
      const all = [...this.#others.values()].map((informer) => informer.synced(signal))
      Promise.all(all).then(
        () => this.enqueueAll(),
        () => {},
      )
    })
  }

  async #run(signal: AbortSignal): Promise<void> {
    try {
      for (const informer of this.#informers.values()) await informer.synced(signal)
      for (const informer of [...this.#others.values()]) await informer.synced(signal)
      await withTasks(async (start) => {
        const count = this.#controller.workers ?? WORKERS
        for (let i = 0; i < count; i++) start((signal) => this.#work(signal))
      }, signal)
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      this.#queue.close()
    }
  }

  async #work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const key = await this.#queue.take(signal)
      try {
        await this.#pass(key, signal)
      } finally {
        this.#queue.done(key)
      }
    }
  }

  async #pass(key: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#barrier.passed(key, signal)
      const outcome = await this.#reconcile(key, signal)
      this.#queue.forget(key)
      if (outcome) this.#queue.addAfter(key, outcome.requeueInMs)
    } catch (error) {
      if (!isAbort(error, signal)) this.#failed(key, error)
    }
  }

  #reconcile(key: string, signal: AbortSignal): Promise<Outcome> {
    const object = this.#informerOf(this.#controller.reconciles).lister.get(key)
    const kit = this.#kitFor(key)
    if (object !== undefined) return this.#controller.reconcile(object, kit, signal)
    return this.#controller.reconcileGone?.(key, kit, signal) ?? Promise.resolve()
  }

  #failed(key: string, error: unknown): void {
    if (error instanceof TerminalError) {
      this.#queue.forget(key)
      this.#log.warn('gave up until something changes', { key, error })
      return
    }
    const retryInMs = this.#queue.retry(key)
    // Somebody else wrote first, or removed it: the news of it is on its way, and nothing is wrong.
    const isExpected = isConflict(error) || this.#isGone(key, error)
    const say = isExpected ? this.#log.debug : this.#log.warn
    const stack = error instanceof TypeError ? error.stack : undefined
    say('pass failed', { key, retryInMs, error, ...(stack === undefined ? {} : { stack }) })
  }

  /** The server says that the object of this very pass is no more. */
  #isGone(key: string, error: unknown): boolean {
    if (!(error instanceof ApiError) || error.code !== 404) return false
    const { kind, name = '' } = error.details ?? {}
    const isName = key === name || key.endsWith(`/${name}`)
    return kind === this.#controller.reconciles.plural && isName
  }

  #kitFor(key: string): Kit {
    const { clock, random, events } = this.#deps
    return {
      list: this.#list,
      listAny: (row) => {
        const informer = this.#others.get(row)
        return informer?.isSynced ? informer.lister : undefined
      },
      writer: createWriter(this.#client, this.#barrier, key),
      client: this.#client,
      events: events.recorder(this.#controller.speaksAs ?? this.name),
      clock,
      random,
      log: this.#log.with({ key }),
      enqueue: (other, inMs = 0) => this.#queue.addAfter(other, inMs),
    }
  }

  readonly #list: ListOf = <O extends KubeObject>(row: ResourceRow<O>) =>
    (this.#informerOf(row) as unknown as Informer<O>).lister

  #informerOf(row: AnyRow): Informer<KubeObject> {
    const informer = this.#informers.get(row)
    if (informer === undefined) throw new Error(`${this.name} does not declare ${row.plural}`)
    return informer
  }
}

/** An object that changed hands wakes the old owner too. */
function keysOfChange(
  change: Change<KubeObject>,
  keysOf: (object: KubeObject) => readonly string[],
): ReadonlySet<string> {
  const keys = new Set(keysOf(change.object))
  if (change.type === 'updated') for (const key of keysOf(change.old)) keys.add(key)
  return keys
}

/** The key of the object of kind `row` that controls `object`. */
function ownerKeys(object: KubeObject, row: AnyRow): string[] {
  const owner = object.metadata.ownerReferences?.find(({ controller }) => controller)
  if (owner === undefined || owner.kind !== row.kind) return []
  const group = owner.apiVersion.includes('/') ? owner.apiVersion.split('/')[0] : ''
  if (group !== row.group) return []
  const { namespace } = object.metadata
  return [row.scope === 'Namespaced' ? `${namespace}/${owner.name}` : owner.name]
}
