// The signers of kubernetes.io: which requests they accept, and what they sign.
// Rules and messages are those of upstream's pkg/apis/certificates and its signing controller.

import type { Clock } from '../lib/clock.ts'
import type { Random } from '../lib/random.ts'
import { type Authority, issueCertificate, readCertificate, type Validity } from './certificate.ts'
import { readCsr, type SigningRequest } from './csr.ts'
import type { Subject } from './names.ts'

export const SIGNER = {
  kubeletClient: 'kubernetes.io/kube-apiserver-client-kubelet',
  kubeletServing: 'kubernetes.io/kubelet-serving',
  client: 'kubernetes.io/kube-apiserver-client',
} as const

/** What a CertificateSigningRequest says in its spec. */
export type SigningWish = {
  requestPem: string
  signerName: string
  usages: readonly string[]
  expirationSeconds?: number
}

/** Longest life of a signed certificate, and what it gets without a wish. */
const LIFE_SECONDS_MAX = 365 * 24 * 3600
const LIFE_SECONDS_MIN = 600
/** Clocks differ: a certificate is valid from a little before it was made. */
const BACKDATE_SECONDS = 300
/** Shorter ones keep their full life; of longer ones the back-dating takes its part. */
const SHORT_SECONDS = 8 * 3600

/**
 * Why that signer refuses the request, in upstream's words; undefined when it signs. Throws when
 * the request cannot be read.
 */
export async function refusalOf(wish: SigningWish): Promise<string | undefined> {
  return refuse(await readCsr(wish.requestPem), wish)
}

export type SignOptions = { authority: Authority; clock: Clock; random: Random }

/** Signs what `refusalOf` accepts; throws what it refuses. Returns PEM. */
export async function signCsr(
  wish: SigningWish,
  { authority, clock, random }: SignOptions,
): Promise<string> {
  const request = await readCsr(wish.requestPem)
  const refusal = refuse(request, wish)
  if (refusal !== undefined) throw new Error(refusal)
  const { notAfterMs } = readCertificate(authority.certificatePem)
  const signed = await issueCertificate(
    {
      subject: request.subject,
      publicKey: request.publicKey,
      names: request.names,
      usages: wish.usages,
      validity: planValidity(wish.expirationSeconds, clock.nowMs(), notAfterMs),
    },
    authority,
    random,
  )
  if (!isSameSubject(readCertificate(signed), request)) {
    throw new Error('the subject of the certificate request is ambiguous')
  }
  return signed
}

/**
 * A request is read by another reader than the certificate that its bearer shows later. Whatever
 * the two do not read alike could be judged as one user and let in as another.
 */
function isSameSubject(a: Required<Subject>, b: Required<Subject>): boolean {
  const textOf = ({ commonName, organizations }: Required<Subject>) =>
    JSON.stringify([commonName, organizations.toSorted()])
  return textOf(a) === textOf(b)
}

export function planValidity(
  expirationSeconds: number | undefined,
  nowMs: number,
  authorityEndMs: number,
): Validity {
  const wished = expirationSeconds ?? LIFE_SECONDS_MAX
  const seconds = Math.min(Math.max(wished, LIFE_SECONDS_MIN), LIFE_SECONDS_MAX)
  const cut = seconds < SHORT_SECONDS ? 0 : BACKDATE_SECONDS
  return {
    notBeforeMs: nowMs - BACKDATE_SECONDS * 1000,
    notAfterMs: Math.min(nowMs + (seconds - cut) * 1000, authorityEndMs),
  }
}

function refuse(request: SigningRequest, { signerName, usages }: SigningWish) {
  switch (signerName) {
    case SIGNER.kubeletClient:
      return refuseKubeletClient(request, usages)
    case SIGNER.kubeletServing:
      return refuseKubeletServing(request, usages)
    case SIGNER.client:
      return refuseClient(usages)
    default:
      return `unrecognized signerName: ${JSON.stringify(signerName)}`
  }
}

function refuseKubeletClient(request: SigningRequest, usages: readonly string[]) {
  const { names } = request
  if (!isNodeGroup(request)) return 'subject organization is not system:nodes'
  if (names.dns.length > 0) return 'DNS subjectAltNames are not allowed'
  if (names.emailCount > 0) return 'Email subjectAltNames are not allowed'
  if (names.ips.length > 0) return 'IP subjectAltNames are not allowed'
  if (names.uriCount > 0) return 'URI subjectAltNames are not allowed'
  return refuseNodeName(request) ?? refuseUsages(usages, 'client auth')
}

function refuseKubeletServing(request: SigningRequest, usages: readonly string[]) {
  const { names } = request
  if (!isNodeGroup(request)) return 'subject organization is not system:nodes'
  if (names.dns.length + names.ips.length === 0) return 'DNS or IP subjectAltName is required'
  if (names.emailCount > 0) return 'Email subjectAltNames are not allowed'
  if (names.uriCount > 0) return 'URI subjectAltNames are not allowed'
  return refuseUsages(usages, 'server auth') ?? refuseNodeName(request)
}

function refuseClient(usages: readonly string[]): string | undefined {
  const allowed = ['digital signature', 'key encipherment', 'client auth']
  const foreign = usages.find((usage) => !allowed.includes(usage))
  if (foreign !== undefined) return `invalid usage for client certificate: ${foreign}`
  if (usages.includes('client auth')) return undefined
  return 'missing required usage for client certificate: client auth'
}

function refuseUsages(usages: readonly string[], purpose: 'client auth' | 'server auth') {
  const wanted = new Set(usages)
  const rest = new Set(['digital signature', purpose])
  const withCipher = new Set([...rest, 'key encipherment'])
  const isSame = (other: Set<string>) => wanted.symmetricDifference(other).size === 0
  if (isSame(rest) || isSame(withCipher)) return undefined
  return `usages did not match [${[...withCipher].toSorted().join(' ')}]`
}

function refuseNodeName({ commonName }: SigningRequest): string | undefined {
  if (commonName.startsWith('system:node:')) return undefined
  return 'subject common name does not begin with system:node:'
}

function isNodeGroup({ organizations }: SigningRequest): boolean {
  return organizations.length === 1 && organizations[0] === 'system:nodes'
}
