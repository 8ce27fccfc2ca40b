import type { EndpointSlice } from '../generated/types.ts'
import { defineResource } from '../resource.ts'
import { ageColumn, firstOf } from './cells.ts'

export const endpointSlices = defineResource<EndpointSlice>({
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  type: 'io.k8s.api.discovery.v1.EndpointSlice',
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
