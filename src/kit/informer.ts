// Keeps a copy of one kind, and tells of every change of it.
//
//            ┌──────────────── 410: our revision is forgotten ◄──────────┐
//            ▼                                                           │
//   streaming ──(initial events end)──────────────► following ──(ended)──┤
//       │ the server offers no streaming lists          ▲                │
//       ▼                                               └── resume at the last revision
//     listing ──(all pages)─────────────────────────────┘
//
// A failure repeats the state it happened in, later each time. Nothing is polled and nothing is
// listed again without need: a bookmark moves the revision, so that resuming stays possible.

import { type KubeObject, keyOf } from '../api/object.ts'
import type { AnyRow, ResourceRow } from '../api/resource.ts'
import { ApiError, isGone } from '../api/status.ts'
import { Backoff } from '../lib/backoff.ts'
import type { Clock } from '../lib/clock.ts'
import { describeError, type Log } from '../lib/log.ts'
import type { Random } from '../lib/random.ts'
import type { Client, WatchEvent } from './client.ts'
import { listAll } from './client-impl.ts'
import { Cache, type IndexOf, type Lister } from './lister.ts'
import { deepFreeze, revisionOf } from './revision.ts'

export type Change<O> =
  | { type: 'added'; object: O }
  | { type: 'updated'; object: O; old: O }
  | { type: 'deleted'; object: O }

/** Which objects of the kind. Two informers with equal selections are one (see informer-set.ts). */
export type Selection = {
  namespace?: string
  labelSelector?: string
  fieldSelector?: string
  metadataOnly?: boolean
}

export type InformerDeps = {
  client: Client
  clock: Clock
  random: Random
  log: Log
  /** Frozen objects turn a change of the cache into an error. For tests: it costs time. */
  freeze?: boolean
}

export type State = 'streaming' | 'listing' | 'following'

/** As upstream's reflector: first wait 0.8 s, at most 30 s, forgotten after 2 quiet minutes. */
const RETRY = { firstMs: 800, maxMs: 30_000, forgetMs: 120_000 }
/** A watch that ends sooner than this was refused in disguise; resuming at once would be a loop. */
const FOLLOWED_MS_MIN = 1000
/** Whoever reads the cache waits for all of it; longer than this, somebody should know. */
export const SYNC_MS_MAX = 10_000

export class Informer<O extends KubeObject> {
  readonly row: ResourceRow<O>
  readonly selection: Selection
  readonly #deps: InformerDeps
  readonly #cache = new Cache<O>()
  readonly #handlers = new Set<(change: Change<O>) => void>()
  readonly #waiters = new Set<() => void>()
  readonly #backoff: Backoff
  #state: State = 'streaming'
  #canStream = true
  #isSynced = false
  #isOverdue = false
  #cancelOverdue = () => {}
  #problem = 'the server has not sent everything yet'
  #revision = 0

  constructor(row: ResourceRow<O>, selection: Selection, deps: InformerDeps) {
    this.row = row
    this.selection = selection
    this.#deps = deps
    this.#backoff = new Backoff(deps.clock, RETRY)
  }

  get lister(): Lister<O> {
    return this.#cache
  }

  /** The newest revision of the kind that the cache reflects. */
  get revision(): number {
    return this.#revision
  }

  /** True once the cache has held everything there was. Stays true when the server is away. */
  get isSynced(): boolean {
    return this.#isSynced
  }

  /** It has run for longer than that should take, and not been synced. */
  get isOverdue(): boolean {
    return this.#isOverdue && !this.#isSynced
  }

  /** Why it is not synced, as far as it knows. */
  get problem(): string {
    return this.#problem
  }

  addIndex(name: string, valuesOf: IndexOf<O>): void {
    this.#cache.addIndex(name, valuesOf)
  }

  /**
   * Calls `handler` for every change from now on, after telling it of what is already there as
   * added. Returns the way to stop that.
   */
  onChange(handler: (change: Change<O>) => void): () => void {
    this.#handlers.add(handler)
    for (const object of this.#cache.all()) this.#tell(handler, { type: 'added', object })
    return () => this.#handlers.delete(handler)
  }

  /** Resolves when the cache holds everything there is. */
  synced(signal: AbortSignal): Promise<void> {
    return this.until(() => this.#isSynced, signal)
  }

  /** Resolves when `condition` holds; asked again after each change of cache or revision. */
  async until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (condition()) return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const check = () => condition() && resolve()
    const onAbort = () => reject(signal.reason)
    this.#waiters.add(check)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      await promise
    } finally {
      this.#waiters.delete(check)
      signal.removeEventListener('abort', onAbort)
    }
  }

  /**
   * Fills the cache with what was known before a restart. The first list corrects it; until then
   * `isSynced` stays false.
   */
  seed(objects: readonly O[]): void {
    for (const object of objects) this.#put(this.#kept(object))
    this.#wake()
  }

  /** Follows the server until `signal` aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    this.#cancelOverdue = this.#deps.clock.after(SYNC_MS_MAX, () => this.#noteOverdue())
    signal.addEventListener('abort', () => this.#cancelOverdue(), { once: true })
    while (!signal.aborted) {
      const startedMs = this.#deps.clock.monotonicMs()
      const failure = await this.#step(signal).then(
        () => undefined,
        (error: unknown) => ({ error }),
      )
      if (signal.aborted) return
      const livedMs = this.#deps.clock.monotonicMs() - startedMs
      const waitMs = this.#after(failure, livedMs)
      if (waitMs > 0) await this.#deps.clock.sleep(waitMs, signal).catch(() => {})
    }
  }

  #noteOverdue(): void {
    if (this.#isSynced) return
    this.#isOverdue = true
    const { kind, plural } = this.row
    const seconds = SYNC_MS_MAX / 1000
    const what = { kind, ...this.selection, error: this.#problem }
    this.#deps.log.warn(`${plural} are not synced after ${seconds} s`, what)
  }

  /** What one state does, until it is left. */
  #step(signal: AbortSignal): Promise<void> {
    switch (this.#state) {
      case 'streaming':
        return this.#stream(signal)
      case 'listing':
        return this.#list(signal)
      case 'following':
        return this.#follow(signal)
    }
  }

  /** Chooses the next state after a step ended. Returns how long to wait before it, in ms. */
  #after(failure: { error: unknown } | undefined, livedMs: number): number {
    const from = this.#state
    const { state, canStream, wait } = nextState(from, this.#canStream, failure, livedMs)
    this.#state = state
    this.#canStream = canStream
    if (!wait) return 0
    const waitMs = this.#backoff.next('') * (1 + this.#deps.random.next())
    if (failure !== undefined) {
      this.#problem = describeError(failure.error)
      const { kind } = this.row
      this.#deps.log.warn(`watch ${this.row.plural} failed`, { kind, waitMs, error: failure.error })
    }
    return waitMs
  }

  async #stream(signal: AbortSignal): Promise<void> {
    let fresh: Map<string, O> | undefined = new Map()
    const query = { ...this.selection, sendInitialEvents: true }
    for await (const event of this.#deps.client.watch(this.row, query, signal)) {
      if (fresh === undefined) this.#apply(event)
      else if (event.type !== 'BOOKMARK') collect(fresh, event)
      else if (event.initialEventsEnd) {
        this.#replace(fresh.values(), event.resourceVersion)
        fresh = undefined
      }
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { items, metadata } = await listAll(this.#deps.client, this.row, this.selection, signal)
    this.#replace(items, metadata.resourceVersion)
    return this.#follow(signal)
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const query = { ...this.selection, resourceVersion: String(this.#revision) }
    for await (const event of this.#deps.client.watch(this.row, query, signal)) this.#apply(event)
  }

  #apply(event: WatchEvent<O>): void {
    switch (event.type) {
      case 'BOOKMARK':
        this.#revision = Math.max(this.#revision, Number(event.resourceVersion))
        break
      case 'DELETED':
        this.#remove(keyOf(event.object))
        this.#revision = Math.max(this.#revision, revisionOf(event.object))
        break
      case 'ADDED':
      case 'MODIFIED':
        this.#put(this.#kept(event.object))
        this.#revision = Math.max(this.#revision, revisionOf(event.object))
    }
    this.#wake()
  }

  /** The cache becomes exactly `objects`; handlers hear of the differences only. */
  #replace(objects: Iterable<O>, resourceVersion: string): void {
    const gone = new Set(this.#cache.keys())
    for (const object of objects) {
      gone.delete(keyOf(object))
      this.#put(this.#kept(object))
    }
    for (const key of gone) this.#remove(key)
    this.#revision = Number(resourceVersion)
    this.#isSynced = true
    this.#cancelOverdue()
    this.#state = 'following'
    this.#wake()
  }

  #put(object: O): void {
    const known = this.#cache.get(keyOf(object))
    const isNews = known?.metadata.resourceVersion !== object.metadata.resourceVersion
    if (known !== undefined && !isNews) return
    if (known !== undefined && known.metadata.uid !== object.metadata.uid) {
      // Deleted and made again while we looked away: two objects, not one that changed.
      this.#remove(keyOf(object))
    }
    const old = this.#cache.put(object)
    if (old === undefined) this.#emit({ type: 'added', object })
    else this.#emit({ type: 'updated', object, old })
  }

  #remove(key: string): void {
    const object = this.#cache.remove(key)
    if (object !== undefined) this.#emit({ type: 'deleted', object })
  }

  /** What is worth keeping: managed fields are a third of an object, and no reader's matter. */
  #kept(object: O): O {
    delete object.metadata.managedFields
    const kept = this.selection.metadataOnly ? (ownershipOf(object) as O) : object
    return this.#deps.freeze ? deepFreeze(kept) : kept
  }

  #emit(change: Change<O>): void {
    for (const handler of this.#handlers) this.#tell(handler, change)
  }

  #tell(handler: (change: Change<O>) => void, change: Change<O>): void {
    try {
      handler(change)
    } catch (error) {
      // One reader's fault must not keep the news from the others.
      const { log } = this.#deps
      log.error('handle change failed', { kind: this.row.kind, key: keyOf(change.object), error })
    }
  }

  #wake(): void {
    for (const check of this.#waiters) check()
  }
}

/** Labels and annotations may be large, and readers of metadata alone ask who owns whom. */
function ownershipOf({ metadata }: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion } = metadata
  const { ownerReferences, finalizers, deletionTimestamp } = metadata
  const kept = {
    name,
    namespace,
    uid,
    resourceVersion,
    ownerReferences,
    finalizers,
    deletionTimestamp,
  }
  const given = Object.entries(kept).filter(([, value]) => value !== undefined)
  return { metadata: Object.fromEntries(given) }
}

function collect<O extends KubeObject>(
  fresh: Map<string, O>,
  event: Exclude<WatchEvent<O>, { type: 'BOOKMARK' }>,
): void {
  if (event.type === 'DELETED') fresh.delete(keyOf(event.object))
  else fresh.set(keyOf(event.object), event.object)
}

/** The whole state machine. `failure` is undefined when the step ended without one. */
export function nextState(
  from: State,
  canStream: boolean,
  failure: { error: unknown } | undefined,
  livedMs: number,
): { state: State; canStream: boolean; wait: boolean } {
  const fill = canStream ? 'streaming' : 'listing'
  if (failure === undefined) {
    return { state: from, canStream, wait: livedMs < FOLLOWED_MS_MIN }
  }
  if (from === 'streaming' && isRefusedStream(failure.error)) {
    return { state: 'listing', canStream: false, wait: false }
  }
  if (from === 'following' && isGone(failure.error)) {
    return { state: fill, canStream, wait: livedMs < FOLLOWED_MS_MIN }
  }
  // Also an expired page of a list: the newest list begins from its first page again.
  return { state: from, canStream, wait: true }
}

/** Servers without streaming lists answer 400 or 422 to the parameters of one. */
function isRefusedStream(error: unknown): boolean {
  return error instanceof ApiError && (error.code === 400 || error.code === 422)
}

/** A name for a selection, the same for equal ones. */
export function selectionKey(row: AnyRow, selection: Selection): string {
  const { namespace = '', labelSelector = '', fieldSelector = '', metadataOnly } = selection
  const what = `${row.group}/${row.version}/${row.plural}`
  return [what, namespace, labelSelector, fieldSelector, metadataOnly === true].join('|')
}
