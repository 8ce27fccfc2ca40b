// A range that Services get their addresses from.

import { defineResource } from '../../../resource.ts'
import type { ServiceCIDR } from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'
import { checkCidr, familyOf } from '../../../validation/addresses.ts'
import { type FieldErrors, ruleOf } from '../../../validation/field-errors.ts'

export const serviceCidrs = defineResource<ServiceCIDR>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'ServiceCIDR',
  plural: 'servicecidrs',
  singular: 'servicecidr',
  type: 'io.k8s.api.networking.v1.ServiceCIDR',
  scope: 'Cluster',
  generationOf: false,
  rules: [ruleOf(checkRange)],
  status: true,
  columns: [
    {
      name: 'CIDRs',
      type: 'string',
      priority: 0,
      description: 'The ranges, at most one for each address family.',
      cell: ({ spec }) => (spec?.cidrs ?? []).join(','),
    },
    ageColumn,
  ],
})

const IMMUTABLE = 'field is immutable'

function checkRange(faults: FieldErrors, { spec }: ServiceCIDR, old: ServiceCIDR | undefined) {
  const cidrs = spec?.cidrs ?? []
  if (old === undefined) return checkCidrs(faults, cidrs)
  const before = old.spec?.cidrs ?? []
  const at = 'spec.cidrs'
  const isSecond = before.length === 1 && cidrs.length === 2
  if (cidrs.length !== before.length && !isSecond) return faults.invalid(at, cidrs, IMMUTABLE)
  for (const [i, cidr] of before.entries()) {
    if (cidr !== cidrs[i]) faults.invalid(`${at}[${i}]`, cidrs[i], IMMUTABLE)
  }
  if (isSecond) checkCidrs(faults, cidrs)
}

function checkCidrs(faults: FieldErrors, cidrs: readonly string[]) {
  const at = 'spec.cidrs'
  if (cidrs.length === 0) return faults.required(at, 'at least one CIDR required')
  if (cidrs.length > 2) return faults.invalid(at, { CIDRs: cidrs }, 'may only hold up to 2 values')
  for (const [i, cidr] of cidrs.entries()) checkCidr(faults, `${at}[${i}]`, cidr)
  const [first, second] = cidrs.map((cidr) => familyOf(cidr.split('/')[0] ?? ''))
  if (cidrs.length < 2 || first !== second || first === undefined) return
  const form = 'i.e 192.168.0.0/24 and 2001:db8::/64'
  faults.invalid(at, cidrs, `may specify no more than one IP for each IP family, ${form}`)
}
