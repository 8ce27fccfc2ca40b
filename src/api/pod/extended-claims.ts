// The claim that stands for extended resources of a pod, in its status.

import { own } from '../../lib/own.ts'
import type { Pod } from '../schema/generated/types.ts'
import type { FieldErrors } from '../validation/field-errors.ts'
import { checkDnsLabel, checkDnsSubdomain } from '../validation/values.ts'

const OF_CONTAINERS = 'spec.initContainers.name or spec.containers.name'
const OF_REQUESTS = 'spec.initContainers.resources.requests or spec.containers.resources.requests'

export function checkExtendedClaim(faults: FieldErrors, { spec, status }: Pod) {
  const claim = status?.extendedResourceClaimStatus
  if (claim === undefined) return
  const at = 'status.extendedResourceClaimStatus'
  const containers = new Map(
    [...(spec.initContainers ?? []), ...(spec.containers ?? [])].map((each) => [each.name, each]),
  )
  const mappings = claim.requestMappings ?? []
  if (mappings.length === 0) {
    faults.required(`${at}.requestMappings`, 'at least one request mapping is required')
  }
  const seen = new Set<string>()
  for (const [index, mapping] of mappings.entries()) {
    const path = `${at}.requestMappings[${index}]`
    const { containerName = '', resourceName = '', requestName = '' } = mapping
    const container = containers.get(containerName)
    if (container === undefined) {
      const detail = `must match the name of an entry in ${OF_CONTAINERS}`
      faults.invalid(`${path}.containerName`, containerName, detail)
    } else if (own(container.resources?.requests, resourceName) === undefined) {
      const detail = `must match the extended resource name of an entry in ${OF_REQUESTS}`
      faults.invalid(`${path}.resourceName`, resourceName, detail)
    }
    checkDnsLabel(faults, `${at}.requestName`, requestName)
    const names = { containerName, resourceName, requestName }
    const key = JSON.stringify(names)
    if (seen.has(key)) {
      for (const [field, name] of Object.entries(names)) faults.duplicate(`${path}.${field}`, name)
    }
    seen.add(key)
  }
  if (!claim.resourceClaimName) faults.required(`${at}.resourceClaimName`)
  else checkDnsSubdomain(faults, `${at}.resourceClaimName`, claim.resourceClaimName)
}
