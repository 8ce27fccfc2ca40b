// The SQL of the store. One table of versions, and an index from keys to them:
//
//   main.entries     on disk: what was written to stay, in the order of revisions
//   memory.entries   in memory: volatile versions, until they are settled
//   main.by_key      on disk: which revisions a key has; lags behind by at most a batch
//   memory.by_key    in memory: those that main.by_key does not have yet, and the volatile ones
//
// A new version is appended to main.entries and touches one page; its place in the index is written
// with many others, sorted, so that a burst of writes to scattered keys does not rewrite a page for
// each of them. Every version is in exactly one table of entries and in exactly one index.
//
// A deletion is a version without a value. Revision 0 holds the notes of the store itself.

import { Database, type Statement } from 'bun:sqlite'
import type { Entry } from './store.ts'

/** One version of a key. */
export type Version = {
  revision: number
  key: string
  created: number
  /** 0 or 1. */
  deleted: number
  /** Wall time in ms at which the key falls away, or null. */
  expires: number | null
  value: string
}

export type Area = 'main' | 'memory'

/** What the store notes about itself. */
export type Notes = {
  format: number
  /** History up to here is gone. */
  compacted: number
  /** main.by_key knows everything up to here. */
  indexed: number
  /** Revisions up to here may have been given to volatile writes that a crash forgot. */
  reserved: number
  /** Folders of keys that hold volatile ones; none after a clean stop. */
  volatile: string[]
  /** What a crash has cost: the past of these folders is not known before that revision. */
  lost: { before: number; folders: string[] }
}

/** From the first key to before the last. Keys are printable ASCII, so text order is byte order. */
export type Range = { from: string; to: string }

export const tablesSql = (area: string) => `
  CREATE TABLE IF NOT EXISTS ${area}.entries (
    revision INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    created INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    expires INTEGER,
    value TEXT NOT NULL
  );
  CREATE INDEX IF NOT EXISTS ${area}.by_expiry ON entries (expires) WHERE expires IS NOT NULL;
  CREATE TABLE IF NOT EXISTS ${area}.by_key (
    key TEXT NOT NULL,
    revision INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    PRIMARY KEY (key, revision)
  ) WITHOUT ROWID;
`

/** The newest revision of a key up to a revision in one index; -1 for none. */
const newestIn = (area: Area, key: string, until: string) => `
  coalesce((SELECT max(revision) FROM ${area}.by_key
    WHERE key = ${key} AND revision <= ${until}), -1)`
const newest = (key: string, until: string) =>
  `max(${newestIn('memory', key, until)}, ${newestIn('main', key, until)})`

/** Living keys that main.by_key alone can tell about; the others are few and asked one by one. */
const settledKeys = `
  SELECT key, revision FROM (
    SELECT key, max(revision) AS revision, deleted FROM main.by_key
    WHERE key >= ?1 AND key < ?2 AND revision <= ?3 GROUP BY key ORDER BY key
  ) AS n
  WHERE deleted = 0 AND NOT EXISTS (SELECT 1 FROM memory.by_key AS k WHERE k.key = n.key)`
const unsettledKeys = `
  SELECT key, ${newest('k.key', '?3')} AS revision
  FROM (SELECT DISTINCT key FROM memory.by_key WHERE key >= ?1 AND key < ?2 ORDER BY key) AS k`
const unsettledEntries = `
  FROM (${unsettledKeys}) AS n
  LEFT JOIN main.entries AS a ON a.revision = n.revision
  LEFT JOIN memory.entries AS b ON b.revision = n.revision
  WHERE n.revision > 0 AND coalesce(a.deleted, b.deleted) = 0`

const SQL = {
  newest: `SELECT ${newest('?1', '?2')} AS revision`,
  // The order is made inside, where the index has it already: outside it would cost a sort.
  settledPage: `
    SELECT e.key, e.value, e.created, e.revision FROM (${settledKeys}) AS n
    CROSS JOIN main.entries AS e ON e.revision = n.revision LIMIT ?4`,
  settledCount: `SELECT count(*) AS n FROM (${settledKeys})`,
  unsettledPage: `
    SELECT n.key, coalesce(a.value, b.value) AS value,
      coalesce(a.created, b.created) AS created, n.revision
    ${unsettledEntries} LIMIT ?4`,
  unsettledCount: `SELECT count(*) AS n ${unsettledEntries}`,
  history: `
    SELECT * FROM main.entries WHERE revision > ?1 AND revision <= ?2 AND key >= ?3 AND key < ?4
    UNION ALL
    SELECT * FROM memory.entries
    WHERE revision > ?1 AND revision <= ?2 AND key >= ?3 AND key < ?4
    ORDER BY revision`,
  newestOnDisk: `SELECT coalesce(max(revision), 0) AS revision FROM main.entries`,
  noteNewestOnDisk: `INSERT INTO memory.kept
    SELECT key, max(revision) + deleted FROM main.entries
    WHERE revision > ?1 AND revision <= ?2 GROUP BY key`,
  noteNewestVolatile: `INSERT INTO memory.kept
    SELECT key, max(revision) FROM memory.entries
    WHERE revision > ?1 AND revision <= ?2 GROUP BY key`,
  noteNewestOf: `INSERT INTO memory.kept SELECT * FROM
    (SELECT key, max(revision) + deleted AS revision FROM main.by_key
      WHERE key = ?1 AND revision <= ?2)
    WHERE revision > 0`,
  clearNoted: `DELETE FROM memory.kept`,
  noteBareDeletions: `INSERT INTO memory.kept
    SELECT key, revision + 1 FROM memory.entries AS e
    WHERE revision > ?1 AND revision <= ?2 AND deleted = 1
      AND NOT EXISTS (SELECT 1 FROM main.by_key AS k WHERE k.key = e.key AND k.revision <= ?2)`,
  readNotes: `SELECT value FROM main.entries WHERE revision = 0`,
  writeNotes: `
    INSERT INTO main.entries VALUES (0, '', 0, 0, NULL, ?1)
    ON CONFLICT (revision) DO UPDATE SET value = excluded.value`,
  isOnDisk: `
    SELECT deleted FROM main.entries WHERE revision IN (
      SELECT revision FROM memory.by_key WHERE key = ?1
      UNION ALL SELECT max(revision) FROM main.by_key WHERE key = ?1)
    ORDER BY revision DESC LIMIT 1`,
  insertIndex: `INSERT INTO memory.by_key VALUES (?1, ?2, ?3)`,
  // Of what lies on disk; volatile versions are indexed when they settle.
  indexTail: `
    INSERT INTO main.by_key SELECT * FROM memory.by_key AS k
    WHERE NOT EXISTS (SELECT 1 FROM memory.entries AS e WHERE e.revision = k.revision)
    ORDER BY key, revision`,
  forgetTail: `
    DELETE FROM memory.by_key
    WHERE NOT EXISTS (SELECT 1 FROM memory.entries AS e WHERE e.revision = by_key.revision)`,
  // What settled late is in the index already, though its revision may be a high one.
  recoverTail: `
    INSERT INTO memory.by_key SELECT key, revision, deleted FROM main.entries AS e
    WHERE revision > ?1 AND NOT EXISTS
      (SELECT 1 FROM main.by_key AS k WHERE k.key = e.key AND k.revision = e.revision)`,
  freePages: `PRAGMA main.freelist_count`,
  pages: `PRAGMA main.page_count`,
  touchNotes: `UPDATE main.entries SET created = 1 - created WHERE revision = 0`,
  measureLog: `PRAGMA main.wal_checkpoint(NOOP)`,
  copyLog: `PRAGMA main.wal_checkpoint(PASSIVE)`,
  volatileKeys: `SELECT DISTINCT key FROM memory.entries WHERE revision <= ?1`,
  settleEntries: `INSERT INTO main.entries SELECT * FROM memory.entries WHERE revision <= ?1`,
  settleIndex: `
    INSERT INTO main.by_key SELECT key, revision, deleted FROM memory.entries WHERE revision <= ?1`,
  settledFromIndex: `
    DELETE FROM memory.by_key
    WHERE revision IN (SELECT revision FROM memory.entries WHERE revision <= ?1)`,
  settledFromEntries: `DELETE FROM memory.entries WHERE revision <= ?1`,
}

const areaSql = (area: Area) => ({
  fetch: `SELECT * FROM ${area}.entries WHERE revision = ?1`,
  insert: `INSERT INTO ${area}.entries VALUES (?1, ?2, ?3, ?4, ?5, ?6)`,
  stepEnd: `SELECT revision FROM ${area}.entries WHERE revision > ?1 AND revision <= ?2
    ORDER BY revision LIMIT 1 OFFSET ?3`,
  forgetEntries: `DELETE FROM ${area}.entries WHERE revision IN
    (SELECT k.revision FROM memory.kept AS n CROSS JOIN ${area}.by_key AS k
      ON k.key = n.key AND k.revision < n.revision)`,
  forgetIndex: `DELETE FROM ${area}.by_key WHERE (key, revision) IN
    (SELECT k.key, k.revision FROM memory.kept AS n CROSS JOIN ${area}.by_key AS k
      ON k.key = n.key AND k.revision < n.revision)`,
  nextExpiry: `SELECT min(expires) AS at FROM ${area}.entries WHERE expires > ?1`,
  expired: `SELECT DISTINCT key FROM ${area}.entries WHERE expires > ?1 AND expires <= ?2`,
})

const PRAGMAS = [
  'journal_mode = WAL',
  // The store syncs the log itself, off the event loop, before it acknowledges a write.
  'synchronous = NORMAL',
  'wal_autocheckpoint = 0',
  'temp_store = MEMORY',
  // A person may look into the file with SQLite's own tool.
  'busy_timeout = 1000',
]

type Statements<T> = Record<keyof T, Statement>

/** Typed statements over one open database. Holds no state but the statements. */
export class Tables {
  readonly #db: Database
  readonly #sql: Statements<typeof SQL>
  readonly #of: Record<Area, Statements<ReturnType<typeof areaSql>>>
  readonly #begin: Statement
  readonly #commit: Statement
  readonly #rollback: Statement
  readonly #all: Statement[] = []

  /** `path` may be ':memory:'. Throws what SQLite throws for a file that is none of its own. */
  constructor(path: string) {
    this.#db = openDatabase(path)
    const prepare = <T extends Record<string, string>>(sql: T) =>
      Object.fromEntries(
        Object.entries(sql).map(([name, text]) => [name, this.#prepare(text)]),
      ) as Statements<T>
    this.#sql = prepare(SQL)
    this.#of = { main: prepare(areaSql('main')), memory: prepare(areaSql('memory')) }
    this.#begin = this.#prepare('BEGIN IMMEDIATE')
    this.#commit = this.#prepare('COMMIT')
    this.#rollback = this.#prepare('ROLLBACK')
  }

  /** All or nothing. */
  transaction<T>(body: () => T): T {
    this.#begin.run()
    try {
      const result = body()
      this.#commit.run()
      return result
    } catch (error) {
      // SQLite has already rolled back by itself after some errors, a full disk among them.
      if (this.#db.inTransaction) this.#rollback.run()
      throw error
    }
  }

  /** The version that was the newest of `key` at `revision`; it may be a deletion. */
  at(key: string, revision: number): Version | undefined {
    const { revision: newest } = this.#sql.newest.get(key, revision) as { revision: number }
    if (newest < 0) return undefined
    const found = this.#of.main.fetch.get(newest) ?? this.#of.memory.fetch.get(newest)
    return found as Version
  }

  /** Whether the newest version of `key` on disk, or soon there, is a living one. */
  isOnDisk(key: string): boolean {
    return (this.#sql.isOnDisk.get(key) as { deleted: number } | null)?.deleted === 0
  }

  insert(area: Area, { revision, key, created, deleted, expires, value }: Version): void {
    this.#of[area].insert.run(revision, key, created, deleted, expires, value)
    this.#sql.insertIndex.run(key, revision, deleted)
  }

  /** Living entries of the range at `revision` in key order; all with a negative limit. */
  page({ from, to }: Range, revision: number, limit: number): Entry[] {
    const settled = this.#sql.settledPage.all(from, to, revision, limit) as Entry[]
    const unsettled = this.#sql.unsettledPage.all(from, to, revision, limit) as Entry[]
    return mergeByKey(settled, unsettled, limit < 0 ? Infinity : limit)
  }

  /** How many entries of the range were living at `revision`. */
  count({ from, to }: Range, revision: number): number {
    const { settledCount, unsettledCount } = this.#sql
    return [settledCount, unsettledCount]
      .map((statement) => (statement.get(from, to, revision) as { n: number }).n)
      .reduce((a, b) => a + b)
  }

  /** Versions after `from` up to `to` in revision order. */
  history(from: number, to: number, range: Range): Version[] {
    return this.#sql.history.all(from, to, range.from, range.to) as Version[]
  }

  /** How far one may go from `from` towards `to` without meeting more than `rowsMax` versions. */
  stepEnd(area: Area, from: number, to: number, rowsMax: number): number {
    const row = this.#of[area].stepEnd.get(from, to, rowsMax - 1) as { revision: number } | null
    return row?.revision ?? to
  }

  /** Keys with a volatile version up to `revision`. */
  volatileKeys(revision: number): string[] {
    return this.#sql.volatileKeys.values(revision).map((row) => row[0] as string)
  }

  /**
   * Forgets what was superseded or deleted by `to`, of keys with a version after `from`. Everything
   * on disk must be in the index there. Returns whether the disk was concerned.
   */
  compact(from: number, to: number): boolean {
    const { changes } = this.#sql.noteNewestOnDisk.run(from, to)
    this.#forgetNoted(['main', 'memory'])
    // A crash takes the volatile versions, so what was the newest on disk stays there.
    this.#sql.noteNewestVolatile.run(from, to)
    this.#forgetNoted(['memory'])
    // A volatile deletion that hides a living version on disk stays until it is settled.
    this.#sql.noteBareDeletions.run(from, to)
    this.#forgetNoted(['memory'])
    return changes > 0
  }

  /** The same for `keys` on disk. */
  compactKeys(keys: readonly string[], to: number): void {
    for (const key of keys) this.#sql.noteNewestOf.run(key, to)
    this.#forgetNoted(['main'])
  }

  #forgetNoted(areas: readonly Area[]): void {
    for (const area of areas) {
      this.#of[area].forgetEntries.run()
      this.#of[area].forgetIndex.run()
    }
    this.#sql.clearNoted.run()
  }

  /** The first expiry after `afterMs`. */
  nextExpiry(afterMs: number): number | undefined {
    const times = [this.#of.main, this.#of.memory].map(
      (area) => (area.nextExpiry.get(afterMs) as { at: number | null }).at ?? Infinity,
    )
    const next = Math.min(...times)
    return next === Infinity ? undefined : next
  }

  /** Keys with a version that expires after `afterMs` and not later than `untilMs`. */
  expired(afterMs: number, untilMs: number): string[] {
    const rows = [this.#of.main, this.#of.memory].flatMap((area) =>
      area.expired.values(afterMs, untilMs),
    )
    return [...new Set(rows.map((row) => row[0] as string))]
  }

  /** The highest revision on disk; 0 for none. */
  newestOnDisk(): number {
    return (this.#sql.newestOnDisk.get() as { revision: number }).revision
  }

  /** Writes the places of what is on disk into the index there. */
  indexTail(): void {
    this.#sql.indexTail.run()
    this.#sql.forgetTail.run()
  }

  /** Finds what is not in the index after a crash; `indexed` is the last that surely is. */
  recoverTail(indexed: number): number {
    return this.#sql.recoverTail.run(indexed).changes
  }

  /** Moves the volatile versions up to `revision` to disk, and into the index there. */
  settle(revision: number): void {
    const { settleEntries, settleIndex, settledFromIndex, settledFromEntries } = this.#sql
    for (const statement of [settleEntries, settleIndex, settledFromIndex, settledFromEntries]) {
      statement.run(revision)
    }
  }

  readNotes(): Notes | undefined {
    const row = this.#sql.readNotes.get() as { value: string } | null
    return row === null ? undefined : (JSON.parse(row.value) as Notes)
  }

  writeNotes(notes: Notes): void {
    this.#sql.writeNotes.run(JSON.stringify(notes))
  }

  /** What is wrong with the file, in SQLite's words; undefined when nothing is. */
  check(): string | undefined {
    const rows = this.#prepare('PRAGMA main.quick_check(5)').values()
    const faults = rows.map((row) => row[0] as string)
    return faults[0] === 'ok' ? undefined : faults.join('; ')
  }

  /** How many pages the file has, and how many of them are free. */
  pages(): { free: number; total: number } {
    const [free, total] = [this.#sql.freePages, this.#sql.pages].map(
      (statement) => statement.values()[0]![0] as number,
    )
    return { free: free!, total: total! }
  }

  /** Gives up to so many free pages back to the file system. */
  shrink(pageCount: number): void {
    this.#db.run(`PRAGMA main.incremental_vacuum(${pageCount})`)
  }

  /** Writes the file anew, with nothing in it but what counts: in memory first, and in one go. */
  rewrite(): void {
    this.#db.run('VACUUM main')
  }

  /** Pages in the log that are not in the file yet. */
  logPages(): number {
    const state = this.#sql.measureLog.get() as { log: number; checkpointed: number }
    return state.log - state.checkpointed
  }

  /**
   * Copies the log into the file, as far as no reader needs the file as it is, and waits for no
   * disk. Until the file is synced the log must not begin anew: either a `LogPin` is held, or
   * nothing is written.
   */
  copyLog(): void {
    this.#withoutSync(() => this.#sql.copyLog.get())
  }

  /**
   * Begins the log anew, when all of it is in the file and that is synced, and waits for no disk.
   * Until the log is synced nothing may follow: this is one page, of which a power cut leaves all
   * or nothing valid, but a second one could survive over an old first one.
   */
  restartLog(): void {
    this.#withoutSync(() => this.#sql.touchNotes.run())
  }

  #withoutSync(body: () => void): void {
    this.#db.run('PRAGMA main.synchronous = OFF')
    try {
      body()
    } finally {
      this.#db.run('PRAGMA main.synchronous = NORMAL')
    }
  }

  /** Copies the log into the file and removes it, waiting for the disk. */
  close(): void {
    // With statements left, SQLite would only pretend, and finish whenever they are collected.
    for (const statement of this.#all) statement.finalize()
    this.#db.close(true)
  }

  #prepare(sql: string): Statement {
    const statement = this.#db.prepare(sql)
    this.#all.push(statement)
    return statement
  }
}

function openDatabase(path: string): Database {
  const db = new Database(path, { create: true, readwrite: true })
  try {
    // Setting it again would write to the file at every start.
    const isNew = db.query('PRAGMA page_count').values()[0]![0] === 0
    if (isNew) db.run('PRAGMA auto_vacuum = INCREMENTAL')
    for (const pragma of PRAGMAS) db.run(`PRAGMA ${pragma}`)
    db.run(`ATTACH ':memory:' AS memory`)
    db.run(tablesSql('main'))
    db.run(tablesSql('memory'))
    // For compaction: of each key in hand the revision before which everything goes.
    db.run('CREATE TABLE memory.kept (key TEXT PRIMARY KEY, revision INTEGER) WITHOUT ROWID')
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Whether an error means that there is no space left. */
export function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'SQLITE_FULL'
}

/** Both are sorted and have no key in common. */
function mergeByKey(a: Entry[], b: Entry[], limit: number): Entry[] {
  if (b.length === 0) return a
  const merged: Entry[] = []
  for (let i = 0, j = 0; merged.length < limit && i + j < a.length + b.length; ) {
    const takesA = j === b.length || (i < a.length && a[i]!.key < b[j]!.key)
    merged.push(takesA ? a[i++]! : b[j++]!)
  }
  return merged
}
