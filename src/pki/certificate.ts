// Certificates: made and read (RFC 5280).

import { createHash, type KeyObject, sign, X509Certificate } from 'node:crypto'
import type { Random } from '../lib/random.ts'
import {
  bitString,
  boolean,
  child,
  context,
  decode,
  encode,
  integer,
  objectId,
  octetString,
  readBitString,
  readTime,
  sequence,
  TAG,
  time,
} from './der.ts'
import { fromPem, type Key, publicDer, toPem } from './keys.ts'
import {
  encodeServerNames,
  type FoundNames,
  readServerNames,
  readSubject,
  type ServerNames,
  type Subject,
} from './names.ts'
import { critical, encodeUsages } from './usages.ts'

/** Milliseconds since 1970. */
export type Validity = { notBeforeMs: number; notAfterMs: number }

/** A certificate with the key that signs others in its name. */
export type Authority = { certificatePem: string; key: Key }

export type CertificateDraft = {
  /** DER of a Name. */
  subject: Uint8Array
  publicKey: KeyObject
  validity: Validity
  /** Words of the certificates API. */
  usages: readonly string[]
  names?: ServerNames
  isAuthority?: boolean
}

export type CertificateFacts = Validity &
  Required<Subject> & {
    /** DER of the Name. */
    subject: Uint8Array
    names: FoundNames
  }

const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2'
/** RFC 5280, 4.1.2.2 allows 20 bytes; 16 of them random are what upstream uses. */
const SERIAL_BYTES = 16

/** Signs a certificate and returns it as PEM. An authority signs its own with `selfKey`. */
export function issueCertificate(
  draft: CertificateDraft,
  signer: Authority | { selfKey: Key },
  random: Random,
): string {
  const isSelf = 'selfKey' in signer
  const key = isSelf ? signer.selfKey : signer.key
  const issuer = isSelf ? draft.subject : readCertificate(signer.certificatePem).subject
  const algorithm = sequence(objectId(ECDSA_WITH_SHA256))
  const body = sequence(
    context(0, integer(Uint8Array.of(2))),
    integer(random.bytes(SERIAL_BYTES)),
    algorithm,
    issuer,
    sequence(time(draft.validity.notBeforeMs), time(draft.validity.notAfterMs)),
    draft.subject,
    publicDer(draft.publicKey),
    context(3, sequence(...extensionsOf(draft, key.public))),
  )
  const signature = sign('sha256', body, key.private)
  return toPem('CERTIFICATE', sequence(body, algorithm, bitString(signature)))
}

function extensionsOf(draft: CertificateDraft, issuerKey: KeyObject): Uint8Array[] {
  const isAuthority = draft.isAuthority ?? false
  const constraints = sequence(...(isAuthority ? [boolean(true)] : []))
  const issuerId = encode(0x80, keyIdOf(issuerKey))
  return [
    ...encodeUsages(draft.usages),
    sequence(objectId('2.5.29.19'), critical(), octetString(constraints)),
    ...(isAuthority
      ? [sequence(objectId('2.5.29.14'), octetString(octetString(keyIdOf(draft.publicKey))))]
      : [sequence(objectId('2.5.29.35'), octetString(sequence(issuerId)))]),
    ...encodeServerNames(draft.names ?? { dns: [], ips: [] }),
  ]
}

/** RFC 5280, 4.2.1.2, method 1. It only tells keys apart, so SHA-1 is good enough. */
function keyIdOf(key: KeyObject): Uint8Array {
  const bits = readBitString(child(decode(publicDer(key)), 1))
  return createHash('sha1').update(bits).digest()
}

/** Throws when the text holds no certificate. */
export function readCertificate(pem: string): CertificateFacts {
  const der = fromPem('CERTIFICATE', pem)
  if (der === undefined) throw new Error('there is no certificate')
  const body = child(decode(der), 0, TAG.sequence)
  const validity = child(body, 4, TAG.sequence)
  const subject = child(body, 5, TAG.sequence)
  const extensions = body.children.find(({ tag }) => tag === 0xa3)?.children[0]
  return {
    notBeforeMs: readTime(child(validity, 0)),
    notAfterMs: readTime(child(validity, 1)),
    subject: subject.raw,
    ...readSubject(subject),
    names: readServerNames(extensions),
  }
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
