// The addresses of a Service inside the cluster, as far as they can be judged without giving any
// out.

import type { Service } from '../../../schema/generated/types.ts'
import { checkIp, familyOf } from '../../../validation/addresses.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { checkSupported } from '../../../validation/values.ts'

const POLICIES = ['PreferDualStack', 'RequireDualStack', 'SingleStack']

export function checkClusterIps(faults: FieldErrors, { spec }: Service, old: Service | undefined) {
  if (spec.type === 'ExternalName') return
  const addresses = spec.clusterIPs ?? []
  const at = 'spec.clusterIPs'
  if (spec.clusterIP) {
    if (addresses.length === 0) faults.required(at)
    else if (addresses[0] !== spec.clusterIP) {
      faults.invalid(at, addresses, 'first value must match `clusterIP`')
    }
  } else if (addresses.length > 0) {
    faults.invalid(at, addresses, 'must be empty when `clusterIP` is not specified')
  }
  checkFamilies(faults, spec.ipFamilies ?? [])
  if (spec.ipFamilyPolicy !== undefined) {
    checkSupported(faults, 'spec.ipFamilyPolicy', spec.ipFamilyPolicy, POLICIES)
  }
  if (!areReadable(faults, addresses, old?.spec.clusterIPs ?? [])) return
  const families = addresses.map(familyOf)
  const isPair = addresses.length === 2 && families[0] !== families[1]
  if (addresses.length > 1 && !isPair) {
    faults.invalid(at, addresses, 'may specify no more than one IP for each IP family')
  }
  if (addresses[0] === 'None') return
  for (const [index, family] of (spec.ipFamilies ?? []).entries()) {
    const address = addresses[index]
    if (address === undefined) break
    const isSix = families[index] === 6
    const isWrong = (family === 'IPv4' && isSix) || (family === 'IPv6' && !isSix)
    if (!isWrong) continue
    const detail = `expected an ${family} value as indicated by \`ipFamilies[${index}]\``
    faults.invalid(`${at}[${index}]`, address, detail)
  }
}

function checkFamilies(faults: FieldErrors, families: readonly string[]) {
  for (const [index, family] of families.entries()) {
    checkSupported(faults, `spec.ipFamilies[${index}]`, family, ['IPv4', 'IPv6'])
    if (families.indexOf(family) < index) faults.duplicate(`spec.ipFamilies[${index}]`, family)
  }
}

function areReadable(
  faults: FieldErrors,
  addresses: readonly string[],
  old: readonly string[],
): boolean {
  const at = 'spec.clusterIPs'
  let areGood = true
  for (const [index, address] of addresses.entries()) {
    if (index === 0 && address === 'None') {
      if (addresses.length === 1) continue
      areGood = false
      faults.invalid(at, addresses, "'None' must be the first and only value")
    } else if (!checkIp(faults, `${at}[${index}]`, address, old)) areGood = false
  }
  if (addresses.length > 2) faults.invalid(at, addresses, 'may only hold up to 2 values')
  return areGood
}
