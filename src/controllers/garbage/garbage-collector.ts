// Deletes what has lost its owners, and lets owners go in the order that their deletion asked for.
//
// Nothing is scanned: a change of an object puts it, or those next to it, into the queue. What the
// caches say is enough to keep an object; before one is deleted, the server is asked.

import type { KubeObject } from '../../api/object.ts'
import type { AnyRow } from '../../api/resource.ts'
import type { OwnerReference } from '../../api/schema/generated/types.ts'
import { isConflict, isNotFound } from '../../api/status.ts'
import type { Client } from '../../kit/client.ts'
import type { Kinds } from '../../kit/controller.ts'
import type { EventSink } from '../../kit/events.ts'
import type { Change } from '../../kit/informer.ts'
import type { InformerSet } from '../../kit/informer-set.ts'
import type { QueueMetrics } from '../../kit/queue-metrics.ts'
import { WorkQueue } from '../../kit/workqueue.ts'
import { isAbort } from '../../lib/abort.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Component, Running } from '../../lib/component.ts'
import type { Log } from '../../lib/log.ts'
import { withTasks } from '../../lib/tasks.ts'
import {
  FOREGROUND,
  type GarbageStep,
  hasFinalizer,
  isForeground,
  isGoing,
  ORPHAN,
  type OwnerState,
  planGarbage,
} from './garbage-plan.ts'
import { keyFor, OwnerGraph, type OwnerNode } from './graph.ts'

export type GarbageDeps = {
  informers: InformerSet
  kinds: Kinds
  client: Client
  events: EventSink
  clock: Clock
  log: Log
  queues: QueueMetrics
}

const NAME = 'garbage-collector-controller'
const WORKERS = 5

export class GarbageCollector implements Component {
  readonly name = NAME
  readonly #deps: GarbageDeps
  readonly #graph: OwnerGraph
  readonly #queue: WorkQueue

  constructor(deps: GarbageDeps) {
    this.#deps = deps
    this.#graph = new OwnerGraph(deps.informers)
    this.#queue = new WorkQueue(
      deps.clock,
      deps.queues.watch(NAME, () => this.#queue),
    )
  }

  get isIdle(): boolean {
    return this.#queue.isIdle
  }

  start(signal: AbortSignal): Promise<Running> {
    const { kinds } = this.#deps
    const follow = () =>
      this.#graph.follow(kinds.rows(), (row, change) => this.#changed(row, change))
    follow()
    kinds.onChange(() => signal.aborted || follow())
    return Promise.resolve({ done: this.#run(signal) })
  }

  async #run(signal: AbortSignal): Promise<void> {
    try {
      await this.#graph.synced(signal)
      await withTasks(async (start) => {
        for (let i = 0; i < WORKERS; i++) start((signal) => this.#work(signal))
      }, signal)
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      this.#queue.close()
    }
  }

  /** Who must be looked at after a change of one object. */
  #changed(row: AnyRow, change: Change<KubeObject>): void {
    const { object } = change
    const owners = object.metadata.ownerReferences ?? []
    switch (change.type) {
      case 'added':
        if (owners.length > 0 || isGoing(object)) this.#queue.add(keyFor(row, object))
        if (isForeground(object)) this.#addDependents(object)
        break
      case 'updated': {
        const { old } = change
        const hadOwners = old.metadata.ownerReferences ?? []
        const isSameOwners = Bun.deepEquals(owners, hadOwners)
        if (!isSameOwners) for (const { uid } of hadOwners) this.#addIfForeground(uid)
        if (!isSameOwners || startsGoing(object, old)) this.#queue.add(keyFor(row, object))
        if (isForeground(object) && !isForeground(old)) this.#addDependents(object)
        break
      }
      case 'deleted':
        this.#addDependents(object)
        for (const { uid } of owners) this.#addIfForeground(uid)
    }
  }

  #addDependents({ metadata }: KubeObject): void {
    for (const { key } of this.#graph.dependentsOf(metadata.uid ?? '')) this.#queue.add(key)
  }

  /** An owner that waits for its dependents may have waited for this one. */
  #addIfForeground(uid: string): void {
    const owner = this.#graph.byUid(uid)
    if (owner !== undefined && isForeground(owner.object)) this.#queue.add(owner.key)
  }

  async #work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const key = await this.#queue.take(signal)
      try {
        await this.#look(key, signal)
        this.#queue.forget(key)
      } catch (error) {
        if (isAbort(error, signal)) return
        const retryInMs = this.#queue.retry(key)
        const say = isConflict(error) ? this.#deps.log.debug : this.#deps.log.warn
        say('collect garbage failed', { key, retryInMs, error })
      } finally {
        this.#queue.done(key)
      }
    }
  }

  async #look(key: string, signal: AbortSignal): Promise<void> {
    const node = this.#graph.find(key)
    if (node === undefined) return
    const { object } = node
    const references = isGoing(object) ? [] : (object.metadata.ownerReferences ?? [])
    const owners: { reference: OwnerReference; state: OwnerState }[] = []
    for (const reference of references) {
      const state = await this.#stateOf(reference, node, signal)
      // A kind that nobody serves tells nothing: it may come back with its objects.
      if (state === undefined) return
      owners.push({ reference, state })
    }
    const dependents = this.#graph.dependentsOf(object.metadata.uid ?? '')
    await this.#perform(planGarbage({ object, owners, dependents }), node, signal)
  }

  async #stateOf(
    reference: OwnerReference,
    dependent: OwnerNode,
    signal: AbortSignal,
  ): Promise<OwnerState | undefined> {
    const row = this.#graph.rowOf(reference)
    if (row === undefined) return undefined
    const { namespace } = dependent.object.metadata
    const isNamespaced = row.scope === 'Namespaced'
    // What belongs to no namespace cannot be owned from within one; upstream leaves it alone.
    if (isNamespaced && namespace === undefined) return undefined
    const known = this.#graph.byUid(reference.uid)
    if (
      known !== undefined &&
      isMeant(known, reference, row, isNamespaced ? namespace : undefined)
    ) {
      return isForeground(known.object) ? 'waiting' : 'solid'
    }
    if (known !== undefined && known.object.metadata.namespace !== namespace) {
      this.#tellForeign(reference, dependent)
    }
    const where = { namespace: isNamespaced ? namespace : undefined, name: reference.name }
    try {
      const { metadata } = await this.#deps.client.get<KubeObject>(row, where, signal)
      if (metadata.uid !== reference.uid) return 'dangling'
      return isForeground({ metadata }) ? 'waiting' : 'solid'
    } catch (error) {
      if (isNotFound(error)) return 'dangling'
      throw error
    }
  }

  #tellForeign({ apiVersion, kind, name, uid }: OwnerReference, dependent: OwnerNode): void {
    const { namespace } = dependent.object.metadata
    const owner = `[${apiVersion}/${kind}, namespace: ${namespace}, name: ${name}, uid: ${uid}]`
    const message = `ownerRef ${owner} does not exist in namespace "${namespace}"`
    const recorder = this.#deps.events.recorder(NAME)
    recorder.warning(dependent, 'OwnerRefInvalidNamespace', message)
  }

  async #perform(step: GarbageStep, node: OwnerNode, signal: AbortSignal): Promise<void> {
    switch (step.do) {
      case 'nothing':
        return
      case 'forget-owners':
        return this.#forgetOwners(node, step.uids, signal)
      case 'unblock-owners':
        return this.#patch(node, { ownerReferences: unblocked(node.object) }, signal)
      case 'delete':
        return this.#delete(node, step.propagation, signal)
      case 'orphan': {
        const { uid = '' } = node.object.metadata
        for (const { key } of step.dependents) {
          const dependent = this.#graph.find(key)
          if (dependent !== undefined) await this.#forgetOwners(dependent, [uid], signal)
        }
        return this.#removeFinalizer(node, ORPHAN, signal)
      }
      case 'wait-for':
        for (const { key } of step.dependents) this.#queue.add(key)
        return
      case 'remove-finalizer':
        return this.#removeFinalizer(node, step.finalizer, signal)
      default:
        return step satisfies never
    }
  }

  #forgetOwners(node: OwnerNode, uids: readonly string[], signal: AbortSignal): Promise<void> {
    const ownerReferences = (node.object.metadata.ownerReferences ?? []).filter(
      ({ uid }) => !uids.includes(uid),
    )
    return this.#patch(node, { ownerReferences }, signal)
  }

  #removeFinalizer(node: OwnerNode, finalizer: string, signal: AbortSignal): Promise<void> {
    const finalizers = (node.object.metadata.finalizers ?? []).filter((name) => name !== finalizer)
    return this.#patch(node, { finalizers }, signal)
  }

  /** Only of the object as we know it: a newer one must be judged anew. */
  async #patch({ row, object }: OwnerNode, change: object, signal: AbortSignal): Promise<void> {
    const { namespace, name = '', uid, resourceVersion } = object.metadata
    const body = { metadata: { uid, resourceVersion, ...change } }
    try {
      await this.#deps.client.patch(row, { namespace, name }, { type: 'merge', body }, signal)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  async #delete(
    { row, object }: OwnerNode,
    propagationPolicy: 'Orphan' | 'Background' | 'Foreground',
    signal: AbortSignal,
  ): Promise<void> {
    const { namespace, name = '', uid = '', resourceVersion = '' } = object.metadata
    const options = { propagationPolicy, uid, resourceVersion }
    try {
      await this.#deps.client.delete(row, { namespace, name }, options, signal)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
}

/** The object that a reference names, not only one with its uid. */
function isMeant(
  { row, object }: OwnerNode,
  reference: OwnerReference,
  wanted: AnyRow,
  namespace: string | undefined,
): boolean {
  const isPlace = object.metadata.namespace === namespace
  return row === wanted && isPlace && object.metadata.name === reference.name
}

function startsGoing(object: KubeObject, old: KubeObject): boolean {
  const isOurs = hasFinalizer(object, ORPHAN) || hasFinalizer(object, FOREGROUND)
  const wasOurs = hasFinalizer(old, ORPHAN) || hasFinalizer(old, FOREGROUND)
  return isGoing(object) && isOurs && !(isGoing(old) && wasOurs)
}

function unblocked({ metadata }: KubeObject): OwnerReference[] {
  return (metadata.ownerReferences ?? []).map((reference) => ({
    ...reference,
    blockOwnerDeletion: false,
  }))
}
