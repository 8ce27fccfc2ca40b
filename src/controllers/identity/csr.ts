// What the three controllers of CertificateSigningRequests ask of one.

import type { CertificateSigningRequest } from '../../api/schema/generated/types.ts'
import type { SigningWish } from '../../pki/signer.ts'
import { conditionOf } from '../conditions.ts'

export function requestPem({ spec }: CertificateSigningRequest): string {
  return Buffer.from(spec.request, 'base64').toString('utf8')
}

export function wishOf(csr: CertificateSigningRequest): SigningWish {
  const { signerName, usages = [], expirationSeconds } = csr.spec
  const wish = { requestPem: requestPem(csr), signerName, usages }
  return expirationSeconds === undefined ? wish : { ...wish, expirationSeconds }
}

export function hasCondition({ status }: CertificateSigningRequest, type: string): boolean {
  return conditionOf(status?.conditions, type) !== undefined
}

/** Approved or denied, by whomever. */
export function isDecided(csr: CertificateSigningRequest): boolean {
  return hasCondition(csr, 'Approved') || hasCondition(csr, 'Denied')
}
