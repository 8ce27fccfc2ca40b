// Who may talk to the pods of a namespace, and whom they may talk to.

import { defineResource } from '../../../resource.ts'
import type { NetworkPolicy, NetworkPolicyPeer } from '../../../schema/generated/types.ts'
import { ageColumn, selectorText } from '../../../table/cells.ts'
import { cidrWarnings } from '../../../validation/addresses.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { textColumn } from '../../../workload/columns.ts'
import { checkNetworkPolicy } from './validation.ts'

export const networkPolicies = defineResource<NetworkPolicy>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  singular: 'networkpolicy',
  type: 'io.k8s.api.networking.v1.NetworkPolicy',
  shortNames: ['netpol'],
  defaults: applyDefaults,
  rules: [ruleOf(checkNetworkPolicy)],
  warnings: rangeWarnings,
  columns: [
    textColumn('Pod-Selector', 0, 'The pods that it is about.', ({ spec }) => {
      return selectorText(spec?.podSelector, '<none>')
    }),
    ageColumn,
  ],
})

/** A policy that does not say what it is about is about what comes in, and about what it names. */
function applyDefaults({ spec }: NetworkPolicy) {
  if (spec === undefined) return
  for (const { ports = [] } of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) {
    for (const port of ports) port.protocol ??= 'TCP'
  }
  if ((spec.policyTypes ?? []).length > 0) return
  const hasEgress = (spec.egress ?? []).length > 0
  spec.policyTypes = hasEgress ? ['Ingress', 'Egress'] : ['Ingress']
}

function rangeWarnings({ spec }: NetworkPolicy): string[] {
  const { ingress = [], egress = [] } = spec ?? {}
  return [
    ...ingress.flatMap(({ from }, index) => peerWarnings(`spec.ingress[${index}].from`, from)),
    ...egress.flatMap(({ to }, index) => peerWarnings(`spec.egress[${index}].to`, to)),
  ]
}

function peerWarnings(at: string, peers: readonly NetworkPolicyPeer[] = []): string[] {
  return peers.flatMap(({ ipBlock }, index) => {
    if (ipBlock === undefined) return []
    const path = `${at}[${index}].ipBlock`
    return [
      ...cidrWarnings(`${path}.cidr`, ipBlock.cidr),
      ...(ipBlock.except ?? []).flatMap((range, i) => cidrWarnings(`${path}.except[${i}]`, range)),
    ]
  })
}
