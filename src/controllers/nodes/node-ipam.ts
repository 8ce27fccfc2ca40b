// Gives every node its own range of pod addresses, cut from those of the cluster.

import { nodes } from '../../api/kinds/core/node/row.ts'
import type { Node } from '../../api/schema/generated/types.ts'
import { type Controller, defineController } from '../../kit/controller.ts'
import { addressAt, type Cidr, contains, formatCidr, parseCidr, sizeOf } from '../../lib/ip.ts'

export type IpamOptions = {
  /** One for each address family. */
  clusterCidrs: readonly Cidr[]
  /** Never given away, where it lies within those of the cluster. */
  serviceCidrs: readonly Cidr[]
}

/** What a node gets: 254 pods, or as many as any node can run. */
const NODE_PREFIX = { 4: 24, 6: 64 } as const

export function nodeIpamController({ clusterCidrs, serviceCidrs }: IpamOptions): Controller<Node> {
  /** Given away, and perhaps not in the cache yet. */
  const given = new Map<string, readonly string[]>()

  return defineController<Node>({
    name: 'cidrAllocator',
    account: 'node-controller',
    reconciles: nodes,
    // One at a time: no two nodes may get the same.
    workers: 1,

    async reconcile(node, { list, writer, events }, signal) {
      const { name = '' } = node.metadata
      if (node.spec?.podCIDR || node.metadata.deletionTimestamp !== undefined) {
        given.delete(name)
        return
      }
      const inUse = list(nodes).all().flatMap(rangesOf)
      const taken = [...inUse, ...[...given.values()].flat()].flatMap((text) => {
        const cidr = parseCidr(text)
        return cidr === undefined ? [] : [cidr]
      })
      const ranges = clusterCidrs.map((cidr) => planRange(cidr, [...taken, ...serviceCidrs]))
      if (ranges.some((range) => range === undefined)) {
        const message = `Node ${name} status is now: CIDRNotAvailable`
        events.normal({ row: nodes, object: node }, 'CIDRNotAvailable', message)
        throw new Error('give pod addresses: the range of the cluster is used up')
      }
      const podCIDRs = ranges.map((range) => formatCidr(range!))
      given.set(name, podCIDRs)
      const body = { spec: { podCIDR: podCIDRs[0], podCIDRs } }
      await writer.patch(nodes, node, { type: 'strategic', body }, signal)
    },

    async reconcileGone(name) {
      given.delete(name)
    },
  })
}

function rangesOf({ spec }: Node): string[] {
  if (spec?.podCIDRs !== undefined) return spec.podCIDRs
  return spec?.podCIDR ? [spec.podCIDR] : []
}

/** The first part of `cluster` of a node's size that overlaps nothing of `taken`. */
export function planRange(cluster: Cidr, taken: readonly Cidr[]): Cidr | undefined {
  const prefix = Math.max(cluster.prefix, NODE_PREFIX[cluster.family])
  const own = taken.filter(({ family }) => family === cluster.family)
  const size = sizeOf({ ...cluster, prefix })
  for (let offset = 0n; offset < sizeOf(cluster); offset += size) {
    const base = addressAt(cluster, offset).value
    const range = { family: cluster.family, base, prefix }
    if (!own.some((other) => overlaps(range, other))) return range
  }
  return undefined
}

function overlaps(a: Cidr, b: Cidr): boolean {
  return (
    contains(a, { family: b.family, value: b.base }) ||
    contains(b, { family: a.family, value: a.base })
  )
}
