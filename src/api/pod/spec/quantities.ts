// Requests and limits.

import { own } from '../../../lib/own.ts'
import { qualifiedNameFaults } from '../../names.ts'
import { compareQuantity, parseQuantity, scaledValue, ZERO } from '../../quantity.ts'
import type { ResourceRequirements } from '../../schema/generated/types.ts'
import type { FieldErrors } from '../../validation/field-errors.ts'
import { NOT_NEGATIVE } from '../../validation/values.ts'
import { containerTotals } from '../resources.ts'
import type { Check } from './check.ts'
import { checkClaimNames } from './resource-claims.ts'

const STANDARD = new Set([
  ...['cpu', 'memory', 'ephemeral-storage', 'requests.cpu', 'requests.memory'],
  ...['requests.ephemeral-storage', 'limits.cpu', 'limits.memory', 'limits.ephemeral-storage'],
  ...['pods', 'resourcequotas', 'services', 'replicationcontrollers', 'secrets', 'configmaps'],
  ...['persistentvolumeclaims', 'storage', 'requests.storage', 'services.nodeports'],
  ...['services.loadbalancers'],
])
const OF_CONTAINERS = ['cpu', 'memory', 'ephemeral-storage']
const COUNTED = new Set([
  ...['pods', 'resourcequotas', 'services', 'replicationcontrollers', 'secrets', 'configmaps'],
  ...['persistentvolumeclaims', 'services.nodeports', 'services.loadbalancers'],
])

type NameCheck = (faults: FieldErrors, at: string, name: string) => void

/** Requests and limits of a container, or an overhead as limits. */
export function checkRequirements(
  faults: FieldErrors,
  at: string,
  requirements: ResourceRequirements,
  claims: readonly string[] = [],
  checkName: NameCheck = checkContainerResourceName,
) {
  const { limits = {}, requests = {} } = requirements
  for (const [name, text] of Object.entries(limits)) {
    const path = `${at}.limits[${name}]`
    checkName(faults, path, name)
    checkAmount(faults, path, name, text)
    checkHugePages(faults, path, name, text)
  }
  for (const [name, text] of Object.entries(requests)) {
    const path = `${at}.requests[${name}]`
    checkName(faults, path, name)
    checkAmount(faults, path, name, text)
    checkAgainstLimit(faults, at, { name, text, limit: own(limits, name) })
    checkHugePages(faults, path, name, text)
  }
  const names = [...Object.keys(limits), ...Object.keys(requests)]
  const hasCompute = names.some((name) => name === 'cpu' || name === 'memory')
  if (!hasCompute && names.some(isHugePages)) {
    faults.forbidden(at, 'HugePages require cpu or memory')
  }
  checkClaimNames(faults, `${at}.claims`, requirements.claims ?? [], claims)
}

/** A quantity of the named resource; also for nodes and quotas. */
export function checkAmount(faults: FieldErrors, at: string, name: string, text: string) {
  const quantity = parseQuantity(text)
  if (compareQuantity(quantity, ZERO) < 0) faults.invalid(at, text, NOT_NEGATIVE)
  const isCounted = COUNTED.has(name) || isExtendedResource(name)
  if (isCounted && scaledValue(quantity, -3) % 1000n !== 0n) {
    faults.invalid(at, text, 'must be an integer')
  }
}

/** Resources of the whole pod, against those of its containers. */
export function checkPodResources({ faults, spec }: Check, at: string) {
  const { resources } = spec
  if (resources === undefined) return
  if (spec.os?.name === 'windows') return faults.forbidden(at, 'may not be set for a windows pod')
  if (resources.claims !== undefined) {
    faults.forbidden(`${at}.claims`, 'claims may not be set for Resources at pod-level')
  }
  const claims = (spec.resourceClaims ?? []).map(({ name }) => name).filter((name) => !!name)
  checkRequirements(faults, at, resources, claims, checkPodResourceName)
  for (const [name, text] of Object.entries(containerTotals(spec, 'requests'))) {
    const whole = own(resources.requests, name)
    if (whole === undefined || !isMore(text, whole)) continue
    const detail = `must be greater than or equal to aggregate container requests of ${text}`
    faults.invalid(`${at}.requests[${name}]`, whole, detail)
  }
  for (const [name, text] of Object.entries(containerTotals(spec, 'limits'))) {
    const whole = own(resources.limits, name)
    if (whole === undefined || !isHugePages(name) || !isMore(text, whole)) continue
    const detail = `must be greater than or equal to aggregate container limits of ${text}`
    faults.invalid(`${at}.limits[${name}]`, whole, detail)
  }
  for (const [index, container] of (spec.containers ?? []).entries()) {
    for (const [name, text] of Object.entries(container.resources?.limits ?? {})) {
      const whole = own(resources.limits, name)
      if (whole === undefined || !isMore(text, whole)) continue
      const path = `${at}.containers[${index}][${name}].limits`
      faults.invalid(path, text, `must be less than or equal to pod limits of ${whole}`)
    }
  }
}

function isMore(a: string, b: string): boolean {
  return compareQuantity(parseQuantity(a), parseQuantity(b)) > 0
}

type Requested = { name: string; text: string; limit: string | undefined }

function checkAgainstLimit(faults: FieldErrors, at: string, { name, text, limit }: Requested) {
  if (limit === undefined) {
    if (mayOvercommit(name)) return
    return faults.required(`${at}.limits`, 'Limit must be set for non overcommitable resources')
  }
  const order = compareQuantity(parseQuantity(text), parseQuantity(limit))
  if (order !== 0 && !mayOvercommit(name)) {
    faults.invalid(`${at}.requests`, text, `must be equal to ${name} limit of ${limit}`)
  } else if (order > 0) {
    const detail = `must be less than or equal to ${name} limit of ${limit}`
    faults.invalid(`${at}.requests`, text, detail)
  }
}

function checkHugePages(faults: FieldErrors, at: string, name: string, text: string) {
  if (!isHugePages(name) || isWholePages(name, text)) return
  faults.invalid(at, text, `${text} is not positive integer multiple of ${name}`)
}

function isWholePages(name: string, text: string): boolean {
  try {
    const size = parseQuantity(name.slice('hugepages-'.length))
    const bytes = scaledValue(size, 0)
    if (bytes <= 0n || scaledValue(size, -3) % 1000n !== 0n) return false
    return scaledValue(parseQuantity(text), 0) % bytes === 0n
  } catch {
    // The size of the pages is no quantity, so no amount is a multiple of it.
    return false
  }
}

/** A name that some resource may have. False when it may not. */
export function checkResourceName(faults: FieldErrors, at: string, name: string): boolean {
  const details = qualifiedNameFaults(name)
  faults.invalidAll(at, name, details)
  if (details.length > 0) return false
  if (name.includes('/') || STANDARD.has(name) || isQuotaHugePages(name)) return true
  faults.invalid(at, name, 'must be a standard resource type or fully qualified')
  return false
}

/** A resource that a container may ask for. */
export function checkContainerResourceName(faults: FieldErrors, at: string, name: string) {
  checkResourceName(faults, at, name)
  if (!name.includes('/')) {
    if (OF_CONTAINERS.includes(name) || isHugePages(name)) return
    faults.invalid(at, name, 'must be a standard resource for containers')
  } else if (!isNative(name) && !isExtendedResource(name)) {
    faults.invalid(at, name, "doesn't follow extended resource name standard")
  }
}

function checkPodResourceName(faults: FieldErrors, at: string, name: string) {
  if (!checkResourceName(faults, at, name)) return
  if (name === 'cpu' || name === 'memory' || isHugePages(name)) return
  faults.notSupported(at, name, ['cpu', 'hugepages-', 'memory'])
}

/** Whether its limit may be more than its request. */
export function mayOvercommit(name: string): boolean {
  return isNative(name) && !isHugePages(name)
}

function isNative(name: string): boolean {
  return !name.includes('/') || name.includes('kubernetes.io/')
}

/** A resource that nodes have beyond those that everybody knows: example.com/gpu. */
export function isExtendedResource(name: string): boolean {
  if (isNative(name) || name.startsWith('requests.')) return false
  return qualifiedNameFaults(`requests.${name}`).length === 0
}

function isHugePages(name: string): boolean {
  return name.startsWith('hugepages-')
}

/** One of those that quotas count, of the names without a domain. */
export function isQuotaResource(name: string): boolean {
  return (STANDARD.has(name) && name !== 'storage') || isQuotaHugePages(name)
}

function isQuotaHugePages(name: string): boolean {
  return isHugePages(name) || name.startsWith('requests.hugepages-')
}
