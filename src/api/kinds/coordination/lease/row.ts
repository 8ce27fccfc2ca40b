import { defineResource } from '../../../resource.ts'
import type { Lease } from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'
import { type FieldErrors, ruleOf } from '../../../validation/field-errors.ts'
import { checkNonNegative } from '../../../validation/values.ts'

export const leases = defineResource<Lease>({
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  type: 'io.k8s.api.coordination.v1.Lease',
  freeFinalizers: true,
  generationOf: false,
  unconditionalUpdate: false,
  createOnUpdate: true,
  volatile: true,
  prepareCreate: dropElectionFields,
  prepareUpdate: dropElectionFields,
  rules: [ruleOf(checkLease)],
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

function checkLease(faults: FieldErrors, { spec }: Lease) {
  const { leaseDurationSeconds, leaseTransitions } = spec ?? {}
  if (leaseDurationSeconds !== undefined && leaseDurationSeconds <= 0) {
    faults.invalid('spec.leaseDurationSeconds', leaseDurationSeconds, 'must be greater than 0')
  }
  checkNonNegative(faults, 'spec.leaseTransitions', leaseTransitions)
}
