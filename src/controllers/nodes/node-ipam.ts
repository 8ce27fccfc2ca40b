// Gives every node its own range of pod addresses, cut from those of the cluster.
//
// What is given away is known from the Nodes: all of them are read once, then each as it changes. A
// node that there is no range for waits, longer each time, or until another gives its own back.

import { nodes } from '../../api/kinds/core/node/row.ts'
import type { Node } from '../../api/schema/generated/types.ts'
import { type Controller, defineController, type Kit } from '../../kit/controller.ts'
import { Backoff } from '../../lib/backoff.ts'
import { type Cidr, formatCidr, parseCidr } from '../../lib/ip.ts'
import { RangeBitmap } from './range-bitmap.ts'

export type IpamOptions = {
  /** One for each address family. */
  clusterCidrs: readonly Cidr[]
  /** Never given away, where it lies within those of the cluster. */
  serviceCidrs: readonly Cidr[]
}

const WAIT = { firstMs: 10_000, maxMs: 10 * 60_000 }

export function nodeIpamController(options: IpamOptions): Controller<Node> {
  let ranges: NodeRanges | undefined
  let waiting: WaitingNodes | undefined

  /** A range came back: the first that waits may have it. */
  const wakeOne = ({ enqueue }: Kit) => {
    const [name] = waiting?.names ?? []
    if (name === undefined) return
    waiting?.forget(name)
    enqueue(name)
  }

  return defineController<Node>({
    name: 'cidrAllocator',
    account: 'node-controller',
    reconciles: nodes,
    // One at a time: no two nodes may get the same.
    workers: 1,

    async reconcile(node, kit, signal) {
      const { name = '' } = node.metadata
      ranges ??= new NodeRanges(options, kit.list(nodes).all())
      waiting ??= new WaitingNodes(new Backoff(kit.clock, WAIT))
      const said = rangesOf(node)
      // What was given a moment ago may not be in the cache yet; it is then given again.
      const given = said.length > 0 ? said : ranges.of(name)
      if (said.length > 0 && ranges.note(name, said)) wakeOne(kit)
      if (said.length > 0 || node.metadata.deletionTimestamp !== undefined) {
        waiting.forget(name)
        return
      }
      const nowMs = kit.clock.monotonicMs()
      const leftMs = waiting.leftMs(name, nowMs)
      if (leftMs > 0) return { requeueInMs: leftMs }
      const podCIDRs = given ?? ranges.give(name)
      if (podCIDRs === undefined) {
        const message = `Node ${name} status is now: CIDRNotAvailable`
        kit.events.normal({ row: nodes, object: node }, 'CIDRNotAvailable', message)
        const requeueInMs = waiting.add(name, nowMs)
        kit.log.warn('no pod addresses are left for a node', {
          waiting: waiting.count,
          requeueInMs,
        })
        return { requeueInMs }
      }
      waiting.forget(name)
      const body = { spec: { podCIDR: podCIDRs[0], podCIDRs } }
      await kit.writer.patch(nodes, node, { type: 'strategic', body }, signal)
    },

    async reconcileGone(name, kit) {
      waiting?.forget(name)
      if (ranges?.note(name, [])) wakeOne(kit)
    },
  })
}

/** Those for whom nothing was left, in the order that they came. */
class WaitingNodes {
  readonly #backoff: Backoff
  readonly #untilMs = new Map<string, number>()

  constructor(backoff: Backoff) {
    this.#backoff = backoff
  }

  get names(): Iterable<string> {
    return this.#untilMs.keys()
  }

  get count(): number {
    return this.#untilMs.size
  }

  leftMs(name: string, nowMs: number): number {
    return (this.#untilMs.get(name) ?? 0) - nowMs
  }

  add(name: string, nowMs: number): number {
    const waitMs = this.#backoff.next(name)
    this.#untilMs.set(name, nowMs + waitMs)
    return waitMs
  }

  forget(name: string): void {
    this.#untilMs.delete(name)
    this.#backoff.reset(name)
  }
}

/** What each node has, and what is left; one bitmap for each family. */
class NodeRanges {
  readonly #bitmaps: readonly RangeBitmap[]
  readonly #known = new Map<string, readonly string[]>()

  constructor({ clusterCidrs, serviceCidrs }: IpamOptions, all: readonly Node[]) {
    this.#bitmaps = clusterCidrs.map((cluster) => new RangeBitmap(cluster, serviceCidrs))
    for (const node of all) this.note(node.metadata.name ?? '', rangesOf(node))
  }

  of(name: string): readonly string[] | undefined {
    return this.#known.get(name)
  }

  /** Takes down what the node has now; true when it had something else before. */
  note(name: string, ranges: readonly string[]): boolean {
    const before = this.#known.get(name)
    if (String(before ?? []) === String(ranges)) return false
    for (const cidr of parsed(before ?? [])) {
      for (const bitmap of this.#bitmaps) bitmap.giveBack(cidr)
    }
    for (const cidr of parsed(ranges)) for (const bitmap of this.#bitmaps) bitmap.take(cidr)
    if (ranges.length === 0) this.#known.delete(name)
    else this.#known.set(name, ranges)
    return before !== undefined
  }

  /** Undefined when one of the families has nothing left. */
  give(name: string): readonly string[] | undefined {
    const found = this.#bitmaps.map((bitmap) => bitmap.takeFirst())
    if (found.some((range) => range === undefined)) {
      for (const [i, range] of found.entries()) {
        if (range !== undefined) this.#bitmaps[i]!.giveBack(range)
      }
      return undefined
    }
    const ranges = found.map((range) => formatCidr(range!))
    this.#known.set(name, ranges)
    return ranges
  }
}

function parsed(texts: readonly string[]): Cidr[] {
  return texts.flatMap((text) => parseCidr(text) ?? [])
}

function rangesOf({ spec }: Node): readonly string[] {
  if (spec?.podCIDRs?.length) return spec.podCIDRs
  return spec?.podCIDR ? [spec.podCIDR] : []
}
