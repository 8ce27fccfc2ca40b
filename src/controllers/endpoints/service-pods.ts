// Which pods stand behind a Service, at which addresses and ports.

import { pods } from '../../api/kinds/core/pod/row.ts'
import { services } from '../../api/kinds/core/service/row.ts'
import { keyOf } from '../../api/object.ts'
import { longRunning } from '../../api/pod/containers.ts'
import type { Pod, Service, ServicePort } from '../../api/schema/generated/types.ts'
import { type ListOf, type Watch, watching } from '../../kit/controller.ts'
import { hasLabels } from '../../kit/labels.ts'
import { formatIp, parseIp } from '../../lib/ip.ts'
import { isFinished, isReady } from '../pods.ts'

/** Set on what belongs to a Service without an address of its own. */
export const HEADLESS = 'service.kubernetes.io/headless'
export const TRIGGER_TIME = 'endpoints.kubernetes.io/last-change-trigger-time'

/** Services whose endpoints follow from pods; all others are left to whoever writes them. */
export function selectsPods({ spec }: Service): boolean {
  return spec.type !== 'ExternalName' && Object.keys(spec.selector ?? {}).length > 0
}

export function hasAddress({ spec }: Service): boolean {
  return spec.clusterIP !== undefined && spec.clusterIP !== '' && spec.clusterIP !== 'None'
}

/** Wakes the Services that a pod is behind, when it changed in a way that endpoints show. */
export const watchingServicePods: Watch = watching(
  pods,
  (pod, list) => servicesOf(pod, list),
  (change) => change.type !== 'updated' || differs(change.object, change.old),
)

export function servicesOf(pod: Pod, list: ListOf): string[] {
  return list(services)
    .inNamespace(pod.metadata.namespace ?? '')
    .filter((service) => selectsPods(service) && hasLabels(pod, service.spec.selector ?? {}))
    .map(keyOf)
}

function differs(pod: Pod, old: Pod): boolean {
  const isSame =
    pod.metadata.deletionTimestamp === old.metadata.deletionTimestamp &&
    pod.status?.phase === old.status?.phase &&
    isReady(pod) === isReady(old) &&
    Bun.deepEquals(pod.status?.podIPs, old.status?.podIPs) &&
    Bun.deepEquals(pod.metadata.labels, old.metadata.labels)
  return !isSame
}

export function podsOf(service: Service, list: ListOf): Pod[] {
  const { namespace = '' } = service.metadata
  return list(pods).withLabels(namespace, service.spec.selector ?? {})
}

/** A finished pod, or one without an address, is behind nothing. */
export function isReachable(pod: Pod): boolean {
  const hasIp = Boolean(pod.status?.podIP) || (pod.status?.podIPs ?? []).length > 0
  return hasIp && !isFinished(pod)
}

/** Addresses of the pod in one family, in canonical form. */
export function addressesOf(pod: Pod, family: 4 | 6): string[] {
  const texts = pod.status?.podIPs?.map(({ ip }) => ip) ?? [pod.status?.podIP ?? '']
  return texts.flatMap((text) => {
    const ip = parseIp(text)
    return ip?.family === family ? [formatIp(ip)] : []
  })
}

/** A pod that asks for a name below this very Service gets it. */
export function hostnameFor(pod: Pod, service: Service): string | undefined {
  const { hostname, subdomain } = pod.spec
  return hostname && subdomain === service.metadata.name ? hostname : undefined
}

/** The number of a port in this pod; undefined when it has no port of that name. */
export function portNumber(pod: Pod, { targetPort, port, protocol }: ServicePort) {
  if (typeof targetPort === 'number') return targetPort
  if (targetPort === undefined) return port
  for (const container of longRunning(pod.spec)) {
    for (const candidate of container.ports ?? []) {
      const isIt = candidate.name === targetPort
      if (isIt && (candidate.protocol ?? 'TCP') === (protocol ?? 'TCP')) {
        return candidate.containerPort
      }
    }
  }
  return undefined
}
