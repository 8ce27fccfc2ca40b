// The keys that Secrets are sealed with, in a file beside the data store, for root alone.

import { chmod } from 'node:fs/promises'
import { readFileIfAny, writeFileAtomic } from '../../lib/files.ts'
import type { Random } from '../../lib/random.ts'
import { UserError } from '../../lib/user-error.ts'
import type { EncryptionKey } from './value-cipher.ts'

const SECRET_BYTES = 32
const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/

export type EncryptionKeys = readonly [EncryptionKey, ...EncryptionKey[]]

/** Undefined when there is no file. Throws UserError for one that is none of ours. */
export async function readEncryptionKeys(path: string): Promise<EncryptionKeys | undefined> {
  const text = await readFileIfAny(path)
  if (text === undefined) return undefined
  // Others may have copied it here with whatever mode their files have.
  await chmod(path, 0o600)
  return parseEncryptionKeys(path, text)
}

/** The first one, written for good before anything is sealed with it. */
export async function makeEncryptionKeys(path: string, random: Random): Promise<EncryptionKeys> {
  const secret = random.bytes(SECRET_BYTES)
  const kept = { name: 'key1', secret: Buffer.from(secret).toString('base64') }
  await writeFileAtomic(path, `${JSON.stringify({ keys: [kept] }, undefined, 2)}\n`)
  return [{ name: kept.name, secret }]
}

function parseEncryptionKeys(path: string, text: string): EncryptionKeys {
  const [first, ...others] = keysIn(path, text).map((key: unknown) => keyOf(path, key))
  if (first === undefined) throw damaged(path, 'there is no key in it')
  const names = new Set([first, ...others].map(({ name }) => name))
  if (names.size <= others.length) throw damaged(path, 'two keys have one name')
  return [first, ...others]
}

function keysIn(path: string, text: string): unknown[] {
  try {
    const { keys } = JSON.parse(text)
    if (Array.isArray(keys)) return keys
  } catch {
    // Said below.
  }
  throw damaged(path, 'it is no JSON with a list of keys')
}

function keyOf(path: string, key: unknown): EncryptionKey {
  const { name, secret } = (key ?? {}) as { name?: unknown; secret?: unknown }
  if (typeof name !== 'string' || !NAME.test(name)) throw damaged(path, 'a key has no proper name')
  const bytes = typeof secret === 'string' ? Buffer.from(secret, 'base64') : Buffer.alloc(0)
  if (bytes.length !== SECRET_BYTES) {
    throw damaged(path, `key ${name} is not ${SECRET_BYTES} bytes in base64`)
  }
  return { name, secret: bytes }
}

function damaged(path: string, why: string): UserError {
  return new UserError(`the encryption keys in ${path} cannot be used: ${why}; restore the file`)
}
