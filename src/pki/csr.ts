// Certificate signing requests (RFC 2986): made by agents, read and checked by the signer.

import { createPublicKey, type KeyObject } from 'node:crypto'
import { fromPem, generateKey, importKey, type Key, SIGNING } from './keys.ts'
import {
  type FoundNames,
  foundNames,
  nameExtensions,
  type ServerNames,
  type Subject,
  subjectName,
  subjectOf,
} from './names.ts'
import { loadX509, type Pkcs10CertificateRequest, type X509 } from './x509.ts'

export type SigningRequest = Required<Subject> & {
  /** DER of the Name. */
  subject: Uint8Array<ArrayBuffer>
  publicKey: KeyObject
  names: FoundNames
}

/** As the library has it; its own type is made of types for browsers, which are not here. */
type SignatureAlgorithm = { name: string; hash?: { name: string } }

const SUBJECT_ALT_NAME = '2.5.29.17'
/** Enough for RSA keys of any length that is checked, and for hundreds of names. */
const REQUEST_BYTES_MAX = 64 * 1024
/** Signatures that are accepted, by algorithm and hash; the last one brings its own hash. */
const ALGORITHMS = [
  ...['ECDSA with SHA-256', 'ECDSA with SHA-384', 'ECDSA with SHA-512'],
  ...['SHA-256', 'SHA-384', 'SHA-512'].map((hash) => `RSASSA-PKCS1-v1_5 with ${hash}`),
  'Ed25519',
]

/** A key which stays with us, by default a new one, and the request for its certificate, as PEM. */
export async function createCsr(
  subject: Subject,
  names?: ServerNames,
  key = generateKey(),
): Promise<{ csr: string; key: string }> {
  return { csr: await formatCsr(key, subject, names), key: key.privatePem }
}

/** A request for the public half of `key`, as PEM. */
export async function formatCsr(key: Key, subject: Subject, names?: ServerNames): Promise<string> {
  const x509 = await loadX509()
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: subjectName(x509, subject),
    keys: await importKey(key),
    signingAlgorithm: SIGNING,
    extensions: nameExtensions(x509, names ?? { dns: [], ips: [] }),
  })
  return `${request.toString('pem')}\n`
}

/** Reads a request and checks that its sender holds the key. Throws an error fit for people. */
export async function readCsr(pem: string): Promise<SigningRequest> {
  const der = fromPem('CERTIFICATE REQUEST', pem)
  if (der === undefined) throw new Error('PEM block type must be CERTIFICATE REQUEST')
  const { request, algorithm, publicDer, facts } = decode(await loadX509(), der)
  if (!ALGORITHMS.includes(algorithm)) throw new Error(`unknown signature algorithm ${algorithm}`)
  const publicKey = readPublicKey(publicDer)
  if (!(await isGenuine(request))) {
    throw new Error('the signature of the certificate request is wrong')
  }
  return { ...facts, publicKey }
}

/** The library decodes each part when it is asked for; here all are, so that none fails later. */
function decode(x509: X509, der: Uint8Array<ArrayBuffer>) {
  try {
    // The library would take other bytes for a text, and look for a request in that.
    if (der[0] !== 0x30) throw new Error('it is no sequence')
    if (der.length > REQUEST_BYTES_MAX) throw new Error('it is too long')
    const request = new x509.Pkcs10CertificateRequest(der)
    const facts = {
      ...subjectOf(request.subjectName),
      subject: new Uint8Array(request.subjectName.toArrayBuffer()),
      names: foundNames(x509, request.getExtension(SUBJECT_ALT_NAME)),
    }
    const publicDer = Buffer.from(request.publicKey.rawData)
    const algorithm = describe(request.signatureAlgorithm as unknown as SignatureAlgorithm)
    return { request, facts, publicDer, algorithm }
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`the certificate request is malformed: ${message}`, { cause })
  }
}

function describe({ name, hash }: SignatureAlgorithm): string {
  return hash === undefined ? name : `${name} with ${hash.name}`
}

function readPublicKey(der: Buffer): KeyObject {
  try {
    return createPublicKey({ key: der, format: 'der', type: 'spki' })
  } catch (cause) {
    throw new Error('the public key of the certificate request cannot be used', { cause })
  }
}

async function isGenuine(request: Pkcs10CertificateRequest): Promise<boolean> {
  try {
    return await request.verify()
  } catch {
    // A key of another kind than the signature, or a signature that is no pair of numbers.
    return false
  }
}
