import type { Lease } from '../generated/types.ts'
import { defineResource } from '../resource.ts'
import { ageColumn } from './cells.ts'

export const leases = defineResource<Lease>({
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  type: 'io.k8s.api.coordination.v1.Lease',
  generationOf: false,
  unconditionalUpdate: false,
  createOnUpdate: true,
  volatile: true,
  prepareCreate: dropElectionFields,
  prepareUpdate: dropElectionFields,
  columns: [
    {
      name: 'Holder',
      type: 'string',
      priority: 0,
      description: 'Who holds it.',
      cell: (lease) => lease.spec?.holderIdentity ?? '',
    },
    ageColumn,
  ],
})

/** Coordinated leader election is off, as it is upstream by default. */
function dropElectionFields(lease: Lease) {
  delete lease.spec?.strategy
  delete lease.spec?.preferredHolder
}
