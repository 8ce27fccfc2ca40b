import { defineResource } from '../../../resource.ts'
import type { CertificateSigningRequest } from '../../../schema/generated/types.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { csrColumns } from './columns.ts'
import { injectRequester, mergeApproval, mergeCertificate } from './strategy.ts'
import { checkApproval, checkCertificateStatus, checkRequest } from './validation.ts'

export const certificateSigningRequests = defineResource<CertificateSigningRequest>({
  group: 'certificates.k8s.io',
  version: 'v1',
  kind: 'CertificateSigningRequest',
  plural: 'certificatesigningrequests',
  type: 'io.k8s.api.certificates.v1.CertificateSigningRequest',
  metadataJudges: ['whole', 'change'],
  scope: 'Cluster',
  shortNames: ['csr'],
  generationOf: false,
  resets: ['spec', 'status'],
  // Any name will do.
  nameRule: () => [],
  rules: [ruleOf(checkRequest)],
  prepareCreate: injectRequester,
  prepareUpdate: (request, old) => {
    request.spec = old.spec
  },
  status: {
    writes: ['metadata', 'status'],
    metadataJudges: ['whole', 'change'],
    rules: [ruleOf(checkCertificateStatus)],
    resets: ['spec', 'status.conditions'],
    merge: mergeCertificate,
  },
  parts: {
    approval: {
      writes: ['metadata', 'status'],
      metadataJudges: ['whole', 'change'],
      rules: [ruleOf(checkApproval)],
      resets: ['spec', 'status.certificate'],
      merge: mergeApproval,
    },
  },
  selectable: { 'spec.signerName': ({ spec }) => spec.signerName ?? '' },
  columns: csrColumns,
})
