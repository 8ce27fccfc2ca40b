// What the server clears when a Service becomes of another type (pkg/registry/core/service).
//
// A field goes only when it no longer applies, may have been given out, and was not changed in the
// same write; what the user did change is left for validation to refuse.

import type { Service } from '../../../schema/generated/types.ts'
import { sameValue } from '../../../validation/values.ts'
import { isExternallyAccessible } from './defaults.ts'
import { needsHealthCheck } from './traits.ts'

export function clearByType(service: Service, old: Service) {
  const [now, before] = [service.spec, old.spec]
  if (before.type !== 'ExternalName' && now.type === 'ExternalName') {
    const sameIps =
      now.clusterIP === before.clusterIP && sameValue(now.clusterIPs, before.clusterIPs)
    if (sameIps) {
      delete now.clusterIP
      delete now.clusterIPs
    }
    if (sameValue(now.ipFamilies, before.ipFamilies)) delete now.ipFamilies
    if (now.ipFamilyPolicy === before.ipFamilyPolicy) delete now.ipFamilyPolicy
  }
  if (hasNodePorts(old) && !hasNodePorts(service) && hasNoNewNodePorts(service, old)) {
    for (const port of now.ports ?? []) delete port.nodePort
  }
  if (needsHealthCheck(old) && !needsHealthCheck(service)) {
    if (now.healthCheckNodePort === before.healthCheckNodePort) delete now.healthCheckNodePort
  }
  if (before.type === 'LoadBalancer' && now.type !== 'LoadBalancer') {
    if (now.allocateLoadBalancerNodePorts === before.allocateLoadBalancerNodePorts) {
      delete now.allocateLoadBalancerNodePorts
    }
    if (now.loadBalancerClass === before.loadBalancerClass) delete now.loadBalancerClass
  }
  if (isExternallyAccessible(old) && !isExternallyAccessible(service)) {
    if (now.externalTrafficPolicy === before.externalTrafficPolicy) {
      delete now.externalTrafficPolicy
    }
  }
  if (now.type === 'ExternalName') delete now.internalTrafficPolicy
  if (now.type !== 'LoadBalancer') service.status = { ...service.status, loadBalancer: {} }
}

function hasNodePorts({ spec }: Service): boolean {
  return spec.type === 'NodePort' || spec.type === 'LoadBalancer'
}

function hasNoNewNodePorts(service: Service, old: Service): boolean {
  const before = new Set((old.spec.ports ?? []).map((port) => port.nodePort))
  return (service.spec.ports ?? []).every(({ nodePort }) => !nodePort || before.has(nodePort))
}
