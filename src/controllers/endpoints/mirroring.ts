// Mirrors Endpoints that people write for Services without a selector into EndpointSlices, which is
// all that proxies read. Rules from upstream's pkg/controller/endpointslicemirroring.

import { endpoints } from '../../api/kinds/core/endpoints/row.ts'
import { services } from '../../api/kinds/core/service/row.ts'
import { endpointSlices } from '../../api/kinds/discovery/endpointslice/row.ts'
import { keyOf } from '../../api/object.ts'
import type {
  Endpoint,
  EndpointAddress,
  EndpointSlice,
  EndpointSubset,
  Endpoints,
} from '../../api/schema/generated/types.ts'
import { defineController, type ListOf, watching } from '../../kit/controller.ts'
import { hasLabels } from '../../kit/labels.ts'
import { parseIp } from '../../lib/ip.ts'
import { ownerReference } from '../workloads/claims.ts'
import { TRIGGER_TIME } from './service-pods.ts'
import { type Group, planSlices, portsText } from './slice-plan.ts'
import { performSlices } from './slice-writer.ts'

const SERVICE_NAME = 'kubernetes.io/service-name'
const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by'
const MANAGER = 'endpointslicemirroring-controller.k8s.io'
const SKIP = 'endpointslice.kubernetes.io/skip-mirror'
const LEADER = 'control-plane.alpha.kubernetes.io/leader'
/** Per subset; the rest is not mirrored. */
const ADDRESSES_MAX = 1000

export const endpointSliceMirroringController = defineController<Endpoints>({
  name: 'endpoint-slice-mirroring-controller',
  account: 'endpointslicemirroring-controller',
  reconciles: endpoints,
  watches: [
    watching(services, (service) => [keyOf(service)]),
    watching(endpointSlices, ({ metadata }) => {
      const isOurs = metadata.labels?.[MANAGED_BY] === MANAGER
      return isOurs ? [`${metadata.namespace}/${metadata.labels?.[SERVICE_NAME]}`] : []
    }),
  ],

  async reconcile(object, kit, signal) {
    const { name = '', namespace = '' } = object.metadata
    const existing = kit
      .list(endpointSlices)
      .withLabels(namespace, { [SERVICE_NAME]: name, [MANAGED_BY]: MANAGER })
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    const groups = isMirrored(object, kit.list) ? mirrorGroups(object) : []
    const metadata = sliceMetadata(object)
    const plan = planSlices({ groups, existing: existing.filter(ownedBy(object)), metadata })
    const foreign = existing.filter((slice) => !ownedBy(object)(slice))
    const triggerTime = object.metadata.annotations?.[TRIGGER_TIME]
    const about = { row: endpoints, object }
    const all = { ...plan, remove: [...plan.remove, ...foreign] }
    await performSlices(all, { about, triggerTime }, kit, signal)
  },
})

function isMirrored(object: Endpoints, list: ListOf): boolean {
  const { metadata } = object
  if (metadata.deletionTimestamp !== undefined || hasLabels(object, { [SKIP]: 'true' }))
    return false
  if (metadata.annotations?.[LEADER] !== undefined) return false
  const service = list(services).get(keyOf(object))
  return service !== undefined && Object.keys(service.spec.selector ?? {}).length === 0
}

const ownedBy = (object: Endpoints) => (slice: EndpointSlice) =>
  slice.metadata.ownerReferences?.some(({ uid }) => uid === object.metadata.uid) ?? false

function mirrorGroups({ subsets = [] }: Endpoints): Group[] {
  const groups = new Map<string, Group>()
  for (const subset of subsets ?? []) {
    for (const { family, endpoint } of mirroredOf(subset)) {
      const addressType = `IPv${family}` as const
      const ports = portsOf(subset)
      const key = `${addressType} ${portsText(ports)}`
      const group = groups.get(key) ?? { addressType, ports, endpoints: [] }
      groups.set(key, group)
      const isKnown = group.endpoints.some(
        ({ addresses }) => addresses[0] === endpoint.addresses[0],
      )
      if (!isKnown) group.endpoints.push(endpoint)
    }
  }
  return [...groups.values()]
}

function mirroredOf({ addresses = [], notReadyAddresses = [] }: EndpointSubset) {
  const all = [
    ...(addresses ?? []).map((address) => ({ address, ready: true })),
    ...(notReadyAddresses ?? []).map((address) => ({ address, ready: false })),
  ]
  return all.slice(0, ADDRESSES_MAX).flatMap(({ address, ready }) => {
    const family = parseIp(address.ip)?.family
    return family === undefined ? [] : [{ family, endpoint: endpointOf(address, ready) }]
  })
}

function endpointOf(
  { ip, hostname, nodeName, targetRef }: EndpointAddress,
  ready: boolean,
): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname ? { hostname } : {}),
    ...(targetRef ? { targetRef } : {}),
    ...(nodeName ? { nodeName } : {}),
  }
}

function portsOf({ ports = [] }: EndpointSubset) {
  return (ports ?? []).map(({ name = '', port, protocol = 'TCP', appProtocol }) => {
    return { name, port, protocol, ...(appProtocol ? { appProtocol } : {}) }
  })
}

function sliceMetadata(object: Endpoints) {
  const { name = '', namespace = '', labels = {}, annotations = {} } = object.metadata
  const {
    'kubectl.kubernetes.io/last-applied-configuration': _applied,
    [TRIGGER_TIME]: _time,
    ...copied
  } = annotations
  return {
    generateName: `${name}-`,
    namespace,
    labels: { ...labels, [SERVICE_NAME]: name, [MANAGED_BY]: MANAGER },
    ...(Object.keys(copied).length > 0 ? { annotations: copied } : {}),
    ownerReferences: [ownerReference(endpoints, object)],
  }
}
