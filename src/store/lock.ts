// One process for one data file. The lock is one of the operating system's, so that it goes away
// with the process, however that ends.

import { Database } from 'bun:sqlite'
import { UserError } from '../lib/user-error.ts'

/** Takes the lock and returns how to give it back. Throws `UserError` when somebody holds it. */
export function lockStore(path: string): () => void {
  const db = new Database(`${path}.lock`, { create: true, readwrite: true })
  try {
    // An exclusive transaction on an empty database locks the file and never writes to it.
    db.run('PRAGMA journal_mode = MEMORY')
    db.run('BEGIN EXCLUSIVE')
  } catch (cause) {
    db.close()
    throw new UserError(`another kedge process uses ${path}: stop it, or give another --data-dir`, {
      cause,
    })
  }
  return () => db.close()
}
