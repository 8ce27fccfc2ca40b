// Durations as Go writes them (`1m30s`) and as kubectl shows ages (`5m3s`, `2d4h`).

import { own } from '../lib/own.ts'

const UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

/** The text is no duration. The message is Go's and stands alone. */
export class DurationError extends Error {
  override readonly name = 'DurationError'
}

/** A number and its unit. */
const PART = /(\d+\.?\d*|\.\d+)([^\d.]*)/y

/** `300ms`, `-1.5h`, `2h45m` in milliseconds. Throws DurationError. */
export function parseDuration(text: string): number {
  const unsigned = text.replace(/^[+-]/, '')
  if (unsigned === '0') return 0
  let ms = 0
  if (unsigned === '') throw new DurationError(`time: invalid duration ${JSON.stringify(text)}`)
  for (let at = 0; at < unsigned.length; ) {
    PART.lastIndex = at
    const match = PART.exec(unsigned)
    if (match === null) throw new DurationError(`time: invalid duration ${JSON.stringify(text)}`)
    const [whole, amount, unit] = match
    if (unit === '')
      throw new DurationError(`time: missing unit in duration ${JSON.stringify(text)}`)
    const unitMs = own(UNITS_MS, unit!)
    if (unitMs === undefined) {
      const [quotedUnit, quotedText] = [JSON.stringify(unit), JSON.stringify(text)]
      throw new DurationError(`time: unknown unit ${quotedUnit} in duration ${quotedText}`)
    }
    ms += Number(amount) * unitMs
    at += whole.length
  }
  return text.startsWith('-') ? -ms : ms
}

/** As Go's Duration.String: `1h0m0s`, `1.5s`, `200ms`, `0s`. */
export function formatDuration(ms: number): string {
  const sign = ms < 0 ? '-' : ''
  const ns = Math.round(Math.abs(ms) * 1e6)
  if (ns === 0) return '0s'
  if (ns < 1e3) return `${sign}${ns}ns`
  if (ns < 1e6) return `${sign}${trimmed(ns / 1e3, 3)}µs`
  if (ns < 1e9) return `${sign}${trimmed(ns / 1e6, 6)}ms`
  const wholeSeconds = Math.floor(ns / 1e9)
  const seconds = trimmed((wholeSeconds % 60) + (ns % 1e9) / 1e9, 9)
  const minutes = Math.floor(wholeSeconds / 60)
  if (minutes === 0) return `${sign}${seconds}s`
  const hours = Math.floor(minutes / 60)
  return `${sign}${hours === 0 ? '' : `${hours}h`}${minutes % 60}m${seconds}s`
}

/** An age with two or three significant figures, as kubectl shows it. */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1000)
  // Clocks of two machines differ a little: two seconds into the future count as now.
  if (seconds < -1) return '<invalid>'
  if (seconds < 0) return '0s'
  if (seconds < 120) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 10) return pair(minutes, 'm', seconds % 60, 's')
  if (minutes < 180) return `${minutes}m`
  const hours = Math.floor(minutes / 60)
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm')
  if (hours < 48) return `${hours}h`
  const days = Math.floor(hours / 24)
  if (days < 8) return pair(days, 'd', hours % 24, 'h')
  if (days < 730) return `${days}d`
  const years = Math.floor(days / 365)
  return years < 8 ? pair(years, 'y', days % 365, 'd') : `${years}y`
}

function pair(large: number, unit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${unit}` : `${large}${unit}${small}${smallUnit}`
}

function trimmed(value: number, digits: number): string {
  return value.toFixed(digits).replace(/\.?0+$/, '')
}
