// Approves the certificates that kubelets ask for, when whoever asks may have one (RBAC decides).
// All other requests wait for a person.

import { subjectAccessReviews } from '../../api/kinds/authorization/reviews.ts'
import { certificateSigningRequests } from '../../api/kinds/certificates/certificatesigningrequest/row.ts'
import type {
  CertificateSigningRequest,
  SubjectAccessReview,
} from '../../api/schema/generated/types.ts'
import { defineController, type Kit } from '../../kit/controller.ts'
import { readCsr } from '../../pki/csr.ts'
import { refusalOf, SIGNER } from '../../pki/signer.ts'
import { isDecided, requestPem, wishOf } from './csr.ts'

/** A sub-resource that stands for the right to get such a certificate. */
export type Right = { subresource: 'selfnodeclient' | 'nodeclient'; message: string }

const SELF: Right = {
  subresource: 'selfnodeclient',
  message: 'Auto approving self kubelet client certificate after SubjectAccessReview.',
}
const OTHER: Right = {
  subresource: 'nodeclient',
  message: 'Auto approving kubelet client certificate after SubjectAccessReview.',
}

/** The rights of which one is enough, in the order to be tried; none for what we do not judge. */
export async function rightsFor(csr: CertificateSigningRequest): Promise<Right[]> {
  if (csr.spec.signerName !== SIGNER.kubeletClient) return []
  if ((await refusalOf(wishOf(csr))) !== undefined) return []
  const { commonName } = await readCsr(requestPem(csr))
  return csr.spec.username === commonName ? [SELF, OTHER] : [OTHER]
}

export const csrApprovingController = defineController<CertificateSigningRequest>({
  name: 'certificate-controller',
  reconciles: certificateSigningRequests,
  workers: 1,

  async reconcile(csr, kit, signal) {
    if (csr.status?.certificate || isDecided(csr)) return
    for (const right of await rightsFor(csr)) {
      if (!(await mayHave(csr, right, kit, signal))) continue
      await approve(csr, right, kit, signal)
      return
    }
  },
})

async function mayHave(
  { spec }: CertificateSigningRequest,
  { subresource }: Right,
  { client }: Kit,
  signal: AbortSignal,
): Promise<boolean> {
  const { username = '', uid = '', groups = [], extra = {} } = spec
  const resourceAttributes = {
    group: 'certificates.k8s.io',
    resource: 'certificatesigningrequests',
    verb: 'create',
    version: '*',
    subresource,
  }
  const review: SubjectAccessReview = {
    metadata: {},
    spec: { user: username, uid, groups, extra, resourceAttributes },
  }
  const { status } = await client.create(subjectAccessReviews, review, signal)
  return status?.allowed ?? false
}

async function approve(
  csr: CertificateSigningRequest,
  { message }: Right,
  { writer }: Kit,
  signal: AbortSignal,
): Promise<void> {
  const condition = { type: 'Approved', status: 'True', reason: 'AutoApproved', message }
  const conditions = [...(csr.status?.conditions ?? []), condition]
  const approved = { ...csr, status: { ...csr.status, conditions } }
  await writer.replacePart(certificateSigningRequests, approved, 'approval', signal)
}
