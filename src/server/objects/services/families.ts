// IP families of a Service on a cluster that has IPv4 only: what is filled in, and what is refused.
// Source: pkg/registry/core/service/storage/alloc.go, initIPFamilyFields. Pure.

import { checkClusterIps } from '../../../api/kinds/core/service/addresses.ts'
import { equalJson } from '../../../api/patch/value.ts'
import type { Service } from '../../../api/schema/generated/types.ts'
import { type FieldError, fieldError } from '../../../api/status.ts'
import { FieldErrors } from '../../../api/validation/field-errors.ts'

const POLICY = 'spec.ipFamilyPolicy'

/** Changes `service`; returns why it cannot be. */
export function fillFamilies(service: Service, old: Service | undefined): readonly FieldError[] {
  const { spec } = service
  if (spec.type === 'ExternalName') return []
  const isSelectorless = Object.keys(spec.selector ?? {}).length === 0
  const isUnmanaged = spec.clusterIP === 'None' && isSelectorless
  spec.ipFamilyPolicy ??=
    old?.spec.ipFamilyPolicy ?? (isUnmanaged ? 'RequireDualStack' : 'SingleStack')

  const faults = new FieldErrors()
  checkClusterIps(faults, service, old)
  if (faults.list.length > 0) return faults.list
  const errors = [...(old ? releaseErrors(service, old) : []), ...policyErrors(service)]
  if (errors.length > 0) return errors

  const families = spec.ipFamilies ?? []
  if (isUnmanaged) {
    // Nothing of ours backs it, so it may be of families that the cluster does not have.
    const first = families[0] ?? 'IPv4'
    const second = families[1] ?? (first === 'IPv4' ? 'IPv6' : 'IPv4')
    spec.ipFamilies = spec.ipFamilyPolicy === 'SingleStack' ? [first] : [first, second]
    return []
  }
  if (spec.ipFamilyPolicy === 'RequireDualStack') {
    const detail = 'this cluster is not configured for dual-stack services'
    errors.push(fieldError.invalid(POLICY, spec.ipFamilyPolicy, detail))
  }
  families.forEach((family, i) => {
    if (family === 'IPv4') return
    const detail = 'not configured on this cluster'
    errors.push(fieldError.invalid(`spec.ipFamilies[${i}]`, family, detail))
  })
  if (errors.length === 0 && families.length === 0) spec.ipFamilies = ['IPv4']
  return errors
}

/** The second of a pair goes when nothing but the policy changed, and only then. */
function releaseErrors({ spec }: Service, { spec: before }: Service): FieldError[] {
  const errors: FieldError[] = []
  for (const field of ['clusterIPs', 'ipFamilies'] as const) {
    const [now, old] = [spec[field] ?? [], before[field] ?? []]
    if (spec.ipFamilyPolicy === 'SingleStack') {
      if (now.length > 1 && equalJson(now, old)) spec[field] = [now[0]!]
    } else if (now.length > 0 && now.length < old.length) {
      const what = field === 'clusterIPs' ? 'cluster IP' : 'IP family'
      const detail = `must be 'SingleStack' to release the secondary ${what}`
      errors.push(fieldError.invalid(POLICY, spec.ipFamilyPolicy, detail))
    }
  }
  return errors
}

function policyErrors({ spec }: Service): FieldError[] {
  const errors: FieldError[] = []
  const addresses = spec.clusterIPs ?? []
  const families = spec.ipFamilies ?? []
  const must = "must be 'RequireDualStack' or 'PreferDualStack' when multiple"
  if (spec.ipFamilyPolicy === 'SingleStack') {
    if (addresses.length === 2) {
      const detail = `${must} cluster IPs are specified`
      errors.push(fieldError.invalid(POLICY, spec.ipFamilyPolicy, detail))
    }
    if (families.length === 2) {
      const detail = `${must} IP families are specified`
      errors.push(fieldError.invalid(POLICY, spec.ipFamilyPolicy, detail))
    }
  }
  addresses.forEach((address, i) => {
    if (address === 'None' || i < families.length || !address.includes(':')) return
    const detail = 'IPv6 is not configured on this cluster'
    errors.push(fieldError.invalid(`spec.clusterIPs[${i}]`, addresses, detail))
  })
  return errors
}
