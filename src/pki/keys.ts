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
export function publicDer(key: KeyObject): Uint8Array {
  return key.export({ type: 'spki', format: 'der' })
}

export function sha256(data: Uint8Array | string): Buffer {
  return createHash('sha256').update(data).digest()
}

export function toPem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

/** The first block with that label, or undefined. */
export function fromPem(label: string, pem: string): Uint8Array | undefined {
  const pattern = new RegExp(
    `-----BEGIN ${label}-----\\s+([A-Za-z0-9+/=\\s]+)-----END ${label}-----`,
  )
  const body = pattern.exec(pem)?.[1]
  return body === undefined ? undefined : Buffer.from(body.replace(/\s+/g, ''), 'base64')
}
