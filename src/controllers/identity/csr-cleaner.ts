// Removes requests for certificates that nobody needs to see any more.

import { certificateSigningRequests } from '../../api/kinds/certificates/certificatesigningrequest/row.ts'
import type { CertificateSigningRequest } from '../../api/schema/generated/types.ts'
import { parseTime } from '../../api/time.ts'
import { defineController } from '../../kit/controller.ts'
import { certificateEndsAtMs } from '../../pki/certificate.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** When `csr` may go, in ms since 1970; undefined when nothing in it says so. */
export function endsAtMs({ metadata, status }: CertificateSigningRequest): number | undefined {
  const { conditions = [], certificate } = status ?? {}
  if (conditions.length === 0) return timeOf(metadata.creationTimestamp, DAY_MS)
  const ends = conditions.flatMap(({ type, lastUpdateTime }) => {
    const isIssued = type === 'Approved' && certificate !== undefined
    const keepMs = type === 'Approved' && !isIssued ? DAY_MS : HOUR_MS
    const expiry = isIssued ? [certificateEndsAtMs(decoded(certificate))] : []
    return [timeOf(lastUpdateTime, keepMs), ...expiry]
  })
  const known = ends.filter((ms): ms is number => ms !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}

function timeOf(text: string | undefined, keepMs: number): number | undefined {
  return text === undefined ? undefined : parseTime(text) + keepMs
}

const decoded = (certificate: string) => Buffer.from(certificate, 'base64').toString('utf8')

export const csrCleaningController = defineController<CertificateSigningRequest>({
  name: 'certificate-controller',
  reconciles: certificateSigningRequests,
  workers: 1,

  async reconcile(csr, { writer, clock }, signal) {
    const endMs = endsAtMs(csr)
    if (endMs === undefined) return
    const leftMs = endMs - clock.nowMs()
    if (leftMs >= 0) return { requeueInMs: leftMs + 1 }
    await writer.remove(certificateSigningRequests, csr, {}, signal)
  },
})
