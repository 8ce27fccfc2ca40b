// The DNS of one node, from sockets to informers.

import type { InformerSet } from '../kit/informer-set.ts'
import { aborted } from '../lib/abort.ts'
import type { Clock } from '../lib/clock.ts'
import type { Component } from '../lib/component.ts'
import type { Log } from '../lib/log.ts'
import type { Processes } from '../lib/process.ts'
import type { Random } from '../lib/random.ts'
import { ensureAddress } from './address.ts'
import { createForwarder } from './forward.ts'
import { listen } from './listen.ts'
import { createResponder } from './respond.ts'
import { createView } from './view.ts'

export type DnsDeps = {
  informers: InformerSet
  processes: Processes
  clock: Clock
  random: Random
  log: Log
  /** Cluster DNS address, the range it is from, and the address of this node. */
  address: string
  serviceRange: string
  nodeIp: string
  domain: string
  resolvConfPath: string
}

const PORT = 53

export function createDns(deps: DnsDeps): Component {
  return {
    name: 'dns',
    async start(signal) {
      const { address, serviceRange, nodeIp, processes, log } = deps
      await ensureAddress({ address, serviceRange, nodeIp }, processes, signal)
      const forwarder = createForwarder({ ...deps, ownAddress: address })
      const zone = { domain: deps.domain, address }
      const view = createView(deps.informers, signal)
      const respond = createResponder(zone, view, forwarder)
      await listen({ address, port: PORT, clock: deps.clock, log }, respond, signal)
      return { done: aborted(signal) }
    },
  }
}
