// Opens the store: in memory, or in one file with its log and lock beside it.

import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Clock } from '../lib/clock.ts'
import { describeError, type Log, silentLog } from '../lib/log.ts'
import { UserError } from '../lib/user-error.ts'
import { LogFile, noDisk, type SyncFile, syncData } from './disk.ts'
import { Engine } from './engine.ts'
import { Ledger } from './ledger.ts'
import { lockStore } from './lock.ts'
import { RETENTION, type RetentionOptions } from './retention.ts'
import { restoreSnapshot, Snapshots } from './snapshot.ts'
import { isFull, Tables } from './sqlite.ts'
import { SqliteStore, type SqliteStoreParts } from './sqlite-store.ts'
import type { Store, StoreFailedError } from './store.ts'
import { Upkeep } from './upkeep.ts'

export type OpenStoreOptions = {
  /** A file, whose folder is made when missing; or ':memory:'. */
  path: string
  clock: Clock
  log?: Log
  retention?: Partial<RetentionOptions>
  /** Called once when the disk fails in a way that only a restart can mend. */
  onFailure?: (error: StoreFailedError) => void
  /** How a file is synced. Default: fdatasync, off the event loop. */
  syncFile?: SyncFile
}

/**
 * Throws `UserError` when the file is in use, or damaged and there is no snapshot to go back to.
 */
export async function openStore(options: OpenStoreOptions): Promise<Store> {
  const files = options.path === ':memory:' ? inMemory() : onDisk(options)
  try {
    return new SqliteStore({
      ...files,
      engine: new Engine(files.tables, files.ledger),
      upkeep: new Upkeep(files.tables, files.ledger),
      clock: options.clock,
      log: options.log ?? silentLog,
      retention: { ...RETENTION, ...options.retention },
      onFailure: options.onFailure ?? (() => {}),
    })
  } catch (error) {
    files.closeFiles()
    throw error
  }
}

type Files = Pick<SqliteStoreParts, 'disk' | 'ledger' | 'snapshots' | 'closeFiles'> & {
  tables: Tables
}

function inMemory(): Files {
  const tables = new Tables(':memory:')
  const ledger = new Ledger(tables)
  return { tables, ledger, disk: noDisk, snapshots: undefined, closeFiles: () => tables.close() }
}

function onDisk({ path, clock, log = silentLog, syncFile = syncData }: OpenStoreOptions): Files {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const unlock = lockStore(path)
  try {
    const { tables, ledger } = openOrRestore(path, log)
    const disk = new LogFile({ path, tables, log, syncFile })
    const snapshots = new Snapshots({ path, clock, log, syncFile })
    const closeFiles = () => {
      tables.close()
      disk.close()
      unlock()
    }
    return { tables, ledger, disk, snapshots, closeFiles }
  } catch (error) {
    unlock()
    throw error
  }
}

function openOrRestore(path: string, log: Log): { tables: Tables; ledger: Ledger } {
  try {
    return openSound(path)
  } catch (cause) {
    if (!isDamage(cause)) throw cannotOpen(path, cause)
    const takenAtMs = restoreSnapshot(path)
    if (takenAtMs === undefined) {
      throw new UserError(`the data store ${path} is damaged: restore it from a backup`, { cause })
    }
    const restored = openSound(path)
    restored.ledger.noteRestored()
    const snapshotOf = new Date(takenAtMs).toISOString()
    log.error('the data store is damaged: went back to the last snapshot', {
      snapshotOf,
      keptAs: `${path}.damaged`,
      error: cause,
    })
    return restored
  }
}

function openSound(path: string): { tables: Tables; ledger: Ledger } {
  // SQLite gives its log the mode of the file. Objects hold secrets.
  closeSync(openSync(path, 'a', 0o600))
  chmodSync(path, 0o600)
  const tables = new Tables(path)
  try {
    const fault = tables.check()
    if (fault !== undefined) throw new DamageError(fault)
    return { tables, ledger: new Ledger(tables) }
  } catch (error) {
    tables.close()
    throw error
  }
}

function cannotOpen(path: string, cause: unknown): UserError {
  const advice = isFull(cause)
    ? 'the disk is full: free some space'
    : `${describeError(cause)}: see that it is a file, and that this user may write it`
  return new UserError(`cannot open the data store ${path}: ${advice}`, { cause })
}

class DamageError extends Error {
  override readonly name = 'DamageError'
}

/** Anything else, a missing right or a full disk, is no reason to go back to an older state. */
function isDamage(error: unknown): boolean {
  if (error instanceof DamageError) return true
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB'
}
