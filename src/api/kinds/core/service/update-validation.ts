// What may change in a Service: not its first address and family, unless it starts or ends being a
// name (ExternalName) or headless.

import type { Service } from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { checkQualifiedName } from '../../../validation/values.ts'
import { isHeadless, needsHealthCheck } from './traits.ts'

const CHANGED = 'may not change once set'

export function checkServiceUpdate(faults: FieldErrors, service: Service, old: Service) {
  const isNamed = [service, old].some(({ spec }) => spec.type === 'ExternalName')
  if (!isNamed) {
    checkAddressesKept(faults, service, old)
    checkFamiliesKept(faults, service, old)
  }
  const [own, before] = [service.spec.loadBalancerClass, old.spec.loadBalancerClass]
  const areBalanced = [service, old].every(({ spec }) => spec.type === 'LoadBalancer')
  if (areBalanced && own !== before) faults.invalid('spec.loadBalancerClass', own, CHANGED)
  if (service.spec.type === 'LoadBalancer' && own !== undefined) {
    checkQualifiedName(faults, 'spec.loadBalancerClass', own)
  } else if (own !== undefined) {
    faults.forbidden('spec.loadBalancerClass', "may only be used when `type` is 'LoadBalancer'")
  }
  const haveChecks = needsHealthCheck(service) && needsHealthCheck(old)
  if (haveChecks && service.spec.healthCheckNodePort !== old.spec.healthCheckNodePort) {
    faults.forbidden('spec.healthCheckNodePort', 'field is immutable')
  }
}

function checkAddressesKept(faults: FieldErrors, service: Service, old: Service) {
  if (isHeadless(service) && isHeadless(old)) return
  const [now, before] = [service.spec.clusterIPs ?? [], old.spec.clusterIPs ?? []]
  const shown = service.spec.clusterIPs ?? null
  const at = 'spec.clusterIPs'
  if (now.length === before.length) {
    for (const [index, address] of before.entries()) {
      if (address !== now[index]) faults.invalid(`${at}[${index}]`, shown, CHANGED)
    }
    return
  }
  const isReleased = now.length < before.length
  if (isReleased && now.length === 0) {
    faults.invalid(`${at}[0]`, shown, 'primary clusterIP can not be unset')
  }
  const isOther = before.length > 0 && now.length > 0 && now[0] !== before[0]
  if (isOther) faults.invalid(`${at}[0]`, shown, CHANGED)
  if (isReleased) checkPolicyOnRelease(faults, service, now, 'secondary clusterIP')
}

function checkFamiliesKept(faults: FieldErrors, service: Service, old: Service) {
  if (isHeadless(service) || isHeadless(old)) return
  const [now, before] = [service.spec.ipFamilies ?? [], old.spec.ipFamilies ?? []]
  const at = 'spec.ipFamilies[0]'
  if (now.length === before.length) {
    for (const [index, family] of before.entries()) {
      if (family !== now[index]) faults.invalid(at, now, CHANGED)
    }
    return
  }
  const isReleased = now.length < before.length
  if (isReleased && (service.spec.clusterIPs ?? []).length === 0) {
    faults.invalid(at, service.spec.ipFamilies ?? null, 'primary ipFamily can not be unset')
  }
  const isOther = now.length > 0 && before.length > 0 && now[0] !== before[0]
  if (isOther) faults.invalid(at, service.spec.clusterIPs ?? null, CHANGED)
  if (isReleased) checkPolicyOnRelease(faults, service, now, 'secondary ipFamily')
}

function checkPolicyOnRelease(
  faults: FieldErrors,
  { spec }: Service,
  left: readonly string[],
  what: string,
) {
  if (left.length !== 1 || spec.ipFamilyPolicy === 'SingleStack') return
  const detail = `must be set to 'SingleStack' when releasing the ${what}`
  faults.invalid('spec.ipFamilyPolicy', spec.ipFamilyPolicy, detail)
}
