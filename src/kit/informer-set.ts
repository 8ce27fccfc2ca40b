// All informers of one process: one for each kind and selection, however many readers it has.

import type { KubeObject } from '../api/object.ts'
import type { AnyRow, ResourceRow } from '../api/resource.ts'
import { aborted } from '../lib/abort.ts'
import type { Component, Running } from '../lib/component.ts'
import type { Metrics } from '../lib/metrics.ts'
import { Informer, type InformerDeps, type Selection, selectionKey } from './informer.ts'

type Entry = { informer: Informer<KubeObject>; stop: AbortController; done: Promise<void> }

export class InformerSet implements Component {
  readonly name = 'informers'
  readonly #deps: InformerDeps
  readonly #entries = new Map<string, Entry>()
  #signal: AbortSignal | undefined

  constructor(deps: InformerDeps) {
    this.#deps = deps
  }

  /** The shared informer of these objects; it runs as soon as the set does. */
  of<O extends KubeObject>(row: ResourceRow<O>, selection: Selection = {}): Informer<O> {
    const key = selectionKey(row, selection)
    let entry = this.#entries.get(key)
    if (entry === undefined) {
      const informer = new Informer<O>(row, selection, this.#deps)
      entry = { informer, stop: new AbortController(), done: Promise.resolve() } as unknown as Entry
      this.#entries.set(key, entry)
      if (this.#signal !== undefined) this.#run(entry, this.#signal)
    }
    return entry.informer as unknown as Informer<O>
  }

  /**
   * An informer for readers of metadata alone: the full one if somebody already keeps that, else
   * one that asks the server for nothing more.
   */
  metadataOf(row: AnyRow): Informer<KubeObject> {
    const full = this.#entries.get(selectionKey(row, {}))
    return full?.informer ?? this.of(row, { metadataOnly: true })
  }

  /** Ends the informers of a kind that is no longer served. */
  drop(row: AnyRow): void {
    for (const [key, entry] of this.#entries) {
      const { group, version, plural } = entry.informer.row
      if (group !== row.group || version !== row.version || plural !== row.plural) continue
      entry.stop.abort()
      this.#entries.delete(key)
    }
  }

  /** Starts what was asked for so far; readers wait for `synced` of what they need. */
  start(signal: AbortSignal): Promise<Running> {
    this.#signal = signal
    for (const entry of this.#entries.values()) this.#run(entry, signal)
    return Promise.resolve({ done: this.#finished(signal) })
  }

  /** Those that have been asking for too long, and never had all there is; and why. */
  overdue(): { plural: string; problem: string }[] {
    return [...this.#entries.values()]
      .filter(({ informer }) => informer.isOverdue)
      .map(({ informer }) => ({ plural: informer.row.plural, problem: informer.problem }))
  }

  /** Shows which informers have all there is. */
  countIn(metrics: Metrics): void {
    const name = 'kedge_informer_synced'
    const help = 'Whether the cache has held everything there was.'
    metrics.computed('gauge', { name, help, labels: ['group', 'resource', 'selection'] }, () =>
      [...this.#entries].map(([key, { informer }]) => {
        const { group, plural } = informer.row
        return [group, plural, key.slice(key.indexOf('|') + 1), informer.isSynced ? 1 : 0]
      }),
    )
  }

  async #finished(signal: AbortSignal): Promise<void> {
    await aborted(signal)
    await Promise.all([...this.#entries.values()].map((entry) => entry.done))
  }

  #run(entry: Entry, signal: AbortSignal): void {
    entry.done = entry.informer.run(AbortSignal.any([signal, entry.stop.signal]))
  }
}
