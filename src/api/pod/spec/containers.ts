// Containers of all kinds: regular, init (with sidecars) and ephemeral.

import { portNameFaults } from '../../names.ts'
import type { Container, ContainerPort, EphemeralContainer } from '../../schema/generated/types.ts'
import type { FieldErrors } from '../../validation/field-errors.ts'
import { checkDnsLabel, checkOneOf, checkPort, checkSupported } from '../../validation/values.ts'
import { isSidecar } from '../containers.ts'
import type { Check } from './check.ts'
import { checkEnv } from './env.ts'
import { checkLifecycle, checkProbes } from './handlers.ts'
import { checkVolumeDevices, checkVolumeMounts } from './mounts.ts'
import { checkRequirements } from './quantities.ts'
import { checkContainerSecurity } from './security.ts'

export function checkContainers(check: Check, at: string) {
  const { faults, spec } = check
  const containers = spec.containers ?? []
  if (containers.length === 0) return faults.required(at)
  const names = new Set<string>()
  for (const [index, container] of containers.entries()) {
    const path = `${at}[${index}]`
    checkCommon(check, path, container)
    checkUniqueName(faults, path, container, names)
    if (container.lifecycle) checkLifecycle(check, `${path}.lifecycle`, container.lifecycle)
    checkProbes(check, path, container)
    checkRestartRules(faults, path, container)
  }
  checkUniqueHostPorts(faults, at, containers)
}

export function checkInitContainers(check: Check, at: string) {
  const { faults, spec } = check
  const names = new Set((spec.containers ?? []).map((container) => container.name))
  for (const [index, container] of (spec.initContainers ?? []).entries()) {
    const path = `${at}[${index}]`
    checkCommon(check, path, container)
    // Upstream reads no rules of an init container that says nothing of restarts.
    if (container.restartPolicy !== undefined) checkRestartRules(faults, path, container)
    else if (container.restartPolicyRules) faults.required(`${path}.restartPolicy`, RULES_NEED)
    if (names.has(container.name ?? '')) faults.duplicate(`${path}.name`, container.name ?? '')
    else if (container.name) names.add(container.name)
    // They run one after the other, so each may use the ports of the others.
    checkUniqueHostPorts(faults, at, [container])
    if (isSidecar(container)) {
      if (container.lifecycle) checkLifecycle(check, `${path}.lifecycle`, container.lifecycle)
      checkProbes(check, path, container)
      continue
    }
    for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
      if (container[field] === undefined) continue
      const detail = 'may not be set for init containers without restartPolicy=Always'
      faults.forbidden(`${path}.${field}`, detail)
    }
    for (const [policyIndex, policy] of (container.resizePolicy ?? []).entries()) {
      if (policy.restartPolicy !== 'RestartContainer') continue
      const detail = "must not be set to 'RestartContainer' for non-sidecar initContainers"
      faults.invalid(
        `${path}.resizePolicy[${policyIndex}].restartPolicy`,
        'RestartContainer',
        detail,
      )
    }
  }
}

// What an ephemeral container may not say, in the order of its fields.
const NOT_EPHEMERAL = [
  ...(['ports', 'resources', 'resizePolicy', 'restartPolicy', 'restartPolicyRules'] as const),
  ...(['livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle'] as const),
]
const FOR_EPHEMERAL = 'cannot be set for an Ephemeral Container'

export function checkEphemeralContainers(check: Check, at: string) {
  const { faults, spec } = check
  const others = [...(spec.containers ?? []), ...(spec.initContainers ?? [])]
  const otherNames = new Set(others.map((container) => container.name ?? ''))
  const names = new Set(otherNames)
  for (const [index, container] of (spec.ephemeralContainers ?? []).entries()) {
    const path = `${at}[${index}]`
    const target = container.targetContainerName
    checkCommon(check, path, container)
    checkImageSpaces(faults, path, container)
    checkUniqueName(faults, path, container, names)
    if (target && !otherNames.has(target)) faults.notFound(`${path}.targetContainerName`, target)
    for (const field of NOT_EPHEMERAL) {
      if (isSaid(field, container[field])) faults.forbidden(`${path}.${field}`, FOR_EPHEMERAL)
    }
    for (const [mountIndex, mount] of (container.volumeMounts ?? []).entries()) {
      for (const field of ['subPath', 'subPathExpr'] as const) {
        if (!mount[field]) continue
        faults.forbidden(`${path}.volumeMounts[${mountIndex}].${field}`, FOR_EPHEMERAL)
      }
    }
  }
}

/** Pods may not have spaces around the image; templates may, for the sake of old ones. */
export function checkImageSpaces(faults: FieldErrors, at: string, container: Container) {
  const image = container.image ?? ''
  if (image.trim().length === image.length) return
  faults.invalid(`${at}.image`, image, 'must not have leading or trailing whitespace')
}

function checkCommon(check: Check, at: string, container: Container | EphemeralContainer) {
  const { faults, spec } = check
  if (!container.name) faults.required(`${at}.name`)
  else checkDnsLabel(faults, `${at}.name`, container.name)
  if (!container.image) faults.required(`${at}.image`)
  checkOneOf(faults, `${at}.terminationMessagePolicy`, container.terminationMessagePolicy, [
    ...['File', 'FallbackToLogsOnError'],
  ])
  checkPorts(faults, `${at}.ports`, container.ports ?? [])
  checkEnv(faults, at, container)
  checkVolumeMounts(check, `${at}.volumeMounts`, container)
  checkVolumeDevices(check, `${at}.volumeDevices`, container)
  checkPullPolicy(faults, `${at}.imagePullPolicy`, container.imagePullPolicy)
  const claims = (spec.resourceClaims ?? []).map(({ name }) => name).filter((name) => !!name)
  checkRequirements(faults, `${at}.resources`, container.resources ?? {}, claims)
  checkResizePolicy(check, `${at}.resizePolicy`, container)
  checkContainerSecurity(check, `${at}.securityContext`, container.securityContext)
}

export function checkPullPolicy(faults: FieldErrors, at: string, policy: string | undefined) {
  checkOneOf(faults, at, policy, ['Always', 'IfNotPresent', 'Never'])
}

function checkUniqueName(
  faults: FieldErrors,
  at: string,
  { name = '' }: Partial<Container>,
  names: Set<string>,
) {
  if (names.has(name)) faults.duplicate(`${at}.name`, name)
  else names.add(name)
}

function checkPorts(faults: FieldErrors, at: string, ports: readonly ContainerPort[]) {
  const names = new Set<string>()
  for (const [index, { name, containerPort, hostPort, protocol }] of ports.entries()) {
    const path = `${at}[${index}]`
    if (name) {
      const details = portNameFaults(name)
      faults.invalidAll(`${path}.name`, name, details)
      if (details.length === 0 && names.has(name)) faults.duplicate(`${path}.name`, name)
      else names.add(name)
    }
    if (!containerPort) faults.required(`${path}.containerPort`)
    else checkPort(faults, `${path}.containerPort`, containerPort)
    if (hostPort) checkPort(faults, `${path}.hostPort`, hostPort)
    checkOneOf(faults, `${path}.protocol`, protocol, ['SCTP', 'TCP', 'UDP'])
  }
}

function checkUniqueHostPorts(faults: FieldErrors, at: string, containers: readonly Container[]) {
  const used = new Set<string>()
  for (const [index, container] of containers.entries()) {
    for (const [portIndex, port] of (container.ports ?? []).entries()) {
      if (!port.hostPort) continue
      const key = `${port.protocol ?? ''}/${port.hostIP ?? ''}/${port.hostPort}`
      if (used.has(key)) faults.duplicate(`${at}[${index}].ports[${portIndex}].hostPort`, key)
      used.add(key)
    }
  }
}

function checkResizePolicy({ faults, spec }: Check, at: string, container: Container) {
  const seen = new Set<string>()
  for (const [index, policy] of (container.resizePolicy ?? []).entries()) {
    const { resourceName, restartPolicy } = policy
    if (seen.has(resourceName)) faults.duplicate(`${at}[${index}]`, resourceName)
    seen.add(resourceName)
    checkOneOf(faults, at, resourceName, ['cpu', 'memory'])
    checkOneOf(faults, at, restartPolicy, ['NotRequired', 'RestartContainer'])
    if (spec.restartPolicy === 'Never' && restartPolicy !== 'NotRequired') {
      const detail = "must be 'NotRequired' when pod `restartPolicy` is 'Never'"
      faults.invalid(at, restartPolicy ?? '', detail)
    }
  }
}

const RULES_MAX = 20
const EXIT_CODES_MAX = 255

const RULES_NEED = 'must specify restartPolicy when restart rules are used'

function checkRestartRules(faults: FieldErrors, at: string, container: Container) {
  const { restartPolicy, restartPolicyRules: rules = [] } = container
  if (restartPolicy === undefined) {
    if (rules.length === 0) return
    faults.required(`${at}.restartPolicy`, RULES_NEED)
  } else {
    const known = ['Always', 'Never', 'OnFailure']
    checkSupported(faults, `${at}.restartPolicy`, restartPolicy, known)
  }
  if (rules.length > RULES_MAX) {
    faults.tooMany(`${at}.restartPolicyRules`, rules.length, RULES_MAX)
  }
  for (const [index, { action, exitCodes }] of rules.entries()) {
    const path = `${at}.restartPolicyRules[${index}]`
    checkSupported(faults, `${path}.action`, action, ['Restart', 'RestartAllContainers'])
    if (exitCodes === undefined) {
      faults.required(`${path}.exitCodes`, 'must be specified')
      continue
    }
    checkSupported(faults, `${path}.exitCodes.operator`, exitCodes.operator, ['In', 'NotIn'])
    const count = (exitCodes.values ?? []).length
    if (count > EXIT_CODES_MAX) faults.tooMany(`${path}.exitCodes.values`, count, EXIT_CODES_MAX)
  }
}

/** `resources: {}` is written even when nobody said it. */
function isSaid(field: string, value: object | string | undefined): boolean {
  return value !== undefined && (field !== 'resources' || Object.keys(value).length > 0)
}
