// What is accepted but probably not meant (pkg/api/service/warnings.go).

import type { Service } from '../../../schema/generated/types.ts'
import { cidrWarnings, ipWarnings } from '../../../validation/addresses.ts'

const TOPOLOGY_HINTS = 'service.kubernetes.io/topology-aware-hints'
const TOPOLOGY_MODE = 'service.kubernetes.io/topology-mode'

export function serviceWarnings({ metadata, spec }: Service): string[] {
  const isHeadless = spec.type === 'ClusterIP' && spec.clusterIP === 'None'
  const hasExternal = (spec.externalIPs ?? []).length > 0
  const isNamed = spec.type === 'ExternalName'
  const listed = (field: string, addresses: readonly string[] = []) =>
    addresses.flatMap((address, index) => ipWarnings(`spec.${field}[${index}]`, address))
  const when = (applies: boolean, text: string) => (applies ? [text] : [])
  return [
    ...when(
      metadata.annotations?.[TOPOLOGY_HINTS] !== undefined,
      `annotation ${TOPOLOGY_HINTS} is deprecated, please use ${TOPOLOGY_MODE} instead`,
    ),
    ...(spec.clusterIP && spec.clusterIP !== 'None' ? listed('clusterIPs', spec.clusterIPs) : []),
    ...when(
      isHeadless && !!spec.loadBalancerIP,
      'spec.loadBalancerIP is ignored for headless services',
    ),
    ...when(isHeadless && hasExternal, 'spec.externalIPs is ignored for headless services'),
    ...when(
      isHeadless && spec.sessionAffinity !== 'None',
      'spec.SessionAffinity is ignored for headless services',
    ),
    ...listed('externalIPs', spec.externalIPs),
    ...when(
      hasExternal && !isHeadless && !isNamed,
      'spec.externalIPs is deprecated and may no longer be implemented in some clusters',
    ),
    ...(spec.loadBalancerIP ? ipWarnings('spec.loadBalancerIP', spec.loadBalancerIP) : []),
    ...(spec.loadBalancerSourceRanges ?? []).flatMap((range, index) =>
      cidrWarnings(`spec.loadBalancerSourceRanges[${index}]`, range),
    ),
    ...when(isNamed && hasExternal, 'spec.externalIPs is ignored when spec.type is "ExternalName"'),
    ...when(
      !isNamed && !!spec.externalName,
      'spec.externalName is ignored when spec.type is not "ExternalName"',
    ),
    ...when(
      spec.trafficDistribution === 'PreferClose',
      'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"',
    ),
  ]
}
