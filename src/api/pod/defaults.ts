// What pods and pod templates get when nothing is said (pkg/apis/core/v1/defaults.go).

import type {
  Container,
  DownwardAPIVolumeFile,
  EphemeralContainer,
  HTTPGetAction,
  Pod,
  PodSpec,
  PodTemplateSpec,
  Probe,
  Volume,
} from '../schema/generated/types.ts'
import { defaultPullPolicy } from './images.ts'
import { containerTotals, type ResourceList, roundToMilli } from './resources.ts'

const FILE_MODE = 0o644

export function applyPodDefaults(pod: Pod) {
  applyPodSpecDefaults(pod.spec)
  const { spec } = pod
  const containers = [...(spec.containers ?? []), ...(spec.initContainers ?? [])]
  for (const { resources } of containers) {
    if (resources?.limits) resources.requests = { ...resources.limits, ...resources.requests }
  }
  applyPodLevelResources(spec)
  applyAddressDefaults(pod)
  spec.enableServiceLinks ??= true
  if (spec.terminationGracePeriodSeconds! < 0) spec.terminationGracePeriodSeconds = 1
  if (spec.hostNetwork) {
    for (const port of containers.flatMap((container) => container.ports ?? [])) {
      if (!port.hostPort && port.containerPort) port.hostPort = port.containerPort
    }
  }
}

/** Of the two forms of the address the old one counts, for the sake of old writers. */
function applyAddressDefaults({ status }: Pod) {
  if (!status) return
  const { podIP, podIPs } = status
  if (podIP && podIP !== podIPs?.[0]?.ip) status.podIPs = [{ ip: podIP }]
  else if (!podIP && podIPs?.[0]?.ip) status.podIP = podIPs[0].ip
}

export function applyPodTemplateDefaults(template: PodTemplateSpec | undefined) {
  if (template?.spec) applyPodSpecDefaults(template.spec)
}

function applyPodSpecDefaults(spec: PodSpec) {
  spec.dnsPolicy ||= 'ClusterFirst'
  spec.restartPolicy ||= 'Always'
  spec.securityContext ??= {}
  spec.terminationGracePeriodSeconds ??= 30
  spec.schedulerName ||= 'default-scheduler'
  // The same under its old name, which older readers know it by.
  if (spec.serviceAccountName || spec.serviceAccount) {
    spec.serviceAccountName ||= spec.serviceAccount!
    spec.serviceAccount = spec.serviceAccountName
  }
  for (const volume of spec.volumes ?? []) applyVolumeDefaults(volume)
  for (const container of spec.containers ?? []) applyContainerDefaults(container)
  for (const container of spec.initContainers ?? []) applyContainerDefaults(container)
  for (const container of spec.ephemeralContainers ?? []) applyContainerDefaults(container)
  roundToMilli(spec.overhead)
  roundToMilli(spec.resources?.requests)
  roundToMilli(spec.resources?.limits)
}

function applyContainerDefaults(container: Container | EphemeralContainer) {
  container.imagePullPolicy ||= defaultPullPolicy(container.image)
  container.terminationMessagePath ||= '/dev/termination-log'
  container.terminationMessagePolicy ||= 'File'
  for (const port of container.ports ?? []) port.protocol ||= 'TCP'
  for (const { valueFrom } of container.env ?? []) {
    if (valueFrom?.fieldRef) valueFrom.fieldRef.apiVersion ||= 'v1'
    if (valueFrom?.fileKeyRef) valueFrom.fileKeyRef.optional ??= false
  }
  roundToMilli(container.resources?.limits)
  roundToMilli(container.resources?.requests)
  const { livenessProbe, readinessProbe, startupProbe, lifecycle } = container
  for (const probe of [livenessProbe, readinessProbe, startupProbe]) {
    if (probe) applyProbeDefaults(probe)
  }
  applyHttpDefaults(lifecycle?.postStart?.httpGet)
  applyHttpDefaults(lifecycle?.preStop?.httpGet)
}

function applyProbeDefaults(probe: Probe) {
  probe.timeoutSeconds ||= 1
  probe.periodSeconds ||= 10
  probe.successThreshold ||= 1
  probe.failureThreshold ||= 3
  applyHttpDefaults(probe.httpGet)
  if (probe.grpc) probe.grpc.service ??= ''
}

function applyHttpDefaults(action: HTTPGetAction | undefined) {
  if (action === undefined) return
  action.path ||= '/'
  action.scheme ||= 'HTTP'
}

function applyVolumeDefaults(volume: Volume) {
  const { name: _name, ...sources } = volume
  if (Object.values(sources).every((source) => source === undefined)) volume.emptyDir = {}
  if (volume.hostPath) volume.hostPath.type ??= ''
  if (volume.secret) volume.secret.defaultMode ??= FILE_MODE
  if (volume.configMap) volume.configMap.defaultMode ??= FILE_MODE
  if (volume.image) volume.image.pullPolicy ||= defaultPullPolicy(volume.image.reference)
  if (volume.downwardAPI) {
    volume.downwardAPI.defaultMode ??= FILE_MODE
    applyFieldRefDefaults(volume.downwardAPI.items)
  }
  if (volume.projected) {
    volume.projected.defaultMode ??= FILE_MODE
    for (const { downwardAPI, serviceAccountToken } of volume.projected.sources ?? []) {
      applyFieldRefDefaults(downwardAPI?.items)
      if (serviceAccountToken) serviceAccountToken.expirationSeconds ??= 3600
    }
  }
  const claim = volume.ephemeral?.volumeClaimTemplate?.spec
  if (claim) claim.volumeMode ??= 'Filesystem'
}

function applyFieldRefDefaults(files: readonly DownwardAPIVolumeFile[] | undefined) {
  for (const { fieldRef } of files ?? []) {
    if (fieldRef) fieldRef.apiVersion ||= 'v1'
  }
}

/**
 * Resources of the whole pod: what is missing follows from the containers, then from the limits.
 */
function applyPodLevelResources({ resources, ...spec }: PodSpec) {
  if (resources === undefined) return
  const { requests = {}, limits = {} } = resources
  if (Object.keys(requests).length + Object.keys(limits).length === 0) return
  const whole = {
    ...limits,
    ...missingHugePages(containerTotals(spec, 'limits'), requests, limits),
  }
  if (Object.keys(whole).length > 0) resources.limits = whole
  if (Object.keys(whole).length === 0) return
  const totals = Object.entries(containerTotals(spec, 'requests')).filter(([name]) =>
    ['cpu', 'memory'].includes(name),
  )
  const supported = Object.entries(whole).filter(([name]) => isPodLevelResource(name))
  const filled = {
    ...Object.fromEntries(supported),
    ...Object.fromEntries(totals),
    ...requests,
  }
  if (Object.keys(filled).length > 0) resources.requests = filled
}

function missingHugePages(totals: ResourceList, requests: ResourceList, limits: ResourceList) {
  return Object.fromEntries(
    Object.entries(totals).filter(
      ([name]) => name.startsWith('hugepages-') && !(name in requests) && !(name in limits),
    ),
  )
}

function isPodLevelResource(name: string): boolean {
  return name === 'cpu' || name === 'memory' || name.startsWith('hugepages-')
}
