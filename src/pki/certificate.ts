// Certificates: made with @peculiar/x509, read and checked with the runtime (RFC 5280).

import { type KeyObject, X509Certificate } from 'node:crypto'
import type { Random } from '../lib/random.ts'
import { importKey, type Key, publicDer, SIGNING } from './keys.ts'
import { nameExtensions, plainIp, type ServerNames, type Subject, subjectName } from './names.ts'
import { usageExtensions } from './usages.ts'
import { type Extension, loadX509, type Name, type X509 } from './x509.ts'

/** Milliseconds since 1970. */
export type Validity = { notBeforeMs: number; notAfterMs: number }

/** A certificate with the key that signs others in its name. */
export type Authority = { certificatePem: string; key: Key }

export type CertificateDraft = {
  /** As DER it is kept to the letter: what somebody asked for. */
  subject: Subject | Uint8Array<ArrayBuffer>
  publicKey: KeyObject
  validity: Validity
  /** Words of the certificates API. */
  usages: readonly string[]
  names?: ServerNames
  isAuthority?: boolean
}

export type CertificateFacts = Validity & Required<Subject> & { names: ServerNames }

/** RFC 5280, 4.1.2.2 allows 20 bytes; 16 of them random are what upstream uses. */
const SERIAL_BYTES = 16

/** Signs a certificate and returns it as PEM. An authority signs its own with `selfKey`. */
export async function issueCertificate(
  draft: CertificateDraft,
  signer: Authority | { selfKey: Key },
  random: Random,
): Promise<string> {
  const x509 = await loadX509()
  const isSelf = 'selfKey' in signer
  const key = isSelf ? signer.selfKey : signer.key
  const subject = nameOf(x509, draft.subject)
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: Buffer.from(random.bytes(SERIAL_BYTES)).toString('hex'),
    subject,
    issuer: isSelf ? subject : new x509.X509Certificate(signer.certificatePem).subjectName,
    notBefore: new Date(draft.validity.notBeforeMs),
    notAfter: new Date(draft.validity.notAfterMs),
    publicKey: publicDer(draft.publicKey),
    signingKey: (await importKey(key)).privateKey,
    signingAlgorithm: SIGNING,
    extensions: await extensionsOf(x509, draft, key.public),
  })
  return `${certificate.toString('pem')}\n`
}

function nameOf(x509: X509, subject: CertificateDraft['subject']): Name {
  return subject instanceof Uint8Array ? new x509.Name(subject) : subjectName(x509, subject)
}

async function extensionsOf(
  x509: X509,
  draft: CertificateDraft,
  issuerKey: KeyObject,
): Promise<Extension[]> {
  const isAuthority = draft.isAuthority ?? false
  return [
    ...usageExtensions(x509, draft.usages),
    new x509.BasicConstraintsExtension(isAuthority, undefined, true),
    // Both are made by method 1 of RFC 5280, 4.2.1.2.
    isAuthority
      ? await x509.SubjectKeyIdentifierExtension.create(publicDer(draft.publicKey))
      : await x509.AuthorityKeyIdentifierExtension.create(publicDer(issuerKey)),
    ...nameExtensions(x509, draft.names ?? { dns: [], ips: [] }),
  ]
}

/** Throws when the text holds no certificate. */
export function readCertificate(pem: string): CertificateFacts {
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(pem)
  } catch (cause) {
    throw new Error('there is no certificate', { cause })
  }
  return factsOf(certificate)
}

/** What is asked of a certificate here. Throws when it cannot be told. */
export function factsOf(certificate: X509Certificate): CertificateFacts {
  // Not the text of the subject: here each value stands alone, whatever is written in it.
  const { CN, O } = certificate.toLegacyObject().subject
  return {
    notBeforeMs: certificate.validFromDate.getTime(),
    notAfterMs: certificate.validToDate.getTime(),
    // Of several the last counts, as in Go.
    commonName: listOf(CN).at(-1) ?? '',
    organizations: listOf(O),
    names: readServerNames(certificate.subjectAltName ?? ''),
  }
}

function listOf(value: string | string[] | undefined): string[] {
  if (value === undefined) return []
  return typeof value === 'string' ? [value] : value
}

/** Reads `DNS:box, IP Address:10.0.0.1`; a name with a comma in it is quoted, and that escaped. */
function readServerNames(text: string): ServerNames {
  const names = text === '' ? [] : text.split(', ')
  const valuesOf = (prefix: string) =>
    names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length))
  const unquoted = (value: string) => (value.startsWith('"') ? JSON.parse(value) : value) as string
  return { dns: valuesOf('DNS:').map(unquoted), ips: valuesOf('IP Address:').map(plainIp) }
}

/** Whether the certificate was signed by `authority` and belongs to `key`. */
export function isIssuedBy(pem: string, authority: Authority, key: Key): boolean {
  const certificate = new X509Certificate(pem)
  return certificate.verify(authority.key.public) && certificate.checkPrivateKey(key.private)
}

/** In ms since 1970. Throws when the text holds no certificate. */
export function certificateEndsAtMs(pem: string): number {
  return readCertificate(pem).notAfterMs
}
