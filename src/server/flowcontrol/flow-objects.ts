// Priority and fairness as the objects of the API have it:
//
//   a change ─► configured anew ─► (a moment) ─► conditions written
//                               └► (a minute) ─► what is missing, made again
//
// Nothing runs while nothing changes.

import type { Flows } from '../../api/kinds/flowcontrol/bootstrap.ts'
import { flowSchemas } from '../../api/kinds/flowcontrol/flowschema/row.ts'
import { priorityLevelConfigurations } from '../../api/kinds/flowcontrol/prioritylevelconfiguration/row.ts'
import { groupVersionOf, pathOf } from '../../api/resource.ts'
import type { FlowSchema, PriorityLevelConfiguration } from '../../api/schema/generated/types.ts'
import { formatTime } from '../../api/time.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Store } from '../../store/store.ts'
import type { App } from '../contract.ts'
import { KindCache } from '../storage/reader.ts'
import type { StoreIndex } from '../storage/store-feed.ts'
import type { FlowControl } from './flow-control.ts'
import { effectiveFlows, planStatuses, type StatusWrite, wholeFlows } from './flow-plan.ts'

const USER = { username: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] }
const MANAGER = 'api-priority-and-fairness-config-consumer-v1'
/** Changes that come together are answered together. */
const STATUS_DELAY_MS = 100
/** Upstream looks once a minute for what it misses. */
const MAKE_AGAIN_MS = 60_000

export type FlowObjectsDeps = { store: Store; clock: Clock; log: Log; flowControl: FlowControl }

export class FlowObjects {
  readonly indexes: readonly StoreIndex[]
  readonly #deps: FlowObjectsDeps
  readonly #schemas: KindCache<FlowSchema>
  readonly #levels: KindCache<PriorityLevelConfiguration>
  #wake = Promise.withResolvers<void>()

  constructor(deps: FlowObjectsDeps) {
    this.#deps = deps
    this.#schemas = new KindCache(flowSchemas, deps.store)
    this.#levels = new KindCache(priorityLevelConfigurations, deps.store)
    const changed = () => this.#wake.resolve()
    this.indexes = [told(this.#schemas, changed), told(this.#levels, changed)]
  }

  /** To be called once the indexes know what is stored. */
  apply(): void {
    this.#deps.flowControl.configure(effectiveFlows(this.#flows()))
  }

  /** Until `signal` aborts. `ensure` makes what every cluster has, where it is missing. */
  async run(app: App, ensure: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const conditions = this.#later(STATUS_DELAY_MS, () => this.#writeStatuses(app))
    const missing = this.#later(MAKE_AGAIN_MS, ensure)
    const onAbort = () => this.#wake.resolve()
    signal.addEventListener('abort', onAbort, { once: true })
    while (!signal.aborted) {
      await this.#wake.promise
      this.#wake = Promise.withResolvers()
      if (signal.aborted) break
      this.apply()
      conditions.begin()
      missing.begin()
    }
    conditions.cancel()
    missing.cancel()
  }

  /** Work that is begun a while after it was asked for, once for all who ask meanwhile. */
  #later(delayMs: number, work: () => Promise<void>) {
    const { clock, log } = this.#deps
    let cancel: (() => void) | undefined
    const run = () => {
      cancel = undefined
      work().catch((error) => log.warn('cannot write flow schemas', { error }))
    }
    return {
      begin: () => {
        cancel ??= clock.after(delayMs, run)
      },
      cancel: () => cancel?.(),
    }
  }

  async #writeStatuses(app: App): Promise<void> {
    const writes = planStatuses(this.#flows(), formatTime(this.#deps.clock.nowMs()))
    await Promise.all(writes.map((write) => writeStatus(app, write)))
  }

  #flows(): Flows {
    return wholeFlows([...this.#schemas.values()], [...this.#levels.values()])
  }
}

/** `cache`, and a word at every change. */
function told(cache: StoreIndex, changed: () => void): StoreIndex {
  return {
    storagePrefix: cache.storagePrefix,
    reset: () => cache.reset(),
    put(entry) {
      cache.put(entry)
      changed()
    },
    remove(entry) {
      cache.remove(entry)
      changed()
    },
  }
}

/** One that is gone meanwhile, or was written by another server, is no fault. */
export async function writeStatus(app: App, { name, condition }: StatusWrite): Promise<void> {
  const path = pathOf(flowSchemas, { name, subresource: 'status' })
  const query = `fieldManager=${MANAGER}&force=true`
  const body = JSON.stringify({
    apiVersion: groupVersionOf(flowSchemas),
    kind: flowSchemas.kind,
    metadata: { name },
    status: { conditions: [condition] },
  })
  const request = new Request(`http://kedge.internal${path}?${query}`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/apply-patch+yaml' },
    body,
  })
  const response = await app.fetch(request, { user: USER })
  const text = await response.text()
  if (response.ok || response.status === 404 || response.status === 409) return
  throw new Error(`status of FlowSchema ${name}: ${response.status} ${text.slice(0, 200)}`)
}
