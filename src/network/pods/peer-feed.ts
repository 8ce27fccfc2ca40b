// The other nodes of the cluster, as the server tells of them: see protocol/peers.ts. A
// connection that breaks is made again; meanwhile everything stays as it was last known.

import type { Transport } from '../../kit/client.ts'
import { isAbort } from '../../lib/abort.ts'
import { Backoff } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Random } from '../../lib/random.ts'
import { PEERS_PATH } from '../../protocol/paths.ts'
import type { NodeRoute, PeerLine } from '../../protocol/peers.ts'

export type PeerFeedDeps = {
  transport: Pick<Transport, 'watch'>
  clock: Clock
  random: Random
  log: Log
}

const RETRY = { firstMs: 1000, maxMs: 60_000 }

export class PeerFeed {
  readonly #deps: PeerFeedDeps
  #known: ReadonlyMap<string, NodeRoute> | undefined

  constructor(deps: PeerFeedDeps) {
    this.#deps = deps
  }

  /** Undefined until the server has told of all once. The node itself is among them. */
  get all(): readonly NodeRoute[] | undefined {
    return this.#known && [...this.#known.values()]
  }

  /** Calls `onChange` after every change, until `signal` aborts. */
  async run(onChange: () => void, signal: AbortSignal): Promise<void> {
    const { clock, log, random } = this.#deps
    const backoff = new Backoff(clock, RETRY)
    while (!signal.aborted) {
      try {
        await this.#listen(() => {
          backoff.reset(PEERS_PATH)
          onChange()
        }, signal)
      } catch (error) {
        if (isAbort(error, signal)) return
        log.debug('the news of other nodes broke off', { error })
      }
      // Spread out: all nodes lose their server at the same moment.
      const waitMs = backoff.next(PEERS_PATH) * (0.5 + random.next())
      await clock.sleep(waitMs, signal).catch(() => {})
    }
  }

  async #listen(onChange: () => void, signal: AbortSignal): Promise<void> {
    const told = new Map<string, NodeRoute>()
    let isSynced = false
    for await (const text of this.#deps.transport.watch({ path: PEERS_PATH }, signal)) {
      const line: PeerLine = JSON.parse(text)
      if (line.type === 'SYNCED') isSynced = true
      else if (line.type === 'GONE') told.delete(line.name)
      else {
        const { name, internalIps, podCidrs } = line
        told.set(name, { name, internalIps, podCidrs })
      }
      // Half a list must not take the routes of the other half away.
      if (!isSynced) continue
      this.#known = told
      onChange()
    }
  }
}
