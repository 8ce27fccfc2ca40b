// Second connections to the file of a store, which see it as it was when they began.

import { Database, type Statement } from 'bun:sqlite'
import { tablesSql } from './sqlite.ts'

/** While held, the log does not begin anew. */
export class LogPin {
  readonly #db: Database
  readonly #look: Statement

  constructor(path: string) {
    this.#db = new Database(path, { readonly: true })
    this.#look = this.#db.prepare('SELECT revision FROM entries LIMIT 1')
  }

  hold(): void {
    this.#db.run('BEGIN')
    this.#look.get()
  }

  release(): void {
    this.#db.run('COMMIT')
  }

  close(): void {
    this.#look.finalize()
    this.#db.close(true)
  }
}

/** Copies a store as it is now into a new file, while others go on writing. */
export class Copy {
  readonly #db: Database
  readonly #statements: { end: Statement; copy: Statement }[]
  #table = 0
  #from: [unknown, unknown] = ['', -1]

  /** `target` must not exist. It is not synced. */
  constructor(path: string, target: string) {
    this.#db = new Database(path, { create: false, readwrite: true })
    this.#db.run(`ATTACH '${target.replaceAll("'", "''")}' AS copy`)
    this.#db.run('PRAGMA copy.journal_mode = OFF')
    this.#db.run('PRAGMA copy.synchronous = OFF')
    this.#db.run('PRAGMA copy.auto_vacuum = INCREMENTAL')
    this.#db.run(tablesSql('copy'))
    this.#statements = [
      this.#statementsFor('entries', {
        place: `'', revision`,
        after: 'revision > ?2',
        until: 'revision <= ?4',
      }),
      this.#statementsFor('by_key', {
        place: 'key, revision',
        after: '(key, revision) > (?1, ?2)',
        until: '(key, revision) <= (?3, ?4)',
      }),
    ]
    this.#db.run('BEGIN')
  }

  /** Copies up to `rowsMax` rows. Returns whether there are more. */
  step(rowsMax: number): boolean {
    const { end, copy } = this.#statements[this.#table]!
    const last = end.values(...this.#from, rowsMax - 1)[0] as [unknown, unknown] | undefined
    const until = last ?? ['\x7f', Number.MAX_SAFE_INTEGER]
    copy.run(...this.#from, ...until)
    this.#from = until
    if (last !== undefined) return true
    this.#from = ['', -1]
    return ++this.#table < this.#statements.length
  }

  /** Afterwards the target is whole and in the hands of the operating system. */
  commit(): void {
    this.#db.run('COMMIT')
  }

  /** Without `commit` before, the target is of no use. */
  close(): void {
    for (const { end, copy } of this.#statements) {
      end.finalize()
      copy.finalize()
    }
    this.#db.close(true)
  }

  /** Rows are walked in the order of `place`, two columns that are unique together. */
  #statementsFor(table: string, walk: { place: string; after: string; until: string }) {
    const { place, after, until } = walk
    const rows = `FROM main.${table} WHERE ${after}`
    return {
      end: this.#db.prepare(`SELECT ${place} ${rows} ORDER BY ${place} LIMIT 1 OFFSET ?3`),
      copy: this.#db.prepare(`INSERT INTO copy.${table} SELECT * ${rows} AND ${until}`),
    }
  }
}
