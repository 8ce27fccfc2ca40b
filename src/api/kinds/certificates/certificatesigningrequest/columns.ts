// What `kubectl get csr` shows.

import { humanDuration } from '../../../duration.ts'
import type { Column } from '../../../resource.ts'
import type { CertificateSigningRequest } from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'

export const csrColumns: readonly Column<CertificateSigningRequest>[] = [
  ageColumn,
  text('SignerName', 'Who is asked to sign.', ({ spec }) => spec.signerName || '<none>'),
  text('Requestor', 'Who asks.', ({ spec }) => spec.username ?? ''),
  text('RequestedDuration', 'How long it should be valid.', ({ spec }) => {
    const { expirationSeconds } = spec
    return expirationSeconds === undefined ? '<none>' : humanDuration(expirationSeconds * 1000)
  }),
  text('Condition', 'Pending, Approved or Denied; Failed; Issued.', conditionCell),
]

function text(
  name: string,
  description: string,
  cell: (request: CertificateSigningRequest) => string,
): Column<CertificateSigningRequest> {
  return { name, type: 'string', priority: 0, description, cell }
}

function conditionCell({ status }: CertificateSigningRequest): string {
  const types = new Set((status?.conditions ?? []).map((condition) => condition.type))
  const decision = types.has('Denied') ? 'Denied' : types.has('Approved') ? 'Approved' : 'Pending'
  return [
    decision,
    ...(types.has('Failed') ? ['Failed'] : []),
    ...(status?.certificate ? ['Issued'] : []),
  ].join(',')
}
