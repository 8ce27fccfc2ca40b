// Nobody asks for a certificate of an administrator.
// (upstream plugin CertificateSubjectRestriction)

import { organizationsIn } from '../../../api/kinds/certificates/certificatesigningrequest/pkcs10.ts'
import type { CertificateSigningRequest } from '../../../api/schema/generated/types.ts'
import { type AdmissionPlugin, type Attributes, refused } from '../chain.ts'

const SIGNER = 'kubernetes.io/kube-apiserver-client'
const MASTERS = 'system:masters'

export const certificateSubject: AdmissionPlugin = {
  name: 'CertificateSubjectRestriction',
  handles: ['CREATE'],
  validate(attributes) {
    const { request, subresource } = attributes
    const { group, plural } = request.row
    if (group !== 'certificates.k8s.io' || plural !== 'certificatesigningrequests') return
    if (subresource !== '') return
    const { spec } = attributes.object as unknown as CertificateSigningRequest
    if (spec.signerName !== SIGNER) return
    if (!organizationsOf(attributes, spec.request).includes(MASTERS)) return
    throw refused(attributes, `use of ${SIGNER} signer with ${MASTERS} group is not allowed`)
  },
}

function organizationsOf(attributes: Attributes, request: string): string[] {
  try {
    return organizationsIn(request)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw refused(attributes, `failed to parse CSR: ${why}`)
  }
}
