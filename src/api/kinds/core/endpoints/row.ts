import { defineResource } from '../../../resource.ts'
import type { Endpoints } from '../../../schema/generated/types.ts'
import { ageColumn, firstOf } from '../../../table/cells.ts'
import { ipWarnings } from '../../../validation/addresses.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { checkEndpoints } from './validation.ts'

export const endpoints = defineResource<Endpoints>({
  group: '',
  version: 'v1',
  kind: 'Endpoints',
  plural: 'endpoints',
  storagePrefix: 'services/endpoints',
  type: 'io.k8s.api.core.v1.Endpoints',
  metadataJudges: ['change', 'whole'],
  shortNames: ['ep'],
  createOnUpdate: true,
  deprecation: 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
  defaults: (object) => {
    for (const port of (object.subsets ?? []).flatMap((subset) => subset.ports ?? [])) {
      port.protocol ||= 'TCP'
    }
  },
  rules: [ruleOf(checkEndpoints)],
  warnings: addressWarnings,
  columns: [
    {
      name: 'Endpoints',
      type: 'string',
      priority: 0,
      description: 'Addresses with their ports.',
      cell: endpointsCell,
    },
    ageColumn,
  ],
})

function endpointsCell({ subsets }: Endpoints): string {
  if (subsets === undefined || subsets.length === 0) return '<none>'
  const texts = subsets.flatMap(({ addresses, ports }) => {
    const ips = (addresses ?? []).map((address) => address.ip)
    if (ports === undefined || ports.length === 0) return ips
    return ports.flatMap(({ port }) => ips.map((ip) => hostPort(ip, port)))
  })
  return firstOf(texts)
}

function hostPort(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`
}

const MANAGED_BY = 'endpoints.kubernetes.io/managed-by'

/** Of what people write; the controller writes addresses as they should be. */
function addressWarnings({ metadata, subsets }: Endpoints): string[] {
  if (metadata.labels?.[MANAGED_BY] === 'endpoint-controller') return []
  return (subsets ?? []).flatMap((subset, index) =>
    (['addresses', 'notReadyAddresses'] as const).flatMap((kind) =>
      (subset[kind] ?? []).flatMap(({ ip }, addressIndex) =>
        ipWarnings(`subsets[${index}].${kind}[${addressIndex}].ip`, ip ?? ''),
      ),
    ),
  )
}
