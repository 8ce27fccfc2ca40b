// The only SQL of the project: one table, kept twice.
//
//   main.entries       on disk: what was written to stay
//   volatile.entries   in memory: heartbeats and the like, moved to disk now and then
//
// A row is one version of one key; a deletion is a row without a value. Every revision is in exactly
// one of the two tables, and the newest version of a key is the one with the highest revision.
// Row 0, under the empty key, holds the notes of the store itself.

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

export type Area = 'main' | 'volatile'

/** What the store notes about itself, in row 0. */
export type Notes = {
  format: number
  /** History up to here is gone. */
  compacted: number
  /** Revisions up to here may have been given to volatile writes that a crash forgot. */
  reserved: number
  /** Folders of keys that hold volatile ones; none after a clean stop. */
  volatile: string[]
  /** What a crash has cost: the past of these folders is not known before that revision. */
  lost: { before: number; folders: string[] }
}

/** From the first key to before the last. Keys are printable ASCII, so text order is byte order. */
export type Range = { from: string; to: string }

export const FORMAT = 1

const tableSql = (area: Area) => `
  CREATE TABLE IF NOT EXISTS ${area}.entries (
    revision INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    created INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    expires INTEGER,
    value TEXT NOT NULL
  );
  CREATE INDEX IF NOT EXISTS ${area}.by_key ON entries (key, revision, deleted);
  CREATE INDEX IF NOT EXISTS ${area}.by_expiry ON entries (expires) WHERE expires IS NOT NULL;
`

/** The newest version of every key in the range at a revision, deletions included. */
const newestSql = (area: Area) => `
  SELECT key, max(revision) AS revision, deleted FROM ${area}.entries
  WHERE key >= ?1 AND key < ?2 AND revision <= ?3 GROUP BY key`
const newestOfBothSql = `
  SELECT key, max(revision) AS revision, deleted FROM (
    SELECT key, revision, deleted FROM main.entries
    WHERE key >= ?1 AND key < ?2 AND revision <= ?3
    UNION ALL
    SELECT key, revision, deleted FROM volatile.entries
    WHERE key >= ?1 AND key < ?2 AND revision <= ?3
  ) GROUP BY key`

const SQL = {
  pageOfMain: `
    SELECT e.key, e.value, e.created, e.revision FROM (${newestSql('main')}) AS newest
    JOIN main.entries AS e ON e.revision = newest.revision
    WHERE newest.deleted = 0 ORDER BY newest.key LIMIT ?4`,
  pageOfBoth: `
    SELECT newest.key, coalesce(m.value, v.value) AS value,
      coalesce(m.created, v.created) AS created, newest.revision
    FROM (${newestOfBothSql}) AS newest
    LEFT JOIN main.entries AS m ON m.revision = newest.revision
    LEFT JOIN volatile.entries AS v ON v.revision = newest.revision
    WHERE newest.deleted = 0 ORDER BY newest.key LIMIT ?4`,
  countMain: `SELECT count(*) AS n FROM (${newestSql('main')}) WHERE deleted = 0`,
  countBoth: `SELECT count(*) AS n FROM (${newestOfBothSql}) WHERE deleted = 0`,
  history: `
    SELECT * FROM main.entries WHERE revision > ?1 AND revision <= ?2 AND key >= ?3 AND key < ?4
    UNION ALL
    SELECT * FROM volatile.entries
    WHERE revision > ?1 AND revision <= ?2 AND key >= ?3 AND key < ?4
    ORDER BY revision`,
  settle: `INSERT INTO main.entries SELECT * FROM volatile.entries WHERE revision <= ?1`,
  settled: `DELETE FROM volatile.entries WHERE revision <= ?1`,
  readNotes: `SELECT value FROM main.entries WHERE revision = 0`,
  writeNotes: `
    INSERT INTO main.entries VALUES (0, '', 0, 0, NULL, ?1)
    ON CONFLICT (revision) DO UPDATE SET value = excluded.value`,
}

const areaSql = (area: Area) => ({
  at: `SELECT * FROM ${area}.entries WHERE key = ?1 AND revision <= ?2
    ORDER BY revision DESC LIMIT 1`,
  insert: `INSERT INTO ${area}.entries VALUES (?1, ?2, ?3, ?4, ?5, ?6)`,
  stepEnd: `SELECT revision FROM ${area}.entries WHERE revision > ?1 AND revision <= ?2
    ORDER BY revision LIMIT 1 OFFSET ?3`,
  keysBetween: `SELECT DISTINCT key FROM ${area}.entries WHERE revision > ?1 AND revision <= ?2`,
  forgetBefore: `DELETE FROM ${area}.entries WHERE key = ?1 AND revision < ?2`,
  forget: `DELETE FROM ${area}.entries WHERE revision = ?1`,
  nextExpiry: `SELECT min(expires) AS at FROM ${area}.entries WHERE expires > ?1`,
  expired: `SELECT DISTINCT key FROM ${area}.entries WHERE expires > ?1 AND expires <= ?2`,
  newestRevision: `SELECT max(revision) AS revision FROM ${area}.entries`,
})

type AreaStatements = Record<keyof ReturnType<typeof areaSql>, Statement>

/** Typed statements over one open database. Holds no state but the statements. */
export class Tables {
  readonly #db: Database
  readonly #sql: Record<keyof typeof SQL, Statement>
  readonly #of: Record<Area, AreaStatements>
  readonly #begin: Statement
  readonly #commit: Statement
  readonly #rollback: Statement

  /** `path` may be ':memory:'. Throws what SQLite throws for a file that is none of its own. */
  constructor(path: string) {
    this.#db = openDatabase(path)
    const prepare = <T extends Record<string, string>>(sql: T) =>
      Object.fromEntries(
        Object.entries(sql).map(([name, text]) => [name, this.#db.prepare(text)]),
      ) as Record<keyof T, Statement>
    this.#sql = prepare(SQL)
    this.#of = { main: prepare(areaSql('main')), volatile: prepare(areaSql('volatile')) }
    this.#begin = this.#db.prepare('BEGIN IMMEDIATE')
    this.#commit = this.#db.prepare('COMMIT')
    this.#rollback = this.#db.prepare('ROLLBACK')
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
  at(area: Area, key: string, revision: number): Version | undefined {
    return (this.#of[area].at.get(key, revision) as Version | null) ?? undefined
  }

  insert(area: Area, row: Version): void {
    const { revision, key, created, deleted, expires, value } = row
    this.#of[area].insert.run(revision, key, created, deleted, expires, value)
  }

  /** Living entries of the range at `revision`, in key order. */
  page(both: boolean, range: Range, revision: number, limit: number): Entry[] {
    const statement = both ? this.#sql.pageOfBoth : this.#sql.pageOfMain
    return statement.all(range.from, range.to, revision, limit) as Entry[]
  }

  count(both: boolean, range: Range, revision: number): number {
    const statement = both ? this.#sql.countBoth : this.#sql.countMain
    return (statement.get(range.from, range.to, revision) as { n: number }).n
  }

  /** Versions after `from` up to `to` in revision order. */
  history(from: number, to: number, range: Range): Version[] {
    return this.#sql.history.all(from, to, range.from, range.to) as Version[]
  }

  /** How far one may go from `from` towards `to` without meeting more than `rowsMax` rows. */
  stepEnd(area: Area, from: number, to: number, rowsMax: number): number {
    const row = this.#of[area].stepEnd.get(from, to, rowsMax - 1) as { revision: number } | null
    return row?.revision ?? to
  }

  keysBetween(area: Area, from: number, to: number): string[] {
    return this.#of[area].keysBetween.values(from, to).map((row) => row[0] as string)
  }

  /** Removes the versions of `key` before `revision`; returns how many. */
  forgetBefore(area: Area, key: string, revision: number): number {
    return this.#of[area].forgetBefore.run(key, revision).changes
  }

  forget(area: Area, revision: number): void {
    this.#of[area].forget.run(revision)
  }

  /** The first expiry after `afterMs`. */
  nextExpiry(afterMs: number): number | undefined {
    const times = [this.#of.main, this.#of.volatile].map(
      (area) => (area.nextExpiry.get(afterMs) as { at: number | null }).at ?? Infinity,
    )
    const next = Math.min(...times)
    return next === Infinity ? undefined : next
  }

  /** Keys with a version that expires after `afterMs` and not later than `untilMs`. */
  expired(afterMs: number, untilMs: number): string[] {
    const rows = [this.#of.main, this.#of.volatile].flatMap((area) =>
      area.expired.values(afterMs, untilMs),
    )
    return [...new Set(rows.map((row) => row[0] as string))]
  }

  /** The highest revision on disk; 0 for none. */
  newestOnDisk(): number {
    return (this.#of.main.newestRevision.get() as { revision: number | null }).revision ?? 0
  }

  /** What is wrong with the file, in SQLite's words; undefined when nothing is. */
  check(): string | undefined {
    const rows = this.#db.query('PRAGMA main.quick_check(5)').values()
    const faults = rows.map((row) => row[0] as string)
    return faults[0] === 'ok' ? undefined : faults.join('; ')
  }

  readNotes(): Notes | undefined {
    const row = this.#sql.readNotes.get() as { value: string } | null
    return row === null ? undefined : (JSON.parse(row.value) as Notes)
  }

  writeNotes(notes: Notes): void {
    this.#sql.writeNotes.run(JSON.stringify(notes))
  }

  /** Moves the volatile versions up to `revision` to disk. */
  settle(revision: number): void {
    this.#sql.settle.run(revision)
    this.#sql.settled.run(revision)
  }

  close(): void {
    this.#db.close()
  }
}

function openDatabase(path: string): Database {
  const db = new Database(path, { create: true, readwrite: true })
  for (const pragma of [
    'auto_vacuum = INCREMENTAL',
    'journal_mode = WAL',
    // The store syncs the log itself, off the event loop, before it acknowledges a write.
    'synchronous = NORMAL',
    'wal_autocheckpoint = 0',
    'temp_store = MEMORY',
  ]) {
    db.run(`PRAGMA ${pragma}`)
  }
  db.run(`ATTACH ':memory:' AS volatile`)
  db.run(tableSql('main'))
  db.run(tableSql('volatile'))
  return db
}
