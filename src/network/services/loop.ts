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
import type { Flows } from '../flow-keeper.ts'
import type { Nft } from '../nft.ts'
import type { RulesGuard } from '../rules-guard.ts'
import { planForgottenClients, planLostEndpoints } from './affinity.ts'
import { type TableContent, tableContent } from './elements.ts'
import { planRules, type ServiceRules, translationsOf } from './rules.ts'
import { planScript, planTable, type Ranges, TABLE } from './script.ts'

export type ProxyDeps = {
  informers: InformerSet
  nft: Nft
  guard: Pick<RulesGuard, 'guard'>
  flows: Flows
  clock: Clock
  log: Log
  nodeName: string
  ranges: Ranges
}

const RETRY = { firstMs: 500, maxMs: 30_000 }

export function createProxy(deps: ProxyDeps): Component {
  return {
    name: 'proxy',
    start: (signal) => Promise.resolve({ done: new ProxyLoop(deps).run(signal) }),
  }
}

/** What was planned, and how it stands in the kernel. */
type State = { rules: ServiceRules; content: TableContent }

class ProxyLoop {
  readonly #deps: ProxyDeps
  readonly #news: Mailbox<'changed'>
  readonly #backoff: Backoff
  /** The last plan: keeps numbers stable even when the table is written anew. */
  #planned: State | undefined
  /** The kernel holds what was planned, as far as we know. */
  #isApplied = false

  constructor(deps: ProxyDeps) {
    this.#deps = deps
    this.#news = new Mailbox(deps.clock)
    this.#backoff = new Backoff(deps.clock, RETRY)
  }

  async run(signal: AbortSignal): Promise<void> {
    const { informers, guard } = this.#deps
    const sources = [informers.of(services), informers.of(endpointSlices)]
    const stops = sources.map((source) => source.onChange(() => this.#news.put('changed')))
    const repair = () => {
      this.#isApplied = false
      this.#news.nudge()
    }
    const concerns = ({ table }: { table: string }) => table === TABLE
    stops.push(guard.guard({ name: 'services', concerns, repair }))
    try {
      // Rules of an earlier run stay until we know everything: no Service goes dark meanwhile.
      await Promise.all(sources.map((source) => source.synced(signal)))
      this.#news.put('changed')
      await this.#follow(signal)
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
        this.#isApplied = false
        this.#deps.log.warn('write the rules of services', { error })
        this.#news.nudgeIn(this.#backoff.next('sync'))
      }
    }
  }

  async #sync(signal: AbortSignal): Promise<void> {
    const { informers, nodeName, ranges, nft, flows } = this.#deps
    const snapshot = {
      services: informers.of(services).lister.all(),
      slices: informers.of(endpointSlices).lister.all(),
      nodeName,
    }
    const before = this.#isApplied ? this.#planned : undefined
    const rules = planRules(snapshot, this.#planned?.rules)
    const content = tableContent(rules, before?.content)
    const script = before ? planScript(before.content, content) : planTable(content, ranges)
    // Somebody may change the table while we write: his change makes us write it anew.
    this.#isApplied = true
    if (script !== '') await nft.apply(script, signal)
    this.#planned = { rules, content }
    flows.translates('services', translationsOf(rules), before ? undefined : 'again')
    if (before !== undefined) await this.#forgetClients(before.rules, rules, signal)
  }

  /** Clients that stick to an endpoint that is gone choose anew. */
  async #forgetClients(before: ServiceRules, after: ServiceRules, signal: AbortSignal) {
    const lost = planLostEndpoints(before, after)
    if (lost.size === 0) return
    const { nft } = this.#deps
    const list = ['-j', 'list', 'map', ...TABLE.split(' '), 'affinity']
    const keys = planForgottenClients(JSON.parse(await nft.read(list, signal)), lost)
    if (keys.length === 0) return
    // A client whose time ran out in between makes the whole statement fail; the next change, or
    // its time, forgets the others.
    const forget = `delete element ${TABLE} affinity { ${keys.join(', ')} }\n`
    await nft.apply(forget, signal).catch(() => signal.throwIfAborted())
  }
}
