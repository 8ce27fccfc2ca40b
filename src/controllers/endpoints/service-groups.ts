// The endpoints of a Service as groups for its slices. Pure.

import type {
  DiscoveryV1EndpointPort,
  Endpoint,
  Node,
  Pod,
  Service,
} from '../../api/schema/generated/types.ts'
import { parseIp } from '../../lib/ip.ts'
import { isReady } from '../pods.ts'
import { addressesOf, hostnameFor, isReachable, portNumber } from './service-pods.ts'
import { type Group, portsText } from './slice-plan.ts'

const ZONE = 'topology.kubernetes.io/zone'

export type NodeOf = (name: string) => Node | undefined

/** At least one group for each address family: an empty one says that nobody is there. */
export function serviceGroups(service: Service, pods: readonly Pod[], nodeOf: NodeOf): Group[] {
  return familiesOf(service).flatMap((family) => {
    const groups = new Map<string, Group>()
    for (const pod of pods) {
      const endpoint = isReachable(pod) ? endpointOf(pod, service, family, nodeOf) : undefined
      if (endpoint === undefined) continue
      const ports = portsOf(service, pod)
      const key = portsText(ports)
      const group = groups.get(key) ?? {
        addressType: `IPv${family}` as const,
        ports,
        endpoints: [],
      }
      groups.set(key, group)
      group.endpoints.push(endpoint)
    }
    if (groups.size > 0) return [...groups.values()]
    return [{ addressType: `IPv${family}` as const, ports: [], endpoints: [] }]
  })
}

function familiesOf({ spec }: Service): (4 | 6)[] {
  const families = (spec.ipFamilies ?? []).map((family) => (family === 'IPv6' ? 6 : 4))
  if (families.length > 0) return families
  return [parseIp(spec.clusterIP ?? '')?.family ?? 4]
}

function endpointOf(
  pod: Pod,
  service: Service,
  family: 4 | 6,
  nodeOf: NodeOf,
): Endpoint | undefined {
  const addresses = addressesOf(pod, family)
  if (addresses.length === 0) return undefined
  const { nodeName } = pod.spec
  const node = nodeName ? nodeOf(nodeName) : undefined
  const publishesAll = service.spec.publishNotReadyAddresses ?? false
  // A pod on a node that does not exist is on its way out, whatever its status says.
  if (nodeName && node === undefined && !publishesAll) return undefined

  const serving = isReady(pod)
  const terminating = pod.metadata.deletionTimestamp !== undefined
  const ready = publishesAll || (serving && !terminating)
  const zone = node?.metadata.labels?.[ZONE]
  const hostname = hostnameFor(pod, service)
  const { namespace = '', name = '', uid = '' } = pod.metadata
  return {
    addresses,
    conditions: { ready, serving, terminating },
    ...(hostname ? { hostname } : {}),
    targetRef: { kind: 'Pod', namespace, name, uid },
    ...(nodeName ? { nodeName } : {}),
    ...(zone ? { zone } : {}),
    ...(ready ? hintsFor(service, zone, nodeName) : {}),
  }
}

/** Where traffic should come from first (KEP-4444, KEP-3015). */
function hintsFor({ spec }: Service, zone: string | undefined, node: string | undefined) {
  const { trafficDistribution } = spec
  const isSameNode = trafficDistribution === 'PreferSameNode'
  const isClose = trafficDistribution === 'PreferClose' || trafficDistribution === 'PreferSameZone'
  if (!isSameNode && !isClose) return {}
  const forZones = zone ? { forZones: [{ name: zone }] } : {}
  const forNodes = isSameNode && node ? { forNodes: [{ name: node }] } : {}
  const hints = { ...forZones, ...forNodes }
  return Object.keys(hints).length > 0 ? { hints } : {}
}

/** A named port may have another number in every pod, or none. */
function portsOf({ spec }: Service, pod: Pod): DiscoveryV1EndpointPort[] {
  return (spec.ports ?? []).flatMap((servicePort) => {
    const port = portNumber(pod, servicePort)
    if (port === undefined) return []
    const { name = '', protocol = 'TCP', appProtocol } = servicePort
    return [{ name, port, protocol, ...(appProtocol ? { appProtocol } : {}) }]
  })
}
