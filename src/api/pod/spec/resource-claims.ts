// Claims on devices, of pods and of their containers.

import { isDnsSubdomainName } from '../../names.ts'
import type { PodResourceClaim, ResourceClaim } from '../../schema/generated/types.ts'
import type { FieldErrors } from '../../validation/field-errors.ts'
import { checkDnsLabel } from '../../validation/values.ts'
import { internalForm } from '../internal-form.ts'
import type { Check } from './check.ts'

const MIRROR = 'kubernetes.io/config.mirror'

export function checkResourceClaims({ faults, spec, meta }: Check, at: string) {
  const names = new Set<string>()
  for (const [index, claim] of (spec.resourceClaims ?? []).entries()) {
    if (meta?.annotations?.[MIRROR] !== undefined) {
      faults.forbidden('', 'static pods do not support resource claims')
      continue
    }
    checkClaim(faults, `${at}[${index}]`, claim, names)
  }
}

function checkClaim(faults: FieldErrors, at: string, claim: PodResourceClaim, names: Set<string>) {
  const { name, resourceClaimName, resourceClaimTemplateName } = claim
  if (!name) faults.required(`${at}.name`)
  else if (names.has(name)) faults.duplicate(`${at}.name`, name)
  else {
    checkDnsLabel(faults, `${at}.name`, name)
    names.add(name)
  }
  const shown = internalForm('PodResourceClaim', claim)
  if (resourceClaimName !== undefined && resourceClaimTemplateName !== undefined) {
    const detail =
      'at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified'
    faults.invalid(at, shown, detail)
  }
  if (resourceClaimName === undefined && resourceClaimTemplateName === undefined) {
    const detail = 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`'
    faults.invalid(at, shown, detail)
  }
  for (const field of ['resourceClaimName', 'resourceClaimTemplateName'] as const) {
    const value = claim[field]
    if (value === undefined) continue
    faults.invalidAll(`${at}.${field}`, value, isDnsSubdomainName(value, false))
  }
}

/** Claims that a container uses; `known` are those of its pod. */
export function checkClaimNames(
  faults: FieldErrors,
  at: string,
  claims: readonly ResourceClaim[],
  known: readonly string[],
) {
  const used = new Set<string>()
  for (const [index, { name, request }] of claims.entries()) {
    const path = `${at}[${index}]`
    if (!name) {
      faults.required(path)
      continue
    }
    if (used.has(name)) faults.duplicate(path, name)
    else {
      if (request) checkDnsLabel(faults, `${path}.request`, request)
      const key = request ? `${name}/${request}` : name
      if (used.has(key)) faults.duplicate(path, key)
      else if (!request) {
        for (const other of used) if (other.startsWith(`${name}/`)) faults.duplicate(path, name)
      }
      used.add(key)
    }
    if (known.includes(name)) continue
    const list = known.length === 0 ? ' which is empty' : `: ${known.toSorted().join(', ')}`
    faults.notFound(path, name, `must be one of the names in pod.spec.resourceClaims${list}`)
  }
}
