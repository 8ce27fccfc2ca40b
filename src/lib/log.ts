// One line per event, as JSON or text. Secrets never reach it: callers pass names, not bodies.

import type { Clock } from './clock.ts'

export type Level = 'debug' | 'info' | 'warn' | 'error'
export type Fields = Record<string, unknown>

export interface Log {
  debug(message: string, fields?: Fields): void
  info(message: string, fields?: Fields): void
  warn(message: string, fields?: Fields): void
  error(message: string, fields?: Fields): void
  /** A log whose every line carries `fields`. */
  with(fields: Fields): Log
}

const RANK: Record<Level, number> = { debug: 0, info: 1, warn: 2, error: 3 }

export type LogOptions = {
  clock: Clock
  level: Level
  format: 'json' | 'text'
  write: (line: string) => void
}

export function createLog(options: LogOptions, fields: Fields = {}): Log {
  const at =
    (level: Level) =>
    (message: string, more: Fields = {}) => {
      if (RANK[level] < RANK[options.level]) return
      const time = new Date(options.clock.nowMs()).toISOString()
      const event = { ...fields, ...more }
      options.write(options.format === 'json' ? asJson() : asText())

      function asJson() {
        return JSON.stringify({ time, level, message, ...plain(event) })
      }
      function asText() {
        const pairs = Object.entries(plain(event)).map(([key, value]) => `${key}=${quoted(value)}`)
        return [time, level.toUpperCase().padEnd(5), message, ...pairs].join(' ')
      }
    }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (more) => createLog(options, { ...fields, ...more }),
  }
}

/** A log that says nothing, for tests. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  with: () => silentLog,
}

function plain(fields: Fields): Fields {
  const entries = Object.entries(fields).map(([key, value]) => [key, plainValue(value)])
  return Object.fromEntries(entries)
}

function plainValue(value: unknown): unknown {
  return value instanceof Error ? describeError(value) : value
}

function quoted(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return /^[^\s"=]+$/.test(text ?? '') ? text : JSON.stringify(text)
}

/** The message of an error followed by those of its causes. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const own = error.message || error.name
  return error.cause === undefined ? own : `${own}: ${describeError(error.cause)}`
}
