// A whole pod spec.

import { isDnsSubdomainName, rangeFaults } from '../../names.ts'
import type { ObjectMeta, PodSpec } from '../../schema/generated/types.ts'
import type { FieldErrors } from '../../validation/field-errors.ts'
import { checkLabels } from '../../validation/labels.ts'
import { checkDnsLabel, checkOneOf } from '../../validation/values.ts'
import { checkAffinity } from './affinity.ts'
import { type Check, containersWithPaths } from './check.ts'
import { checkContainers, checkEphemeralContainers, checkInitContainers } from './containers.ts'
import { checkDnsConfig, checkHostAliases, checkHostnameOverride } from './network.ts'
import { checkPodResources, checkRequirements } from './quantities.ts'
import { checkResourceClaims } from './resource-claims.ts'
import {
  checkReadinessGates,
  checkSchedulingGates,
  checkTolerations,
  checkTopologySpread,
} from './scheduling.ts'
import { checkPodSecurity } from './security.ts'
import { checkVolumes } from './volumes.ts'
import { checkHostProcess, checkOs } from './windows.ts'

const INT32_MAX = 2_147_483_647

/** `meta` is given for a pod, not for a template. */
export function checkPodSpec(
  faults: FieldErrors,
  at: string,
  spec: PodSpec,
  meta: ObjectMeta | undefined,
) {
  const check: Check = { faults, spec, meta, volumes: new Map() }
  if (spec.terminationGracePeriodSeconds === undefined) {
    faults.required(`${at}.terminationGracePeriodSeconds`)
  }
  checkVolumes(check, `${at}.volumes`)
  checkResourceClaims(check, `${at}.resourceClaims`)
  checkContainers(check, `${at}.containers`)
  checkInitContainers(check, `${at}.initContainers`)
  checkEphemeralContainers(check, `${at}.ephemeralContainers`)
  checkPodResources(check, `${at}.resources`)
  checkHostPorts(check, at)
  checkOneOf(faults, `${at}.restartPolicy`, spec.restartPolicy, ['Always', 'OnFailure', 'Never'])
  checkOneOf(faults, `${at}.dnsPolicy`, spec.dnsPolicy, [
    ...['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'],
  ])
  checkLabels(faults, `${at}.nodeSelector`, spec.nodeSelector)
  checkPodSecurity(check, `${at}.securityContext`)
  checkAffinity(faults, `${at}.affinity`, spec.affinity)
  checkDnsConfig(faults, `${at}.dnsConfig`, spec)
  checkReadinessGates(faults, `${at}.readinessGates`, spec.readinessGates)
  checkSchedulingGates(faults, `${at}.schedulingGates`, spec.schedulingGates)
  checkTopologySpread(
    faults,
    `${at}.topologySpreadConstraints`,
    spec.topologySpreadConstraints ?? [],
  )
  checkHostProcess(check, at)
  checkHostUsers(check, at)
  checkHostnameOverride(faults, `${at}.hostnameOverride`, spec)
  checkNames(check, at)
  checkTolerations(faults, `${at}.tolerations`, spec.tolerations ?? [])
  checkHostAliases(faults, `${at}.hostAliases`, spec.hostAliases ?? [])
  checkClasses(check, at)
  checkOs(check, at)
  checkFileKeyVolumes(check, at)
}

/** With the host's network a port of the container is a port of the host. */
function checkHostPorts({ faults, spec, meta }: Check, at: string) {
  if (!spec.hostNetwork) return
  for (const [index, container] of (spec.containers ?? []).entries()) {
    for (const [portIndex, port] of (container.ports ?? []).entries()) {
      const { hostPort = 0, containerPort = 0 } = port
      const isJudged = meta !== undefined || hostPort !== 0
      if (!isJudged || hostPort === containerPort) continue
      const path = `${at}.containers[${index}].ports[${portIndex}].hostPort`
      faults.invalid(path, hostPort, 'must match `containerPort` when `hostNetwork` is true')
    }
  }
}

function checkHostUsers(check: Check, at: string) {
  const { faults, spec } = check
  if (spec.hostUsers !== false) return
  const detail = 'when `hostUsers` is false'
  if (spec.hostNetwork) faults.forbidden(`${at}.hostNetwork`, detail)
  if (spec.hostPID) faults.forbidden(`${at}.HostPID`, detail)
  if (spec.hostIPC) faults.forbidden(`${at}.HostIPC`, detail)
  for (const { container, path } of containersWithPaths(check, at)) {
    if ((container.volumeDevices ?? []).length > 0) {
      faults.forbidden(`${path}.volumeDevices`, detail)
    }
  }
}

function checkNames({ faults, spec }: Check, at: string) {
  const { serviceAccountName, nodeName, activeDeadlineSeconds, hostname, subdomain } = spec
  if (serviceAccountName) {
    const details = isDnsSubdomainName(serviceAccountName, false)
    faults.invalidAll(`${at}.serviceAccountName`, serviceAccountName, details)
  }
  if (nodeName) {
    faults.invalidAll(`${at}.nodeName`, nodeName, isDnsSubdomainName(nodeName, false))
  }
  if (activeDeadlineSeconds !== undefined) {
    const details = rangeFaults(activeDeadlineSeconds, 1, INT32_MAX)
    faults.invalidAll(`${at}.activeDeadlineSeconds`, activeDeadlineSeconds, details)
  }
  if (hostname) checkDnsLabel(faults, `${at}.hostname`, hostname)
  if (subdomain) checkDnsLabel(faults, `${at}.subdomain`, subdomain)
}

function checkClasses({ faults, spec }: Check, at: string) {
  const { priorityClassName, runtimeClassName, preemptionPolicy, overhead } = spec
  if (priorityClassName) {
    const details = isDnsSubdomainName(priorityClassName, false)
    faults.invalidAll(`${at}.priorityClassName`, priorityClassName, details)
  }
  if (runtimeClassName !== undefined) {
    const details = isDnsSubdomainName(runtimeClassName, false)
    faults.invalidAll(`${at}.runtimeClassName`, runtimeClassName, details)
  }
  if (preemptionPolicy !== undefined) {
    checkOneOf(faults, `${at}.preemptionPolicy`, preemptionPolicy, [
      'PreemptLowerPriority',
      'Never',
    ])
  }
  if (overhead) checkRequirements(faults, `${at}.overhead`, { limits: overhead })
}

/** Files with environment variables are written by init containers, into an emptyDir. */
function checkFileKeyVolumes(check: Check, at: string) {
  const { faults, spec } = check
  for (const { container, path } of containersWithPaths(check, at)) {
    for (const [index, { valueFrom }] of (container.env ?? []).entries()) {
      const name = valueFrom?.fileKeyRef?.volumeName
      if (valueFrom?.fileKeyRef === undefined) continue
      const field = `${path}.env[${index}].valueFrom.fileKeyRef.volumeName`
      const volume = (spec.volumes ?? []).findLast((each) => each.name === name)
      if (volume === undefined) faults.notFound(field, name ?? '')
      else if (volume.emptyDir === undefined) {
        faults.invalid(field, name, 'referenced volume must be of type emptyDir')
      }
    }
  }
}
