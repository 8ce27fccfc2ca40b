// Keeps the network of this node as the Nodes of the cluster say: its own range, and the way to the
// ranges of the others. Changes that come together cost one pass.

import { nodes } from '../../api/kinds/core/node/row.ts'
import type { Node } from '../../api/schema/generated/types.ts'
import type { Change, Informer } from '../../kit/informer.ts'
import type { InformerSet } from '../../kit/informer-set.ts'
import { isAbort } from '../../lib/abort.ts'
import { Backoff } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Component } from '../../lib/component.ts'
import { describeError, type Log } from '../../lib/log.ts'
import { Mailbox } from '../../lib/mailbox.ts'
import type { RulesGuard } from '../rules-guard.ts'
import type { NetworkSettings, NodeNetwork } from './node-network.ts'

export type FollowNodesDeps = {
  informers: InformerSet
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
    const { informers, guard, network } = this.#deps
    const informer = informers.of<Node>(nodes)
    const repair = () => this.#news.put('changed')
    const concerns = network.concerns.bind(network)
    const unguard = guard.guard({ name: 'node network', concerns, repair })
    const stop = informer.onChange((change) => {
      if (changesNetwork(change)) this.#news.put('changed')
    })
    const backoff = new Backoff(this.#deps.clock, RETRY)
    try {
      await informer.synced(signal)
      this.#news.put('changed')
      for (;;) {
        await this.#news.newest(signal)
        const failed = await this.#configure(informer, signal)
        if (failed) this.#news.nudgeIn(backoff.next('configure'))
        else backoff.reset('configure')
      }
    } catch (error) {
      if (!isAbort(error, signal)) throw error
    } finally {
      stop()
      unguard()
      this.#news.close()
    }
  }

  /** True when it has to be tried again. */
  async #configure(informer: Informer<Node>, signal: AbortSignal): Promise<boolean> {
    const { nodeName, clusterCidrs, network, log } = this.#deps
    const settings = planSettings(informer.lister.all(), nodeName, clusterCidrs)
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

/** undefined while this node has no range. Pure. */
function planSettings(
  all: readonly Node[],
  nodeName: string,
  clusterCidrs: readonly string[],
): NetworkSettings | undefined {
  const own = all.find(({ metadata }) => metadata.name === nodeName)
  const podCidrs = rangesOf(own)
  if (podCidrs.length === 0) return undefined
  const others = all.filter((node) => node !== own)
  const peers = others.flatMap((node) => {
    const addresses = internalAddresses(node)
    const ranges = rangesOf(node)
    if (addresses.length === 0 || ranges.length === 0) return []
    return [{ name: node.metadata.name!, internalIps: addresses, podCidrs: ranges }]
  })
  return { nodeName, podCidrs, clusterCidrs, peers }
}

function rangesOf(node: Node | undefined): readonly string[] {
  return node?.spec?.podCIDRs ?? []
}

function internalAddresses(node: Node): string[] {
  const addresses = node.status?.addresses ?? []
  return addresses.filter(({ type }) => type === 'InternalIP').map(({ address }) => address)
}

/** Heartbeats change nodes all the time; only ranges and addresses are of interest. */
function changesNetwork(change: Change<Node>): boolean {
  if (change.type !== 'updated') return true
  const { old, object } = change
  return (
    !Bun.deepEquals(rangesOf(old), rangesOf(object)) ||
    !Bun.deepEquals(internalAddresses(old), internalAddresses(object))
  )
}
