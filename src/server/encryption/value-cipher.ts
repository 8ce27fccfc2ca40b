// One value of the store, sealed and opened:
//
//   kedge:enc:aesgcm:v1:NAME:BASE64       BASE64 = 12 bytes nonce, 16 bytes tag, the rest
//
// NAME is that of the key, so that several can be in use while one takes the place of another. The
// key of the entry is authenticated with the value: what is moved elsewhere does not open.

import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto'
import type { Random } from '../../lib/random.ts'

/** Of AES-256, 32 bytes. */
export type EncryptionKey = { readonly name: string; readonly secret: Uint8Array }

const MARK = 'kedge:enc:'
const PREFIX = `${MARK}aesgcm:v1:`
const ALGORITHM = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16

export class ValueCipher {
  readonly #random: Random
  readonly #keys = new Map<string, KeyObject>()
  /** How a value begins that is sealed with the key in use. */
  readonly #current: string
  readonly #currentKey: KeyObject

  /** The first key seals, every one opens. */
  constructor(keys: readonly [EncryptionKey, ...EncryptionKey[]], random: Random) {
    this.#random = random
    for (const { name, secret } of keys) this.#keys.set(name, createSecretKey(secret))
    this.#current = `${PREFIX}${keys[0].name}:`
    this.#currentKey = this.#keys.get(keys[0].name)!
  }

  seal(at: string, text: string): string {
    const nonce = this.#random.bytes(NONCE_BYTES)
    const cipher = createCipheriv(ALGORITHM, this.#currentKey, nonce)
    cipher.setAAD(Buffer.from(at))
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
    return this.#current + Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64')
  }

  /** What is not sealed is returned as it is. Throws when it cannot be opened. */
  open(at: string, value: string): string {
    if (!isSealed(value)) return value
    const key = this.#keyOf(value)
    if (key === undefined) throw new Error(`open ${at}: the key that it is sealed with is missing`)
    const bytes = Buffer.from(value.slice(value.lastIndexOf(':') + 1), 'base64')
    if (bytes.length < NONCE_BYTES + TAG_BYTES) throw new Error(`open ${at}: it was cut off`)
    const nonce = bytes.subarray(0, NONCE_BYTES)
    const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES })
    decipher.setAAD(Buffer.from(at))
    decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
    const sealed = bytes.subarray(NONCE_BYTES + TAG_BYTES)
    try {
      return decipher.update(sealed, undefined, 'utf8') + decipher.final('utf8')
    } catch (cause) {
      throw new Error(`open ${at}: it was changed, or sealed with another key`, { cause })
    }
  }

  /** Is there a key for it, or no need of one? */
  canOpen(value: string): boolean {
    return !isSealed(value) || this.#keyOf(value) !== undefined
  }

  /** Sealed, and with the key in use. */
  isCurrent(value: string): boolean {
    return value.startsWith(this.#current)
  }

  #keyOf(value: string): KeyObject | undefined {
    if (!value.startsWith(PREFIX)) return undefined
    return this.#keys.get(value.slice(PREFIX.length, value.lastIndexOf(':')))
  }
}

/** Objects are stored as JSON, which begins otherwise. */
export function isSealed(value: string): boolean {
  return value.startsWith(MARK)
}
