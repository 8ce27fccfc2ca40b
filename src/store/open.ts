// Opens the store: in memory, or in one file with its log and lock beside it.

import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Clock } from '../lib/clock.ts'
import { type Log, silentLog } from '../lib/log.ts'
import { UserError } from '../lib/user-error.ts'
import { type Disk, LogFile, noDisk } from './disk.ts'
import { Engine } from './engine.ts'
import { Ledger } from './ledger.ts'
import { lockStore } from './lock.ts'
import { RETENTION, type RetentionOptions } from './retention.ts'
import { Tables } from './sqlite.ts'
import { SqliteStore } from './sqlite-store.ts'
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
  syncFile?: (file: number) => Promise<void>
}

/** Throws `UserError` when the file is in use or damaged beyond what can be mended. */
export async function openStore(options: OpenStoreOptions): Promise<Store> {
  const files = options.path === ':memory:' ? inMemory() : onDisk(options)
  const ledger = new Ledger(files.tables)
  return new SqliteStore({
    ledger,
    engine: new Engine(files.tables, ledger),
    upkeep: new Upkeep(files.tables, ledger),
    disk: files.disk,
    clock: options.clock,
    log: options.log ?? silentLog,
    retention: { ...RETENTION, ...options.retention },
    onFailure: options.onFailure ?? (() => {}),
    closeFiles: files.close,
  })
}

type Files = { tables: Tables; disk: Disk; close: () => void }

function inMemory(): Files {
  const tables = new Tables(':memory:')
  return { tables, disk: noDisk, close: () => tables.close() }
}

function onDisk({ path, log = silentLog, syncFile }: OpenStoreOptions): Files {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  // SQLite gives its log the mode of the file. Objects hold secrets.
  closeSync(openSync(path, 'a', 0o600))
  chmodSync(path, 0o600)
  const unlock = lockStore(path)
  const tables = openSound(path)
  const disk = new LogFile({ path, tables, log, syncFile })
  return {
    tables,
    disk,
    close() {
      tables.close()
      disk.close()
      unlock()
    },
  }
}

function openSound(path: string): Tables {
  try {
    const tables = new Tables(path)
    const fault = tables.check()
    if (fault === undefined) return tables
    tables.close()
    throw new Error(fault)
  } catch (cause) {
    throw new UserError(`the data store ${path} is damaged: restore it from a backup`, { cause })
  }
}
