// Private keys: ECDSA over P-256 for everything that is made here.

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto'
import { UserError } from '../lib/user-error.ts'

export type Key = {
  /** PKCS #8. */
  privatePem: string
  private: KeyObject
  public: KeyObject
}

const CURVE = { name: 'ECDSA', namedCurve: 'P-256' }
/** How our keys sign, as Web Crypto says it. */
export const SIGNING = { name: 'ECDSA', hash: 'SHA-256' }

/** Keys come from the operating system's generator, never from a seed. */
export function generateKey(): Key {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const privatePem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  return { privatePem, private: pair.privateKey, public: pair.publicKey }
}

/** Throws `UserError` naming `where` when the text is no private key. */
export function readKey(privatePem: string, where: string): Key {
  try {
    const key = createPrivateKey(privatePem)
    return { privatePem, private: key, public: createPublicKey(key) }
  } catch (cause) {
    throw new UserError(`${where} does not hold a private key`, { cause })
  }
}

/** SubjectPublicKeyInfo. */
export function publicDer(key: KeyObject): Buffer<ArrayBuffer> {
  return key.export({ type: 'spki', format: 'der' })
}

/** The same key for the runtime's Web Crypto. */
export async function importKey(key: Key): Promise<CryptoKeyPair> {
  const pkcs8 = key.private.export({ type: 'pkcs8', format: 'der' })
  const { subtle } = crypto
  return {
    privateKey: await subtle.importKey('pkcs8', pkcs8, CURVE, false, ['sign']),
    publicKey: await subtle.importKey('spki', publicDer(key.public), CURVE, true, ['verify']),
  }
}

export function sha256(data: Uint8Array | string): Buffer {
  return createHash('sha256').update(data).digest()
}

/** The first block with that label, or undefined. */
export function fromPem(label: string, pem: string): Buffer<ArrayBuffer> | undefined {
  // One repetition only: two that take the same characters need quadratic time for many of those.
  const pattern = new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]+)-----END ${label}-----`)
  const body = pattern.exec(pem)?.[1]
  return body === undefined ? undefined : Buffer.from(body.replace(/\s+/g, ''), 'base64')
}
