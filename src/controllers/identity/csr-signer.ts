// Signs what was approved, for the signers of kubernetes.io.

import { certificateSigningRequests } from '../../api/kinds/certificates/certificatesigningrequest/row.ts'
import type { CertificateSigningRequest } from '../../api/schema/generated/types.ts'
import { formatTime } from '../../api/time.ts'
import { type Controller, defineController } from '../../kit/controller.ts'
import { refusalOf, SIGNER, type SigningWish } from '../../pki/signer.ts'
import { hasCondition, wishOf } from './csr.ts'

const SIGNERS: readonly string[] = Object.values(SIGNER)

/** `sign` makes the certificate, as PEM, with the authority of the signer that the wish names. */
export function csrSigningController(
  sign: (wish: SigningWish) => Promise<string>,
): Controller<CertificateSigningRequest> {
  return defineController<CertificateSigningRequest>({
    name: 'certificate-controller',
    reconciles: certificateSigningRequests,
    workers: 1,

    async reconcile(csr, { writer, clock }, signal) {
      const isDue = hasCondition(csr, 'Approved') && !hasCondition(csr, 'Denied')
      const isDone = Boolean(csr.status?.certificate) || hasCondition(csr, 'Failed')
      if (!isDue || isDone || !SIGNERS.includes(csr.spec.signerName)) return
      const wish = wishOf(csr)
      const refusal = await refusalOf(wish)
      if (refusal === undefined) {
        const certificate = Buffer.from(await sign(wish)).toString('base64')
        const status = { ...csr.status, certificate }
        await writer.putStatus(certificateSigningRequests, csr, status, signal)
        return
      }
      const failed = {
        type: 'Failed',
        status: 'True',
        reason: 'SignerValidationFailure',
        message: refusal,
        lastUpdateTime: formatTime(clock.nowMs()),
      }
      const status = { ...csr.status, conditions: [...(csr.status?.conditions ?? []), failed] }
      await writer.putStatus(certificateSigningRequests, csr, status, signal)
    },
  })
}
