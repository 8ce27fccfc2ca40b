// Keeps the network of this node as the server tells of the nodes: its own range, and the way to
// the ranges of the others. Changes that come together cost one pass.

import { isAbort } from '../../lib/abort.ts'
import { Backoff } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Component } from '../../lib/component.ts'
import { contains, parseCidr } from '../../lib/ip.ts'
import { describeError, type Log } from '../../lib/log.ts'
import { Mailbox } from '../../lib/mailbox.ts'
import { withTasks } from '../../lib/tasks.ts'
import type { NodeRoute } from '../../protocol/peers.ts'
import type { RulesGuard } from '../rules-guard.ts'
import type { NetworkSettings, NodeNetwork } from './node-network.ts'
import type { PeerFeed } from './peer-feed.ts'

export type FollowNodesDeps = {
  peers: Pick<PeerFeed, 'all' | 'run'>
  network: Pick<NodeNetwork, 'configure' | 'concerns'>
  guard: Pick<RulesGuard, 'guard'>
  clock: Clock
  log: Log
  nodeName: string
  clusterCidrs: readonly string[]
  /** An earlier run has set the network up since the machine started: it works meanwhile. */
  wasConfigured: boolean
  /** The network works now, or no longer does. */
  onChange: () => void
}

const RETRY = { firstMs: 1000, maxMs: 60_000 }
/** As the kubelet says it of a node that waits for its network. */
const WAITING = 'container runtime network not ready: the node has no pod range yet'

export class FollowNodes implements Component {
  readonly name = 'node network'
  readonly #deps: FollowNodesDeps
  readonly #news: Mailbox<'changed'>
  #problem: string | undefined

  constructor(deps: FollowNodesDeps) {
    this.#deps = deps
    this.#news = new Mailbox(deps.clock)
    this.#problem = deps.wasConfigured ? undefined : WAITING
  }

  /** Why pods cannot have a network; undefined when they can. */
  get problem(): string | undefined {
    return this.#problem
  }

  async start(signal: AbortSignal) {
    return { done: this.#run(signal) }
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { peers, guard, network } = this.#deps
    const repair = () => this.#news.put('changed')
    const concerns = network.concerns.bind(network)
    const unguard = guard.guard({ name: 'node network', concerns, repair })
    try {
      await withTasks(async (start) => {
        start((signal) => peers.run(() => this.#news.put('changed'), signal))
        start((signal) => this.#follow(signal))
      }, signal)
    } catch (error) {
      if (!isAbort(error, signal)) throw error
    } finally {
      unguard()
      this.#news.close()
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(this.#deps.clock, RETRY)
    for (;;) {
      await this.#news.newest(signal)
      const failed = await this.#configure(this.#deps.peers.all ?? [], signal)
      if (failed) this.#news.nudgeIn(backoff.next('configure'))
      else backoff.reset('configure')
    }
  }

  /** True when it has to be tried again. */
  async #configure(all: readonly NodeRoute[], signal: AbortSignal): Promise<boolean> {
    const { nodeName, clusterCidrs, network, log } = this.#deps
    const settings = planSettings(all, nodeName, clusterCidrs)
    if (settings === undefined) return false
    try {
      await network.configure(settings, signal)
      this.#tell(undefined)
      return false
    } catch (error) {
      if (isAbort(error, signal)) throw error
      log.warn('configure the network of the node', { error })
      this.#tell(`container runtime network not ready: ${describeError(error)}`)
      return true
    }
  }

  #tell(problem: string | undefined): void {
    if (problem === this.#problem) return
    this.#problem = problem
    this.#deps.onChange()
  }
}

/** undefined while this node has no range. Nothing outside the cluster's is routed. Pure. */
export function planSettings(
  all: readonly NodeRoute[],
  nodeName: string,
  clusterCidrs: readonly string[],
): NetworkSettings | undefined {
  const own = all.find(({ name }) => name === nodeName)
  if (own === undefined) return undefined
  const peers = all.flatMap(({ name, internalIps, podCidrs }) => {
    const inside = podCidrs.filter((range) => isWithin(range, clusterCidrs))
    const isUsable = name !== nodeName && internalIps.length > 0 && inside.length > 0
    return isUsable ? [{ name, internalIps, podCidrs: inside }] : []
  })
  return { nodeName, podCidrs: own.podCidrs, clusterCidrs, peers }
}

function isWithin(range: string, clusterCidrs: readonly string[]): boolean {
  const cidr = parseCidr(range)
  if (cidr === undefined) return false
  const { family, base, prefix } = cidr
  return clusterCidrs.some((text) => {
    const cluster = parseCidr(text)
    return cluster && prefix >= cluster.prefix && contains(cluster, { family, value: base })
  })
}
