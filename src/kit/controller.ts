// What a controller author writes, and what he is given. The loop that runs it is in
// controller-loop.ts; an example to begin with is in controllers/README.md.

import type { KubeObject } from '../api/object.ts'
import type { AnyRow, ResourceRow } from '../api/resource.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Random } from '../lib/random.ts'
import type { Client } from './client.ts'
import type { Recorder } from './events.ts'
import type { Change, Selection } from './informer.ts'
import type { IndexOf, Lister } from './lister.ts'
import type { Writer } from './writer.ts'

export type Controller<O extends KubeObject> = {
  /** The source of its events: `replicaset-controller`. */
  readonly name: string
  /** The source of its events, when that has another name. */
  readonly speaksAs?: string
  /** Its service account, when that has another name. */
  readonly account?: string
  /** One pass is about one object of this kind. */
  readonly reconciles: ResourceRow<O>
  /** Kinds it makes: a change of one wakes the object that controls it. */
  readonly owns?: readonly AnyRow[]
  /** Other kinds whose changes wake objects; made by `watching`. */
  readonly watches?: readonly Watch[]
  /** All other kinds, also those that are served later on; see `EveryKind`. */
  readonly everyKind?: EveryKind
  /** Kinds it looks at, but whose changes alone are no reason for a pass. */
  readonly reads?: readonly AnyRow[]
  /**
   * Kinds of which it keeps a part only: then `list` gives no more than that. What the controller
   * writes of such a kind must lie within that part, or its next pass waits for a bookmark.
   */
  readonly only?: readonly Only[]
  /** For `list(row).by(name, value)`; made by `indexing`. */
  readonly indexes?: readonly Indexing[]
  /** Passes at once, each for another object. Default 5. */
  readonly workers?: number
  /**
   * Compares all of what the object asks for with all there is, and mends the difference. Throwing
   * means "again, later each time"; TerminalError means "not until something changes".
   */
  reconcile(object: O, kit: Kit, signal: AbortSignal): Promise<Outcome>
  /** The same for an object that is no more. Most leave this to the garbage collector. */
  reconcileGone?(key: string, kit: Kit, signal: AbortSignal): Promise<Outcome>
}

/** Nothing is wrong in either case; a number asks for another pass without news. */
// biome-ignore lint/suspicious/noConfusingVoidType: a pass that ends without `return` is the rule.
export type Outcome = void | { requeueInMs: number }

export type ListOf = <O extends KubeObject>(row: ResourceRow<O>) => Lister<O>

export interface Kit {
  /** The cache of a kind that the controller names in one of its lists; never to be changed. */
  readonly list: ListOf
  /** The cache of a kind that `everyKind` is about; undefined before it has all there is. */
  readonly listAny: (row: AnyRow) => Lister<KubeObject> | undefined
  /** The only way to write. The next pass for this object waits until the caches show it. */
  readonly writer: Writer
  /** For reads that must not come from a cache. */
  readonly client: Client
  readonly events: Recorder
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Asks for a pass for another object of the same kind. */
  enqueue(key: string, inMs?: number): void
}

export type Watch = {
  readonly row: AnyRow
  readonly keysOf: (object: KubeObject, list: ListOf) => readonly string[]
  readonly matters: (change: Change<KubeObject>) => boolean
}

/** The kinds that are served now; more may come and go while running. */
export interface Kinds {
  rows(): readonly AnyRow[]
  /** Calls `listener` after each change of `rows`. */
  onChange(listener: () => void): void
}

/**
 * For controllers that treat all kinds alike. Of those that nobody keeps whole, metadata is kept.
 * An object that comes, goes or changes wakes the keys that `keysOf` gives for it.
 */
export type EveryKind = {
  readonly kinds: Kinds
  readonly isWanted: (row: AnyRow) => boolean
  readonly keysOf: (object: KubeObject, list: ListOf) => readonly string[]
  readonly matters: (change: Change<KubeObject>) => boolean
}

export type Only = { readonly row: AnyRow; readonly selection: Selection }

export type Indexing = {
  readonly row: AnyRow
  readonly name: string
  readonly valuesOf: IndexOf<KubeObject>
}

/** Throwing this ends the work on a key until it, or what it watches, changes. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError'
}

/** Any controller, for code that treats all alike. */
// biome-ignore lint/suspicious/noExplicitAny: controllers are contravariant in their object.
export type AnyController = Controller<any>

export function defineController<O extends KubeObject>(controller: Controller<O>): Controller<O> {
  return controller
}

/**
 * A change of `row` wakes the keys that `keysOf` gives for its old and its new state. Changes that
 * do not matter wake nobody; by default all do.
 */
export function watching<O extends KubeObject>(
  row: ResourceRow<O>,
  keysOf: (object: O, list: ListOf) => readonly string[],
  matters: (change: Change<O>) => boolean = () => true,
): Watch {
  return { row, keysOf: keysOf as Watch['keysOf'], matters: matters as Watch['matters'] }
}

export function indexing<O extends KubeObject>(
  row: ResourceRow<O>,
  name: string,
  valuesOf: IndexOf<O>,
): Indexing {
  return { row, name, valuesOf: valuesOf as IndexOf<KubeObject> }
}
