// Seals what the store holds plain, from before there was encryption, or sealed with a key that is
// no longer in use.

import type { Log } from '../../lib/log.ts'
import type { Entry, Store } from '../../store/store.ts'
import type { ValueCipher } from './value-cipher.ts'

/** Written together: one sync for all of them. */
const BATCH_WRITES_MAX = 100

export type RewriteOptions = {
  /** The store below, which knows nothing of encryption. */
  store: Store
  cipher: ValueCipher
  /** What is there. */
  entries: readonly Entry[]
  log: Log
}

/**
 * To be done before others write. Returns whether there was anything to do; then what was there
 * before is erased, and gone from the disk once the store is closed.
 */
export async function rewriteSealed(options: RewriteOptions): Promise<boolean> {
  const { store, cipher, entries, log } = options
  const old = entries.filter(({ value }) => !cipher.isCurrent(value))
  if (old.length === 0) return false
  let count = 0
  for (let at = 0; at < old.length; at += BATCH_WRITES_MAX) {
    const batch = old.slice(at, at + BATCH_WRITES_MAX)
    const done = await Promise.all(batch.map((entry) => rewrite(options, entry)))
    count += done.filter((isDone) => isDone).length
  }
  log.info('encrypted what was stored before', { count })
  try {
    await store.erase()
  } catch (error) {
    log.warn('cannot erase what was stored before it was encrypted', { error })
  }
  return true
}

/** One that cannot be read keeps nobody from reading the others. */
async function rewrite({ store, cipher, log }: RewriteOptions, entry: Entry): Promise<boolean> {
  const { key, value, revision } = entry
  try {
    const { ok } = await store.update(key, cipher.seal(key, cipher.open(key, value)), revision)
    return ok
  } catch (error) {
    log.error('cannot encrypt what is stored', { key, error })
    return false
  }
}
