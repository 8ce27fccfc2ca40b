// What a Service costs: itself, its node ports and its load balancer.

import { quantityOf } from '../quantity.ts'
import type { Service } from '../schema/generated/types.ts'
import type { Charge } from './contract.ts'

const NAMES = new Set([
  ...['count/services', 'services', 'services.nodeports', 'services.loadbalancers'],
])

export const serviceCharge: Charge<Service> = {
  countsFor: (name) => NAMES.has(name),
  isAsked: ({ operation, subresource }) =>
    subresource === '' && (operation === 'CREATE' || operation === 'UPDATE'),
  usage: (service) =>
    new Map([
      ['count/services', quantityOf(1)],
      ['services', quantityOf(1)],
      ['services.loadbalancers', quantityOf(service.spec?.type === 'LoadBalancer' ? 1 : 0)],
      ['services.nodeports', quantityOf(nodePortCount(service))],
    ]),
  isInScope: () => false,
}

/** Those that it has or will get: they are given out after this is asked. */
function nodePortCount({ spec }: Service): number {
  const ports = spec?.ports ?? []
  if (spec?.type === 'NodePort') return ports.length
  if (spec?.type !== 'LoadBalancer') return 0
  if (spec.allocateLoadBalancerNodePorts !== false) return ports.length
  return ports.filter(({ nodePort }) => nodePort !== undefined && nodePort !== 0).length
}
