// Keeps the kernel's rules equal to the Services of the cluster.
//
// Changes that come together cost one transaction. A transaction that fails is followed by one that
// writes the whole table, later each time; what stands in the kernel stays until one succeeds.

import { services } from '../../api/kinds/core/service/row.ts'
import { endpointSlices } from '../../api/kinds/discovery/endpointslice/row.ts'
import type { InformerSet } from '../../kit/informer-set.ts'
import { isAbort } from '../../lib/abort.ts'
import { Backoff } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Component } from '../../lib/component.ts'
import type { Log } from '../../lib/log.ts'
import { Mailbox } from '../../lib/mailbox.ts'
import type { Processes } from '../../lib/process.ts'
import { planLostEndpoints, planStaleFlows } from './flows.ts'
import { createNft, type Nft } from './nft.ts'
import { planRules, type Ruleset } from './rules.ts'
import { planScript, planTable, type Ranges } from './script.ts'

export type ProxyDeps = {
  informers: InformerSet
  processes: Processes
  clock: Clock
  log: Log
  nodeName: string
  ranges: Ranges
}

const RETRY = { firstMs: 500, maxMs: 30_000 }
/** Destroyed by whoever reloads a firewall: wait until that is over before we repair. */
const REPAIR_AFTER_MS = 500

export function createProxy(deps: ProxyDeps): Component {
  return {
    name: 'proxy',
    start(signal) {
      const loop = new ProxyLoop(deps, createNft(deps.processes))
      return Promise.resolve({ done: loop.run(signal) })
    },
  }
}

export class ProxyLoop {
  readonly #deps: ProxyDeps
  readonly #nft: Nft
  readonly #news: Mailbox<'changed'>
  readonly #backoff: Backoff
  /** What the kernel holds; undefined when we do not know. */
  #applied: Ruleset | undefined
  /** Somebody removed a table like ours; perhaps that was us. */
  #suspect = false
  /** The last plan: keeps numbers stable even when the table is written anew. */
  #planned: Ruleset | undefined

  constructor(deps: ProxyDeps, nft: Nft) {
    this.#deps = deps
    this.#nft = nft
    this.#news = new Mailbox(deps.clock)
    this.#backoff = new Backoff(deps.clock, RETRY)
  }

  async run(signal: AbortSignal): Promise<void> {
    const { informers } = this.#deps
    const sources = [informers.of(services), informers.of(endpointSlices)]
    const stops = sources.map((source) => source.onChange(() => this.#news.put('changed')))
    try {
      // Rules of an earlier run stay until we know everything: no Service goes dark meanwhile.
      await Promise.all(sources.map((source) => source.synced(signal)))
      this.#news.put('changed')
      await Promise.all([this.#follow(signal), this.#guard(signal)])
    } catch (error) {
      if (!isAbort(error, signal)) throw error
    } finally {
      for (const stop of stops) stop()
      this.#news.close()
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#news.newest(signal)
      try {
        await this.#sync(signal)
        this.#backoff.reset('sync')
      } catch (error) {
        if (isAbort(error, signal)) throw error
        this.#applied = undefined
        this.#deps.log.warn('write the rules of services', { error })
        this.#news.nudgeIn(this.#backoff.next('sync'))
      }
    }
  }

  async #sync(signal: AbortSignal): Promise<void> {
    const { informers, nodeName, ranges, processes } = this.#deps
    if (this.#suspect && !(await this.#nft.isIntact(signal))) this.#applied = undefined
    this.#suspect = false
    const snapshot = {
      services: informers.of(services).lister.all(),
      slices: informers.of(endpointSlices).lister.all(),
      nodeName,
    }
    const before = this.#applied
    const rules = planRules(snapshot, this.#planned)
    const script = before ? planScript(before, rules) : planTable(rules, ranges)
    if (script !== '') await this.#nft.apply(script, signal)
    this.#applied = rules
    this.#planned = rules
    if (before === undefined) return
    const lost = planLostEndpoints(before, rules)
    if (lost.size > 0) await this.#nft.forgetClients(lost, signal)
    for (const argv of planStaleFlows(before, rules)) {
      // Exit code 1 only says that there was no such flow.
      await processes.run(argv, signal)
    }
  }

  /** Repairs the table when somebody else destroyed it. */
  async #guard(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps
    for (;;) {
      await this.#nft.watch(() => {
        this.#suspect = true
        this.#news.nudgeIn(REPAIR_AFTER_MS)
      }, signal)
      signal.throwIfAborted()
      log.warn('nft monitor ended; starting it again')
      this.#suspect = true
      this.#news.nudge()
      await clock.sleep(this.#backoff.next('monitor'), signal)
    }
  }
}
