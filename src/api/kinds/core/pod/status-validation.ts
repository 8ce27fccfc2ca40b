// What may be said of a pod's state, by the node that runs it or by others.

import { own } from '../../../../lib/own.ts'
import { isDnsSubdomainName } from '../../../names.ts'
import { checkPodAnnotationsUpdate } from '../../../pod/annotations.ts'
import { checkExtendedClaim } from '../../../pod/extended-claims.ts'
import { internalForm } from '../../../pod/internal-form.ts'
import { checkId } from '../../../pod/spec/security.ts'
import type {
  Container,
  ContainerRestartRule,
  ContainerStatus,
  Pod,
  PodSpec,
} from '../../../schema/generated/types.ts'
import { checkFamiliesReadable, checkIp, familyOf } from '../../../validation/addresses.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { checkImmutable, checkQualifiedName, checkSupported } from '../../../validation/values.ts'

export function checkStatus(faults: FieldErrors, pod: Pod, old: Pod | undefined) {
  if (old === undefined) return
  const [status, before] = [pod.status ?? {}, old.status ?? {}]
  checkPodAnnotationsUpdate(faults, 'metadata.annotations', pod, old)
  checkConditions(faults, pod)
  checkNomination(faults, pod, old)
  if ((status.observedGeneration ?? 0) < 0) {
    const detail = 'must be a non-negative integer'
    faults.invalid('status.observedGeneration', status.observedGeneration, detail)
  }
  checkImmutable(faults, 'status.qosClass', status.qosClass ?? '', before.qosClass ?? '')
  checkTransitions(faults, pod, old)
  checkClaimStatuses(faults, pod)
  checkAddresses(faults, 'podIPs', status.podIPs ?? [], before.podIPs ?? [])
  const hostIPs = status.hostIPs ?? []
  const first = hostIPs[0]?.ip ?? ''
  if (hostIPs.length > 0 && (status.hostIP ?? '') !== first) {
    faults.invalid('status.hostIPs[0].ip', first, 'must be equal to `hostIP`')
  }
  checkAddresses(faults, 'hostIPs', hostIPs, before.hostIPs ?? [])
  checkExtendedClaim(faults, pod)
  for (const kind of KINDS) checkUsers(faults, `status.${kind}`, status[kind] ?? [], pod.spec)
  checkAllocated(faults, pod)
}

const KINDS = [
  ...(['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses'] as const),
]
const SYSTEM_CONDITIONS = ['PodScheduled', 'Ready', 'Initialized']

function checkConditions(faults: FieldErrors, { status }: Pod) {
  for (const [index, { type = '', observedGeneration = 0 }] of (
    status?.conditions ?? []
  ).entries()) {
    const path = `status.conditions[${index}]`
    if (observedGeneration < 0) {
      const detail = 'must be a non-negative integer'
      faults.invalid(`${path}.observedGeneration`, observedGeneration, detail)
    }
    if (!SYSTEM_CONDITIONS.includes(type)) checkQualifiedName(faults, `${path}.Type`, type)
  }
}

function checkNomination(faults: FieldErrors, pod: Pod, old: Pod) {
  const name = pod.status?.nominatedNodeName ?? ''
  if (name === '' || name === (old.status?.nominatedNodeName ?? '')) return
  faults.invalidAll('status.nominatedNodeName', name, isDnsSubdomainName(name, false))
  if (!old.spec.nodeName) return
  const detail = 'may not be set on pods that are already bound to a node'
  faults.forbidden('status.nominatedNodeName', detail)
}

/** What has ended stays so, unless the container is to be restarted. */
function checkTransitions(faults: FieldErrors, pod: Pod, { spec, status: before }: Pod) {
  const mayAllRestart = [...(spec.containers ?? []), ...(spec.initContainers ?? [])].some(
    ({ restartPolicyRules }) =>
      (restartPolicyRules ?? []).some(({ action }) => action === 'RestartAllContainers'),
  )
  for (const kind of KINDS) {
    const isEphemeral = kind === 'ephemeralContainerStatuses'
    if (mayAllRestart && !isEphemeral) continue
    const containers = kind === 'containerStatuses' ? spec.containers : spec.initContainers
    for (const [index, { name, state }] of (before?.[kind] ?? []).entries()) {
      if (state?.terminated === undefined) continue
      const now = (pod.status?.[kind] ?? []).find((status) => status.name === name)
      if (now === undefined || now.state?.terminated !== undefined) continue
      const container = isEphemeral ? undefined : containers?.find((each) => each.name === name)
      if (container && restarts(container, spec, state.terminated.exitCode)) continue
      const detail = 'may not be transitioned to non-terminated state'
      faults.forbidden(`status.${kind}[${index}].state`, detail)
    }
  }
}

function restarts(container: Container, spec: PodSpec, exitCode: number): boolean {
  const rules = container.restartPolicyRules ?? []
  if (rules.some((rule) => rule.action === 'Restart' && matches(rule, exitCode))) return true
  const policy = container.restartPolicy ?? spec.restartPolicy
  if (policy === 'OnFailure') return exitCode !== 0
  return policy === 'Always'
}

function matches({ exitCodes }: ContainerRestartRule, exitCode: number): boolean {
  const isListed = (exitCodes?.values ?? []).includes(exitCode)
  return exitCodes?.operator === 'NotIn' ? !isListed : isListed
}

function checkClaimStatuses(faults: FieldErrors, { spec, status }: Pod) {
  const known = (spec.resourceClaims ?? []).map((claim) => claim.name)
  const seen = new Set<string>()
  for (const [index, claim] of (status?.resourceClaimStatuses ?? []).entries()) {
    const path = `status.resourceClaimStatuses[${index}]`
    if (!known.includes(claim.name)) {
      const detail = 'must match the name of an entry in `spec.resourceClaims`'
      faults.invalid(`${path}.name`, claim.name, detail)
    }
    if (seen.has(claim.name)) faults.duplicate(`${path}.name`, claim.name)
    seen.add(claim.name)
    const { resourceClaimName: name } = claim
    if (name === undefined) continue
    faults.invalidAll(`${path}.resourceClaimName`, name, isDnsSubdomainName(name, false))
  }
}

type Address = { ip?: string }

function checkAddresses(
  faults: FieldErrors,
  field: 'podIPs' | 'hostIPs',
  addresses: readonly Address[],
  old: readonly Address[],
) {
  const known = old.map(({ ip }) => ip ?? '')
  for (const [index, { ip }] of addresses.entries()) {
    checkIp(faults, `status.${field}[${index}]`, ip ?? '', known)
  }
  if (addresses.length < 2) return
  const texts = addresses.map(({ ip }) => ip ?? '')
  const areReadable = checkFamiliesReadable(faults, `status.${field}`, texts)
  const families = new Set(addresses.map(({ ip }) => familyOf(ip ?? '')))
  if (areReadable && addresses.length === 2 && families.size === 2) return
  const type = field === 'podIPs' ? 'PodIP' : 'HostIP'
  const shown = addresses.map((address) => internalForm(type, address))
  faults.invalid(`status.${field}`, shown, 'may specify no more than one IP for each IP family')
}

function checkUsers(
  faults: FieldErrors,
  at: string,
  statuses: readonly ContainerStatus[],
  { os }: PodSpec,
) {
  for (const [index, { user }] of statuses.entries()) {
    const path = `${at}[${index}].user.linux`
    const linux = user?.linux
    if (linux === undefined) continue
    if (os?.name === 'windows') faults.forbidden(path, 'cannot be set for a windows pod')
    else {
      checkId(faults, `${path}.uid`, linux.uid ?? 0)
      checkId(faults, `${path}.gid`, linux.gid ?? 0)
      for (const [groupIndex, id] of (linux.supplementalGroups ?? []).entries()) {
        checkId(faults, `${path}.supplementalGroups[${groupIndex}]`, id)
      }
    }
  }
}

/** The health of devices that were given to containers. */
function checkAllocated(faults: FieldErrors, { spec, status }: Pod) {
  for (const kind of KINDS) {
    const containers = kind === 'containerStatuses' ? spec.containers : spec.initContainers
    for (const [index, { name, allocatedResourcesStatus }] of (status?.[kind] ?? []).entries()) {
      const path = `status.${kind}[${index}].allocatedResourcesStatus`
      if ((allocatedResourcesStatus ?? []).length === 0) continue
      if (kind === 'ephemeralContainerStatuses') {
        faults.forbidden(path, 'must not be specified in container status')
        continue
      }
      const container = containers?.find((each) => each.name === name)
      for (const [allocatedIndex, allocated] of allocatedResourcesStatus!.entries()) {
        checkAllocatedName(faults, `${path}[${allocatedIndex}].name`, allocated.name, container)
        checkHealth(faults, `${path}[${allocatedIndex}].resources`, allocated.resources ?? [])
      }
    }
  }
}

function checkAllocatedName(
  faults: FieldErrors,
  at: string,
  name: string,
  container: Container | undefined,
) {
  if (container === undefined) return
  if (!name.startsWith('claim:')) {
    if (own(container.resources?.requests, name) !== undefined) return
    return faults.invalid(at, name, "must match one of the container's resource requests")
  }
  const isKnown = (container.resources?.claims ?? []).some(
    (claim) => `claim:${claim.name}${claim.request ? `/${claim.request}` : ''}` === name,
  )
  if (isKnown) return
  const format = "'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty"
  const detail = `must match one of the container's resource claims in a format ${format}`
  faults.invalid(at, name, detail)
}

type Health = { resourceID: string; health?: string }

function checkHealth(faults: FieldErrors, at: string, resources: readonly Health[]) {
  const seen = new Set<string>()
  for (const [index, { resourceID, health }] of resources.entries()) {
    const known = ['Healthy', 'Unhealthy', 'Unknown']
    checkSupported(faults, `${at}[${index}].health`, health, known)
    if (seen.has(resourceID)) faults.duplicate(`${at}[${index}].resourceID`, resourceID)
    seen.add(resourceID)
  }
}
