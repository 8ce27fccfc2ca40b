// Reads as much of a PKCS #10 request as it takes to check its signature (RFC 2986).
//
//   SEQUENCE { info SEQUENCE { version, subject, publicKey, [0] attributes }, algorithm, signature
// }

import { constants, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { own } from '../../../../lib/own.ts'
import { firstPemBlock } from '../../../../lib/pem.ts'

const [SEQUENCE, BIT_STRING, OBJECT_ID] = [0x30, 0x03, 0x06]

/** Why the request (base64 of PEM) cannot be taken, or undefined. */
export function requestFault(base64: string): string | undefined {
  const block = firstPemBlock(Buffer.from(base64, 'base64').toString())
  if (block?.label !== 'CERTIFICATE REQUEST') {
    return 'PEM block type must be CERTIFICATE REQUEST'
  }
  try {
    return signatureFault(block.bytes)
  } catch {
    // Whatever does not read as a request is reported alike, as Go does for most of it.
    return "asn1: structure error: tags don't match"
  }
}

const ORGANIZATION = '55040a'

/** Of the subject of a request (base64 of PEM), in order. Throws where it is none. */
export function organizationsIn(base64: string): string[] {
  const block = firstPemBlock(Buffer.from(base64, 'base64').toString())
  if (block?.label !== 'CERTIFICATE REQUEST') {
    throw new Error('PEM block type must be CERTIFICATE REQUEST')
  }
  const [info] = childrenOf(elementAt(block.bytes, 0, SEQUENCE))
  const subject = info && childrenOf(info)[1]
  if (subject === undefined) throw new Error('no subject')
  const attributes = childrenOf(subject).flatMap(childrenOf).map(childrenOf)
  return attributes.flatMap(([id, value]) =>
    id?.content.toString('hex') === ORGANIZATION && value ? [textOf(value)] : [],
  )
}

const BMP_STRING = 0x1e

function textOf({ tag, content }: Element): string {
  // Two bytes a letter, the high one first.
  return tag === BMP_STRING ? Buffer.from(content).swap16().toString('utf16le') : content.toString()
}

function signatureFault(der: Buffer): string | undefined {
  const [info, algorithm, signature] = childrenOf(elementAt(der, 0, SEQUENCE))
  if (info === undefined || algorithm === undefined || signature?.tag !== BIT_STRING) {
    throw new Error('not a request')
  }
  const publicKey = childrenOf(info)[2]!
  const key = createPublicKey({ key: publicKey.whole, format: 'der', type: 'spki' })
  const id = childrenOf(algorithm)[0]!
  if (id.tag !== OBJECT_ID) throw new Error('no algorithm')
  // The first byte of a bit string counts unused bits.
  const isValid = isSignedBy(
    key,
    id.content.toString('hex'),
    info.whole,
    signature.content.subarray(1),
  )
  if (isValid) return undefined
  const isRsa = key.asymmetricKeyType?.startsWith('rsa')
  return isRsa ? 'crypto/rsa: verification error' : 'x509: ECDSA verification failure'
}

const DIGESTS: Readonly<Record<string, string>> = {
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
}
const RSA_PSS = '2a864886f70d01010a'

function isSignedBy(key: KeyObject, algorithm: string, data: Buffer, signature: Buffer): boolean {
  if (key.asymmetricKeyType === 'ed25519') return verify(null, data, key, signature)
  if (algorithm === RSA_PSS) {
    const padding = constants.RSA_PKCS1_PSS_PADDING
    return verify('sha256', data, { key, padding }, signature)
  }
  const digest = own(DIGESTS, algorithm)
  return digest !== undefined && verify(digest, data, key, signature)
}

type Element = { tag: number; whole: Buffer; content: Buffer }

function elementAt(der: Buffer, offset: number, tag?: number): Element {
  const first = der[offset + 1]
  if (first === undefined || (tag !== undefined && der[offset] !== tag)) throw new Error('not DER')
  let [length, start] = [first, offset + 2]
  if (first >= 0x80) {
    const bytes = first & 0x7f
    if (bytes === 0 || bytes > 4) throw new Error('not DER')
    length = der.readUIntBE(start, bytes)
    start += bytes
  }
  const end = start + length
  if (end > der.length) throw new Error('cut off')
  return { tag: der[offset]!, whole: der.subarray(offset, end), content: der.subarray(start, end) }
}

function childrenOf({ content }: Element): Element[] {
  const children: Element[] = []
  for (let offset = 0; offset < content.length; ) {
    const child = elementAt(content, offset)
    children.push(child)
    offset += child.whole.length
  }
  return children
}
