// What a Service must be (pkg/apis/core/validation).

import { dnsSubdomainFaults } from '../../../names.ts'
import { internalForm } from '../../../pod/internal-form.ts'
import type { Service, ServicePort } from '../../../schema/generated/types.ts'
import { checkCidr, checkEndpointIp, checkIp } from '../../../validation/addresses.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { checkLabels } from '../../../validation/labels.ts'
import {
  checkDnsLabel,
  checkOneOf,
  checkPort,
  checkPortOrName,
  checkQualifiedName,
  checkSupported,
} from '../../../validation/values.ts'
import { checkClusterIps } from './addresses.ts'
import { isExternallyAccessible } from './defaults.ts'
import { isHeadless, needsHealthCheck } from './traits.ts'
import { checkServiceUpdate } from './update-validation.ts'

const TOPOLOGY_HINTS = 'service.kubernetes.io/topology-aware-hints'
const TOPOLOGY_MODE = 'service.kubernetes.io/topology-mode'
const SOURCE_RANGES = 'service.beta.kubernetes.io/load-balancer-source-ranges'
const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']

export function checkService(faults: FieldErrors, service: Service, old: Service | undefined) {
  if (old) checkServiceUpdate(faults, service, old)
  const { metadata, spec } = service
  const hints = metadata.annotations?.[TOPOLOGY_HINTS]
  const mode = metadata.annotations?.[TOPOLOGY_MODE]
  if (mode !== undefined && hints !== undefined && mode !== hints) {
    const detail = `must match annotations[${TOPOLOGY_HINTS}] when both are specified`
    faults.invalid(`metadata.annotations[${TOPOLOGY_MODE}]`, mode, detail)
  }
  checkByType(faults, service)
  checkPorts(faults, service)
  checkLabels(faults, 'spec.selector', spec.selector)
  checkAffinity(faults, service)
  checkClusterIps(faults, service, old)
  for (const [index, address] of (spec.externalIPs ?? []).entries()) {
    const path = `spec.externalIPs[${index}]`
    if (checkIp(faults, path, address, old?.spec.externalIPs))
      checkEndpointIp(faults, path, address)
  }
  checkOneOf(faults, 'spec.type', spec.type, TYPES)
  checkPortNumbers(faults, spec.ports ?? [], spec.type)
  checkLoadBalancer(faults, service, old)
  checkTraffic(faults, service)
}

function checkByType(faults: FieldErrors, service: Service) {
  const { spec } = service
  const isNamed = spec.type === 'ExternalName'
  if ((spec.ports ?? []).length === 0 && !isHeadless(service) && !isNamed) {
    faults.required('spec.ports')
  }
  const isPublished = spec.type === 'LoadBalancer' || spec.type === 'NodePort'
  if (isPublished && isHeadless(service)) {
    const detail = `may not be set to 'None' for ${spec.type} services`
    faults.invalid('spec.clusterIPs[0]', 'None', detail)
  }
  if (!isNamed) return
  const detail = 'may not be set for ExternalName services'
  if ((spec.clusterIPs ?? []).length > 0) faults.forbidden('spec.clusterIPs', detail)
  if ((spec.ipFamilies ?? []).length > 0) faults.forbidden('spec.ipFamilies', detail)
  if (spec.ipFamilyPolicy !== undefined) faults.forbidden('spec.ipFamilyPolicy', detail)
  const name = (spec.externalName ?? '').replace(/\.$/, '')
  if (name === '') faults.required('spec.externalName')
  else faults.invalidAll('spec.externalName', name, dnsSubdomainFaults(name))
}

function checkPorts(faults: FieldErrors, { spec }: Service) {
  const ports = spec.ports ?? []
  const names = new Set<string>()
  for (const [index, { name, port, protocol, targetPort, appProtocol }] of ports.entries()) {
    const path = `spec.ports[${index}]`
    if (!name) {
      if (ports.length > 1) faults.required(`${path}.name`)
    } else {
      checkDnsLabel(faults, `${path}.name`, name)
      if (names.has(name)) faults.duplicate(`${path}.name`, name)
      names.add(name)
    }
    checkPort(faults, `${path}.port`, port)
    checkOneOf(faults, `${path}.protocol`, protocol, ['SCTP', 'TCP', 'UDP'])
    checkPortOrName(faults, `${path}.targetPort`, targetPort)
    if (appProtocol !== undefined) checkQualifiedName(faults, `${path}.appProtocol`, appProtocol)
  }
}

const AFFINITY_SECONDS_MAX = 86_400

function checkAffinity(faults: FieldErrors, { spec }: Service) {
  const { sessionAffinity, sessionAffinityConfig: config } = spec
  checkOneOf(faults, 'spec.sessionAffinity', sessionAffinity, ['ClientIP', 'None'])
  if (sessionAffinity === 'None' && config !== undefined) {
    const detail = 'must not be set when session affinity is None'
    faults.forbidden('spec.sessionAffinityConfig', detail)
  }
  const seconds = config?.clientIP?.timeoutSeconds
  if (sessionAffinity !== 'ClientIP' || seconds === undefined) return
  if (seconds > 0 && seconds <= AFFINITY_SECONDS_MAX) return
  const detail = `must be greater than 0 and less than ${AFFINITY_SECONDS_MAX}`
  faults.invalid('spec.sessionAffinityConfig.clientIP.timeoutSeconds', seconds, detail)
}

function checkPortNumbers(faults: FieldErrors, ports: readonly ServicePort[], type?: string) {
  if (type === 'ClusterIP') {
    for (const [index, { nodePort }] of ports.entries()) {
      if (!nodePort) continue
      const detail = "may not be used when `type` is 'ClusterIP'"
      faults.forbidden(`spec.ports[${index}].nodePort`, detail)
    }
  }
  const nodePorts = new Set<string>()
  for (const [index, { nodePort, protocol }] of ports.entries()) {
    if (!nodePort) continue
    const key = `${protocol}/${nodePort}`
    if (nodePorts.has(key)) faults.duplicate(`spec.ports[${index}].nodePort`, nodePort)
    nodePorts.add(key)
  }
  const used = new Set<string>()
  for (const [index, { port, protocol }] of ports.entries()) {
    const key = `${protocol}/${port}`
    if (used.has(key)) {
      const shown = internalForm('ServicePort', { port, protocol })
      faults.duplicate(`spec.ports[${index}]`, shown)
    }
    used.add(key)
  }
}

const FOR_BALANCERS = "may only be used when `type` is 'LoadBalancer'"

function checkLoadBalancer(
  faults: FieldErrors,
  { metadata, spec }: Service,
  old: Service | undefined,
) {
  const isBalanced = spec.type === 'LoadBalancer'
  const ranges = spec.loadBalancerSourceRanges ?? []
  const text = metadata.annotations?.[SOURCE_RANGES]
  if (ranges.length > 0) {
    const path = 'spec.LoadBalancerSourceRanges'
    if (!isBalanced) faults.forbidden(path, FOR_BALANCERS)
    const before = (old?.spec.loadBalancerSourceRanges ?? []).map((range) => range.trim())
    for (const [index, range] of ranges.entries()) {
      checkCidr(faults, `${path}[${index}]`, range.trim(), before)
    }
  } else if (text !== undefined) {
    const path = `metadata.annotations[${SOURCE_RANGES}]`
    if (!isBalanced) faults.forbidden(path, FOR_BALANCERS)
    const isNew = old?.metadata.annotations?.[SOURCE_RANGES] !== text
    for (const range of isNew && text.trim() !== '' ? text.trim().split(',') : []) {
      checkCidr(faults, path, range.trim())
    }
  }
  if (!isBalanced && spec.allocateLoadBalancerNodePorts !== undefined) {
    faults.forbidden('spec.allocateLoadBalancerNodePorts', FOR_BALANCERS)
  }
  if (spec.loadBalancerClass === undefined) return
  if (isBalanced) checkQualifiedName(faults, 'spec.loadBalancerClass', spec.loadBalancerClass)
  else faults.forbidden('spec.loadBalancerClass', FOR_BALANCERS)
}

function checkTraffic(faults: FieldErrors, service: Service) {
  const { spec } = service
  const { externalTrafficPolicy: external, healthCheckNodePort: healthPort } = spec
  if (isExternallyAccessible(service)) {
    checkOneOf(faults, 'spec.externalTrafficPolicy', external, ['Cluster', 'Local'])
  } else if (external) {
    const detail = 'may only be set for externally-accessible services'
    faults.invalid('spec.externalTrafficPolicy', external, detail)
  }
  if (!needsHealthCheck(service) && healthPort) {
    const types = "`type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
    faults.invalid('spec.healthCheckNodePort', healthPort, `may only be set when ${types}`)
  } else if (needsHealthCheck(service) && healthPort) {
    checkPort(faults, 'spec.healthCheckNodePort', healthPort)
  }
  if (spec.internalTrafficPolicy !== undefined) {
    const known = ['Cluster', 'Local']
    checkSupported(faults, 'spec.internalTrafficPolicy', spec.internalTrafficPolicy, known)
  } else if (['NodePort', 'LoadBalancer', 'ClusterIP'].includes(spec.type ?? '')) {
    faults.required('spec.internalTrafficPolicy')
  }
  if (spec.trafficDistribution === undefined) return
  const known = ['PreferClose', 'PreferSameZone', 'PreferSameNode']
  checkSupported(faults, 'spec.trafficDistribution', spec.trafficDistribution, known)
}

export function checkServiceStatus(faults: FieldErrors, { spec, status }: Service, old?: Service) {
  const ingress = status?.loadBalancer?.ingress ?? []
  const at = 'status.loadBalancer.ingress'
  if (spec.type !== 'LoadBalancer' && ingress.length > 0) {
    return faults.forbidden(at, "may only be used when `spec.type` is 'LoadBalancer'")
  }
  const before = (old?.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? [])
  for (const [index, { ip, ipMode, hostname }] of ingress.entries()) {
    const path = `${at}[${index}]`
    if (ip) checkIp(faults, `${path}.ip`, ip, before)
    if (ipMode === undefined) {
      if (ip) faults.required(`${path}.ipMode`, 'must be specified when `ip` is set')
    } else if (!ip) {
      faults.forbidden(`${path}.ipMode`, 'may not be specified when `ip` is not set')
    } else checkSupported(faults, `${path}.ipMode`, ipMode, ['Proxy', 'VIP'])
    if (!hostname) continue
    faults.invalidAll(`${path}.hostname`, hostname, dnsSubdomainFaults(hostname))
    if (/^[0-9.]+$/.test(hostname) && hostname.split('.').length === 4) {
      const detail = 'must be a DNS name, not an IP address'
      faults.invalid(`${path}.hostname`, hostname, detail)
    }
  }
}
