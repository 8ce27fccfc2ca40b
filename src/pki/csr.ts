// Certificate signing requests (RFC 2986): made by agents, read and checked by the signer.

import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import {
  bitString,
  child,
  context,
  DerError,
  decode,
  type Element,
  encode,
  integer,
  objectId,
  readBitString,
  readObjectId,
  sequence,
  TAG,
} from './der.ts'
import { fromPem, generateKey, type Key, publicDer, toPem } from './keys.ts'
import {
  encodeServerNames,
  encodeSubject,
  type FoundNames,
  readServerNames,
  readSubject,
  type ServerNames,
  type Subject,
} from './names.ts'

export type SigningRequest = Required<Subject> & {
  /** DER of the Name. */
  subject: Uint8Array
  publicKey: KeyObject
  names: FoundNames
}

const EXTENSION_REQUEST = '1.2.840.113549.1.9.14'
const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2'
/**
 * The hash of each signature algorithm that is accepted; null where the algorithm brings its own.
 */
const HASHES: Record<string, string | null> = {
  [ECDSA_WITH_SHA256]: 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.3.101.112': null,
}

/** A new key, which stays with us, and the request for its certificate; both as PEM. */
export function createCsr(subject: Subject, names?: ServerNames): { csr: string; key: string } {
  const key = generateKey()
  return { csr: formatCsr(key, subject, names), key: key.privatePem }
}

/** A request for the public half of `key`, as PEM. */
export function formatCsr(key: Key, subject: Subject, names?: ServerNames): string {
  const extensions = encodeServerNames(names ?? { dns: [], ips: [] })
  const wish = sequence(objectId(EXTENSION_REQUEST), encode(TAG.set, sequence(...extensions)))
  const body = sequence(
    integer(Uint8Array.of(0)),
    encodeSubject(subject),
    publicDer(key.public),
    context(0, ...(extensions.length > 0 ? [wish] : [])),
  )
  const algorithm = sequence(objectId(ECDSA_WITH_SHA256))
  const signature = sign('sha256', body, key.private)
  return toPem('CERTIFICATE REQUEST', sequence(body, algorithm, bitString(signature)))
}

/** Reads a request and checks that its sender holds the key. Throws an error fit for people. */
export function readCsr(pem: string): SigningRequest {
  const der = fromPem('CERTIFICATE REQUEST', pem)
  if (der === undefined) throw new Error('PEM block type must be CERTIFICATE REQUEST')
  try {
    return readRequest(decode(der))
  } catch (cause) {
    if (cause instanceof DerError) {
      throw new Error(`the certificate request is malformed: ${cause.message}`, { cause })
    }
    throw cause
  }
}

function readRequest(request: Element): SigningRequest {
  if (request.tag !== TAG.sequence) throw new DerError('an element of another type')
  const body = child(request, 0, TAG.sequence)
  const subject = child(body, 1, TAG.sequence)
  const publicKey = readPublicKey(child(body, 2, TAG.sequence))
  const algorithm = readObjectId(child(child(request, 1, TAG.sequence), 0))
  const signature = readBitString(child(request, 2))
  const hash = HASHES[algorithm]
  if (hash === undefined) throw new Error(`unknown signature algorithm ${algorithm}`)
  if (!verify(hash, body.raw, publicKey, signature)) {
    throw new Error('the signature of the certificate request is wrong')
  }
  const wishes = body.children.find(({ tag }) => tag === 0xa0)?.children ?? []
  const wish = wishes.find(({ children }) => isExtensionRequest(children))
  return {
    subject: subject.raw,
    publicKey,
    ...readSubject(subject),
    names: readServerNames(wish?.children[1]?.children[0]),
  }
}

function readPublicKey(info: Element): KeyObject {
  try {
    return createPublicKey({ key: Buffer.from(info.raw), format: 'der', type: 'spki' })
  } catch (cause) {
    throw new Error('the public key of the certificate request cannot be used', { cause })
  }
}

function isExtensionRequest(children: readonly Element[]): boolean {
  return children[0] !== undefined && readObjectId(children[0]) === EXTENSION_REQUEST
}
