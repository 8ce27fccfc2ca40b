// Keeps the registry's custom rows in step with the definitions in the store, and the status of the
// definitions with what is served.
//
//   store ─► put, remove ─► rows (at once)
//                 └─► queue ─► status, cleaning up (one definition after the other)

import { isTrue, planStatus } from '../../api/custom/definition-status.ts'
import { rowsOf, type Serving } from '../../api/custom/rows.ts'
import { customResourceDefinitions } from '../../api/kinds/apiextensions/customresourcedefinition/row.ts'
import type { Registry } from '../../api/registry.ts'
import { type AnyRow, pathOf } from '../../api/resource.ts'
import type { CustomResourceDefinition } from '../../api/schema/generated/types.ts'
import { ApiError, isConflict, isNotFound } from '../../api/status.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Entry, Store } from '../../store/store.ts'
import type { App } from '../contract.ts'
import { KindCache } from '../storage/reader.ts'
import type { StoreIndex } from '../storage/store-feed.ts'
import { cleanUp } from './cleanup.ts'

export type DefinitionsDeps = {
  store: Store
  registry: Registry
  clock: Clock
  log: Log
  /** The server itself, for what is written; it is there once something is to be written. */
  app: () => Pick<App, 'fetch'>
}

type Served = { digest: string; rows: readonly AnyRow[]; serving: Serving }

const USER = { username: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] }
const HEADERS = { 'user-agent': 'kube-apiserver', 'content-type': 'application/json' }
const RETRY_MS = 1000

export class CustomDefinitions implements StoreIndex {
  readonly storagePrefix = customResourceDefinitions.storagePrefix
  readonly #deps: DefinitionsDeps
  readonly #definitions: KindCache<CustomResourceDefinition>
  /** By name of the definition. */
  readonly #served = new Map<string, Served>()
  readonly #queue = new Set<string>()
  /** When the cleaning up of a definition began, in ms. */
  readonly #cleaningSince = new Map<string, number>()
  #wake: () => void = () => {}

  constructor(deps: DefinitionsDeps) {
    this.#deps = deps
    this.#definitions = new KindCache(customResourceDefinitions, deps.store)
  }

  reset(): void {
    this.#definitions.reset()
    for (const name of [...this.#served.keys()]) this.#withdraw(name)
  }

  put(entry: Entry): void {
    this.#definitions.put(entry)
    const definition = this.#find(entry.key)
    if (definition === undefined) return
    this.#serve(definition)
    this.#add(definition)
  }

  remove(entry: Entry): void {
    const definition = this.#find(entry.key)
    this.#definitions.remove(entry)
    if (definition === undefined) return
    const { name = '' } = definition.metadata
    this.#withdraw(name)
    this.#cleaningSince.delete(name)
    // Its names are free.
    for (const other of this.#groupOf(definition)) this.#add(other)
  }

  /** Returns when `signal` aborts. What fails is tried again. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#wake(), { once: true })
    while (!signal.aborted) {
      const woken = Promise.withResolvers<void>()
      this.#wake = woken.resolve
      for (const name of [...this.#queue]) {
        this.#queue.delete(name)
        await this.#tryOne(name, signal)
      }
      if (this.#queue.size === 0 && !signal.aborted) await woken.promise
    }
  }

  #find(key: string): CustomResourceDefinition | undefined {
    return this.#definitions.get({ name: key.slice(this.storagePrefix.length + 1) })
  }

  #add({ metadata }: CustomResourceDefinition): void {
    this.#queue.add(metadata.name ?? '')
    this.#wake()
  }

  #groupOf({ spec, metadata }: CustomResourceDefinition): CustomResourceDefinition[] {
    return [...this.#definitions.values()].filter(
      (other) => other.spec.group === spec.group && other.metadata.name !== metadata.name,
    )
  }

  /** Rows stay the same ones for as long as nothing about them changes: watches hang on them. */
  #serve(definition: CustomResourceDefinition): void {
    const { name = '' } = definition.metadata
    const { registry, store } = this.#deps
    if (!isTrue(definition, 'Established')) return this.#withdraw(name)
    const isTerminating = isTrue(definition, 'Terminating')
    const digest = JSON.stringify([definition.spec, definition.status?.acceptedNames])
    const known = this.#served.get(name)
    if (known?.digest === digest) {
      if (known.serving.isTerminating === isTerminating) return
      known.serving.isTerminating = isTerminating
      for (const row of known.rows) registry.add(row)
      return
    }
    this.#withdraw(name)
    const serving = { isTerminating, sinceRevision: store.revision }
    const rows = rowsOf(definition, serving).filter((row) => !isBuiltIn(registry, row))
    for (const row of rows) registry.add(row)
    this.#served.set(name, { digest, rows, serving })
  }

  #withdraw(name: string): void {
    const { registry } = this.#deps
    for (const row of this.#served.get(name)?.rows ?? []) registry.remove(row)
    this.#served.delete(name)
  }

  async #tryOne(name: string, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps
    const again = () => {
      clock.after(RETRY_MS, () => {
        if (signal.aborted) return
        this.#queue.add(name)
        this.#wake()
      })
    }
    try {
      if (await this.#handle(name)) again()
    } catch (error) {
      // Somebody else wrote it, or it went: that comes back as a change.
      if (signal.aborted || isConflict(error) || isNotFound(error)) return
      log.warn('keep the status of a definition', { name, error })
      again()
    }
  }

  /** True when there is more to do after a while. */
  async #handle(name: string): Promise<boolean> {
    const definition = this.#definitions.get({ name })
    if (definition === undefined) return false
    const { clock, store } = this.#deps
    const nowMs = clock.nowMs()
    const write = (next: CustomResourceDefinition) => this.#write(next)
    if (definition.metadata.deletionTimestamp !== undefined) {
      const sinceMs = this.#cleaningSince.get(name) ?? nowMs
      this.#cleaningSince.set(name, sinceMs)
      return cleanUp(definition, { store, nowMs, sinceMs, write })
    }
    const next = planStatus(definition, this.#groupOf(definition), nowMs)
    if (next === undefined) return false
    await write(next)
    // What it let go of, others of its group may take.
    for (const other of this.#groupOf(definition)) this.#add(other)
    return false
  }

  /** Answers the definition as it stands then. */
  async #write(definition: CustomResourceDefinition): Promise<CustomResourceDefinition> {
    const { name = '' } = definition.metadata
    const path = pathOf(customResourceDefinitions, { name, subresource: 'status' })
    const body = JSON.stringify(definition)
    const request = new Request(`http://local${path}`, { method: 'PUT', headers: HEADERS, body })
    const response = await this.#deps.app().fetch(request, { user: USER })
    const answer = JSON.parse(await response.text())
    if (response.status >= 400) throw ApiError.fromStatus(answer)
    return answer
  }
}

/** Kinds that are built in are not to be replaced. */
function isBuiltIn(registry: Registry, row: AnyRow): boolean {
  const { group, version, plural, kind } = row
  const known = [registry.find(group, version, plural), registry.findKind(group, version, kind)]
  return known.some((one) => one !== undefined && one.custom === undefined)
}
