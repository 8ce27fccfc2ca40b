// Opens a store in which Secrets are encrypted.

import type { Log } from '../../lib/log.ts'
import type { Random } from '../../lib/random.ts'
import { UserError } from '../../lib/user-error.ts'
import type { Entry, Store } from '../../store/store.ts'
import { EncryptedStore } from './encrypted-store.ts'
import { makeEncryptionKeys, readEncryptionKeys } from './keys.ts'
import { rewriteSealed } from './rewrite.ts'
import { isSealed, ValueCipher } from './value-cipher.ts'

export type OpenEncryptedOptions = {
  /** May be asked for more than once, when the store before is closed. */
  open(): Promise<Store>
  /** Of the file with the keys. */
  keysPath: string
  /** What the keys in the store begin with that are encrypted. */
  prefixes: readonly string[]
  random: Random
  log: Log
}

/** Makes the key at the first start. Throws UserError when what is stored cannot be read. */
export async function openEncrypted(options: OpenEncryptedOptions): Promise<Store> {
  const store = await options.open()
  try {
    const { prefixes, log } = options
    const entries = prefixes.flatMap((prefix) => store.list(prefix).entries)
    const cipher = await cipherFor(options, entries)
    if (!(await rewriteSealed({ store, cipher, entries, log }))) {
      return new EncryptedStore(store, cipher, prefixes)
    }
    await store.close()
    return new EncryptedStore(await options.open(), cipher, prefixes)
  } catch (error) {
    await store.close()
    throw error
  }
}

async function cipherFor(
  { keysPath, random }: OpenEncryptedOptions,
  entries: readonly Entry[],
): Promise<ValueCipher> {
  const sealed = entries.filter(({ value }) => isSealed(value))
  const known = await readEncryptionKeys(keysPath)
  if (known === undefined && sealed.length > 0) throw keyMissing(keysPath)
  const keys = known ?? (await makeEncryptionKeys(keysPath, random))
  const cipher = new ValueCipher(keys, random)
  if (!sealed.every(({ value }) => cipher.canOpen(value))) throw keyMissing(keysPath)
  return cipher
}

function keyMissing(path: string): UserError {
  return new UserError(
    `Secrets in the data store are encrypted with a key that is not in ${path}: ` +
      'put the file back from a backup of the data folder',
  )
}
