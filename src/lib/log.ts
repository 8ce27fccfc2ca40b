// One line per event, as JSON or text. Secrets never reach it: callers pass names, not bodies.

import type { Clock } from './clock.ts'
import { Folding, kindOfText } from './log-folding.ts'

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

export function createLog(
  options: LogOptions,
  fields: Fields = {},
  folding = new Folding(options.clock),
): Log {
  const at =
    (level: Level) =>
    (message: string, more: Fields = {}) => {
      if (RANK[level] < RANK[options.level]) return
      const timeMs = options.clock.nowMs()
      const event = plain({ ...fields, ...more })
      const write = (folded: number) => {
        const counted = folded === 0 ? event : { ...event, folded }
        options.write(formatLine(options.format, { timeMs, level, message }, counted))
      }
      // Who asked for details gets all of them.
      if (level === 'debug') write(0)
      else folding.line(kindOf(level, message, event), write)
    }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (more) => createLog(options, { ...fields, ...more }, folding),
  }
}

type Head = { timeMs: number; level: Level; message: string }

function formatLine(format: 'json' | 'text', { timeMs, level, message }: Head, event: Fields) {
  const time = new Date(timeMs).toISOString()
  if (format === 'json') return JSON.stringify({ time, level, message, ...event })
  const pairs = Object.entries(event).map(([key, value]) => `${key}=${quoted(value)}`)
  return [time, level.toUpperCase().padEnd(5), message, ...pairs].join(' ')
}

/** Of troubles, what went wrong and where; what went well is the same only when all of it is. */
function kindOf(level: Level, message: string, event: Fields): string {
  if (level === 'info') return `${message} ${JSON.stringify(event)}`
  return [level, message, event.controller, kindOfText(String(event.error ?? ''))].join('|')
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
  if (value instanceof Error) return describeError(value)
  if (typeof value === 'number') return rounded(value)
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
  return plain(value as Fields)
}

/** Nobody reads the seventh digit of a measured time. */
function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3))
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
