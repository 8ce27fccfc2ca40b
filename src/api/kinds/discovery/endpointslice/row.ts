import { defineResource } from '../../../resource.ts'
import type { EndpointSlice } from '../../../schema/generated/types.ts'
import { ageColumn, firstOf } from '../../../table/cells.ts'
import { ipWarnings } from '../../../validation/addresses.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { checkEndpointSlice } from './validation.ts'

export const endpointSlices = defineResource<EndpointSlice>({
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  type: 'io.k8s.api.discovery.v1.EndpointSlice',
  metadataJudges: ['whole'],
  generationOf: ({ metadata, kind: _kind, apiVersion: _version, ...rest }) => ({
    ...rest,
    labels: metadata.labels,
  }),
  defaults: (slice) => {
    for (const port of slice.ports ?? []) {
      port.name ??= ''
      port.protocol ??= 'TCP'
    }
  },
  prepareCreate: dropTopology,
  prepareUpdate: dropTopology,
  rules: [ruleOf(checkEndpointSlice)],
  warnings: (slice, old) => [
    ...(old === undefined && slice.addressType === 'FQDN'
      ? ['spec.addressType: FQDN endpoints are deprecated']
      : []),
    ...addressWarnings(slice),
  ],
  columns: [
    {
      name: 'AddressType',
      type: 'string',
      priority: 0,
      description: 'IPv4, IPv6 or FQDN.',
      cell: (slice) => slice.addressType ?? '',
    },
    {
      name: 'Ports',
      type: 'string',
      priority: 0,
      description: 'Ports that every endpoint has.',
      cell: ({ ports }) =>
        firstOf((ports ?? []).map(({ port, name }) => `${port ?? name ?? '*'}`)) || '<unset>',
    },
    {
      name: 'Endpoints',
      type: 'string',
      priority: 0,
      description: 'Addresses.',
      cell: (slice) =>
        firstOf((slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses ?? [])) ||
        '<unset>',
    },
    ageColumn,
  ],
})

/** The field of an older version; nobody may set it through this one. */
function dropTopology(slice: EndpointSlice) {
  for (const endpoint of slice.endpoints ?? []) delete endpoint.deprecatedTopology
}

const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by'
const CONTROLLERS = ['endpointslice-controller.k8s.io', 'endpointslicemirroring-controller.k8s.io']

/** Of what people write; controllers write addresses as they should be. */
function addressWarnings({ metadata, endpoints }: EndpointSlice): string[] {
  if (CONTROLLERS.includes(metadata.labels?.[MANAGED_BY] ?? '')) return []
  return (endpoints ?? []).flatMap(({ addresses }, index) =>
    (addresses ?? []).flatMap((address, addressIndex) =>
      ipWarnings(`endpoints[${index}].addresses[${addressIndex}]`, address),
    ),
  )
}
