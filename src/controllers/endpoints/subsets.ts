// The subsets of an Endpoints object. Pure.
//
// A subset is a cross product of addresses and ports, so addresses share one exactly when they have
// the same ports, and a port that only some pods have makes another subset.

import type {
  EndpointAddress,
  EndpointPort,
  EndpointSubset,
  Pod,
  Service,
} from '../../api/schema/generated/types.ts'
import { parseIp } from '../../lib/ip.ts'
import { isReady } from '../pods.ts'
import { addressesOf, hostnameFor, isReachable, portNumber } from './service-pods.ts'

/** More than this is cut, because nobody can watch objects of any size. */
export const ADDRESSES_MAX = 1000

type Reached = { address: EndpointAddress; isReady: boolean }

export function planSubsets(service: Service, pods: readonly Pod[]): EndpointSubset[] {
  const ports = new Map<string, { port: EndpointPort | undefined; reached: Reached[] }>()
  for (const pod of pods) {
    const reached = reachedAt(service, pod)
    if (reached === undefined) continue
    for (const port of portsOf(service, pod)) {
      const key = port === undefined ? '' : [port.name, port.port, port.protocol].join()
      const group = ports.get(key) ?? { port, reached: [] }
      ports.set(key, group)
      group.reached.push(reached)
    }
  }
  return merge([...ports.values()])
}

function reachedAt(service: Service, pod: Pod): Reached | undefined {
  const publishesAll = service.spec.publishNotReadyAddresses ?? false
  if (!isReachable(pod) || (pod.metadata.deletionTimestamp !== undefined && !publishesAll)) {
    return undefined
  }
  const [ip] = addressesOf(pod, familyOf(service, pod))
  if (ip === undefined) return undefined
  const hostname = hostnameFor(pod, service)
  const { nodeName } = pod.spec
  const { namespace = '', name = '', uid = '' } = pod.metadata
  const address = {
    ip,
    ...(hostname ? { hostname } : {}),
    ...(nodeName ? { nodeName } : {}),
    targetRef: { kind: 'Pod', namespace, name, uid },
  }
  return { address, isReady: publishesAll || isReady(pod) }
}

function familyOf({ spec }: Service, pod: Pod): 4 | 6 {
  const [first] = spec.ipFamilies ?? []
  if (first !== undefined) return first === 'IPv6' ? 6 : 4
  return parseIp(spec.clusterIP ?? '')?.family ?? parseIp(pod.status?.podIP ?? '')?.family ?? 4
}

/** A headless Service may have no ports at all; its pods are then listed without. */
function portsOf(service: Service, pod: Pod): (EndpointPort | undefined)[] {
  const { ports = [], clusterIP } = service.spec
  if (ports.length === 0) return clusterIP === 'None' ? [undefined] : []
  return ports.flatMap((servicePort) => {
    const port = portNumber(pod, servicePort)
    if (port === undefined) return []
    const { name, protocol = 'TCP', appProtocol } = servicePort
    return [{ ...(name ? { name } : {}), port, protocol, ...(appProtocol ? { appProtocol } : {}) }]
  })
}

/** Ports that reach the same addresses share a subset. */
function merge(groups: readonly { port: EndpointPort | undefined; reached: Reached[] }[]) {
  const byAddresses = Map.groupBy(groups, ({ reached }) =>
    reached.map(({ address, isReady }) => `${address.targetRef?.uid} ${isReady}`).join(),
  )
  return [...byAddresses.values()].map((same): EndpointSubset => {
    const { reached } = same[0]!
    const sorted = reached.toSorted((a, b) => byIp(a.address, b.address))
    const addresses = sorted.filter((one) => one.isReady).map(({ address }) => address)
    const notReadyAddresses = sorted.filter((one) => !one.isReady).map(({ address }) => address)
    const ports = same.flatMap(({ port }) => (port === undefined ? [] : [port]))
    return {
      ...(addresses.length > 0 ? { addresses } : {}),
      ...(notReadyAddresses.length > 0 ? { notReadyAddresses } : {}),
      ...(ports.length > 0 ? { ports } : {}),
    }
  })
}

function byIp(a: EndpointAddress, b: EndpointAddress): number {
  const [aIp, bIp] = [parseIp(a.ip)?.value ?? 0n, parseIp(b.ip)?.value ?? 0n]
  return aIp < bIp ? -1 : aIp > bIp ? 1 : 0
}

/** At most ADDRESSES_MAX in all, ready ones first. Says whether something was cut. */
export function truncate(subsets: readonly EndpointSubset[]) {
  let room = ADDRESSES_MAX
  let isCut = false
  const take = (addresses: EndpointAddress[] = []) => {
    const taken = addresses.slice(0, room)
    room -= taken.length
    isCut ||= taken.length < addresses.length
    return taken
  }
  const ready = subsets.map(({ addresses }) => take(addresses))
  const cut = subsets.flatMap((subset, i): EndpointSubset[] => {
    const notReadyAddresses = take(subset.notReadyAddresses)
    const addresses = ready[i]!
    if (addresses.length + notReadyAddresses.length === 0) return []
    return [
      {
        ...(addresses.length > 0 ? { addresses } : {}),
        ...(notReadyAddresses.length > 0 ? { notReadyAddresses } : {}),
        ...(subset.ports ? { ports: subset.ports } : {}),
      },
    ]
  })
  return { subsets: cut, isCut }
}
