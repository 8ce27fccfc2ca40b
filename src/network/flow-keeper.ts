// Keeps the kernel's UDP flows in agreement with what is translated: one comparison after every
// change and at every start, for Services, host ports and whoever else says what he translates.

import { isAbort } from '../lib/abort.ts'
import { Backoff } from '../lib/backoff.ts'
import type { Clock } from '../lib/clock.ts'
import type { Component } from '../lib/component.ts'
import type { Log } from '../lib/log.ts'
import { Mailbox } from '../lib/mailbox.ts'
import type { Processes } from '../lib/process.ts'
import { type Flow, forgetCommand, parseFlow, staleFlowTest } from './flows.ts'
import { type Frontend, frontendKey, type Translation } from './translations.ts'

export type FlowKeeperDeps = {
  processes: Processes
  clock: Clock
  log: Log
  /** Every address that this node has at the moment. */
  ownAddresses: () => ReadonlySet<string>
  ranges: { pods: string; services: string }
}

/** What parts of the network say to the keeper. */
export interface Flows {
  /**
   * All that `part` translates from now on. To be said once the rules are in place, also when they
   * are as before but were gone for a while (`again`).
   */
  translates(part: string, translations: readonly Translation[], again?: 'again'): void
}

const RETRY = { firstMs: 1000, maxMs: 60_000 }
const LIST = ['conntrack', '-L', '-f', 'ipv4', '-p', 'udp']

export class FlowKeeper implements Component, Flows {
  readonly name = 'flow keeper'
  readonly #deps: FlowKeeperDeps
  readonly #news: Mailbox<'changed'>
  readonly #parts = new Map<string, readonly Translation[]>()
  /** Frontends that were there at the last comparison or since. */
  #known = new Map<string, Frontend>()

  constructor(deps: FlowKeeperDeps) {
    this.#deps = deps
    this.#news = new Mailbox(deps.clock)
  }

  translates(part: string, translations: readonly Translation[], again?: 'again'): void {
    const before = this.#parts.get(part)
    const now = translations.filter(({ protocol }) => protocol === 'udp')
    if (again === undefined && before !== undefined && Bun.deepEquals(before, now)) return
    this.#parts.set(part, now)
    for (const translation of now) this.#known.set(frontendKey(translation), translation)
    this.#news.put('changed')
  }

  async start(signal: AbortSignal) {
    return { done: this.#run(signal) }
  }

  async #run(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(this.#deps.clock, RETRY)
    try {
      for (;;) {
        await this.#news.newest(signal)
        try {
          await this.#compare(signal)
          backoff.reset('compare')
        } catch (error) {
          if (isAbort(error, signal)) throw error
          this.#deps.log.warn('forget stale UDP flows', { error })
          this.#news.nudgeIn(backoff.next('compare'))
        }
      }
    } catch (error) {
      if (!isAbort(error, signal)) throw error
    } finally {
      this.#news.close()
    }
  }

  async #compare(signal: AbortSignal): Promise<void> {
    const { processes, ownAddresses, ranges } = this.#deps
    const translations = [...this.#parts.values()].flat()
    const known = this.#known
    this.#known = byKey(translations)
    const gone = [...known].filter(([key]) => !this.#known.has(key))
    const own = ownAddresses()
    const isStale = staleFlowTest({
      translations,
      gone: gone.map(([, frontend]) => frontend),
      isOwnAddress: (ip) => ip.startsWith('127.') || own.has(ip),
      ranges,
    })
    try {
      const stale = new Map<string, Flow>()
      for await (const flow of listFlows(processes, signal)) {
        if (isStale(flow)) stale.set(forgetCommand(flow).join(' '), flow)
      }
      // Exit code 1 only says that there is no such flow any more.
      for (const flow of stale.values()) await processes.run(forgetCommand(flow), signal)
    } catch (error) {
      for (const [key, frontend] of gone) this.#known.set(key, frontend)
      throw error
    }
  }
}

function byKey(frontends: readonly Frontend[]): Map<string, Frontend> {
  return new Map(frontends.map((frontend) => [frontendKey(frontend), frontend]))
}

/** One after the other: a router has hundreds of thousands. */
async function* listFlows(processes: Processes, signal: AbortSignal): AsyncGenerator<Flow> {
  const list = processes.spawn(LIST, signal)
  const remarks = new Response(list.stderr).text()
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of list.stdout) {
    const lines = (text + decoder.decode(chunk, { stream: true })).split('\n')
    text = lines.pop()!
    for (const line of lines) {
      const flow = parseFlow(line)
      if (flow !== undefined) yield flow
    }
  }
  signal.throwIfAborted()
  const exitCode = await list.exited
  if (exitCode !== 0) throw new Error(`list flows: exit code ${exitCode}: ${await remarks}`)
}
