// Schedules: five fields, or a word with an @. Read, and followed, as robfig/cron 3 does.

import { own } from '../../lib/own.ts'
import { DurationError, parseDuration } from '../duration.ts'
import { type ZoneOffset, zoneOffset } from './time-zone.ts'

export type Schedule = {
  /** The first time after `ms`; undefined when there is none within five years. */
  nextMs(ms: number): number | undefined
  /** The last time after `afterMs` that is not after `nowMs`; undefined when there is none. */
  lastMs(afterMs: number, nowMs: number): number | undefined
}

/** The text is no schedule. The message is upstream's and stands alone. */
export class ScheduleError extends Error {
  override readonly name = 'ScheduleError'
}

const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
/** Go's durations end here. */
const DURATION_MS_MAX = 2 ** 63 / 1e6
const YEARS_MAX = 5

/** Values that a field allows; `isStar` when it allows all because it says `*`. */
type Field = { values: ReadonlySet<number>; isStar: boolean }
type Fields = { minute: Field; hour: Field; day: Field; month: Field; weekday: Field }
type Bounds = { min: number; max: number; names?: Readonly<Record<string, number>> }

const MINUTES: Bounds = { min: 0, max: 59 }
const HOURS: Bounds = { min: 0, max: 23 }
const DAYS: Bounds = { min: 1, max: 31 }
const MONTHS: Bounds = {
  min: 1,
  max: 12,
  names: numbered('jan feb mar apr may jun jul aug sep oct nov dec', 1),
}
const WEEKDAYS: Bounds = { min: 0, max: 6, names: numbered('sun mon tue wed thu fri sat', 0) }

const WORDS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
}

function numbered(names: string, first: number): Readonly<Record<string, number>> {
  return Object.fromEntries(names.split(' ').map((name, index) => [name, index + first]))
}

/**
 * `zone` is a name of the time zone that counts, unless the text brings its own (`TZ=UTC * …`).
 * Throws ScheduleError.
 */
export function parseSchedule(text: string, zone = 'UTC'): Schedule {
  if (text === '') throw new ScheduleError('empty spec string')
  let [rest, zoneName] = [text, zone]
  if (/^(CRON_)?TZ=/.test(text)) {
    const space = text.indexOf(' ')
    // Upstream's library panics here, and the panic is the answer.
    if (space < 0) throw new ScheduleError(`invalid schedule format: ${OUT_OF_RANGE}`)
    zoneName = text.slice(text.indexOf('=') + 1, space)
    rest = text.slice(space).trim()
  }
  const offset = zoneOffset(zoneName)
  if (offset === undefined) {
    throw new ScheduleError(`provided bad location ${zoneName}: unknown time zone ${zoneName}`)
  }
  if (!rest.startsWith('@')) return scheduleOf(parseFields(rest), offset)
  const fields = own(WORDS, rest)
  if (fields !== undefined) return scheduleOf(parseFields(fields), offset)
  if (rest.startsWith(EVERY)) return every(rest)
  throw new ScheduleError(`unrecognized descriptor: ${rest}`)
}

const OUT_OF_RANGE = 'runtime error: slice bounds out of range [:-1]'
const EVERY = '@every '

/** Counts from the last time, in whole seconds, wherever that was. */
function every(text: string): Schedule {
  const duration = text.slice(EVERY.length)
  const ms = readDuration(text, duration)
  const delayMs = Math.max(SECOND_MS, Math.floor(ms / SECOND_MS) * SECOND_MS)
  const wholeMs = (atMs: number) => Math.floor(atMs / SECOND_MS) * SECOND_MS
  return {
    nextMs: (afterMs) => wholeMs(afterMs) + delayMs,
    lastMs(afterMs, nowMs) {
      const times = Math.floor((nowMs - wholeMs(afterMs)) / delayMs)
      return times < 1 ? undefined : wholeMs(afterMs) + times * delayMs
    },
  }
}

function readDuration(text: string, duration: string): number {
  const failed = (why: string) => new ScheduleError(`failed to parse duration ${text}: ${why}`)
  let ms: number
  try {
    ms = parseDuration(duration)
  } catch (error) {
    if (error instanceof DurationError) throw failed(error.message)
    throw error
  }
  if (Math.abs(ms) < DURATION_MS_MAX) return ms
  throw failed(`time: invalid duration ${JSON.stringify(duration)}`)
}

function parseFields(text: string): Fields {
  const words = text.split(/\s+/).filter((word) => word !== '')
  if (words.length !== 5) {
    const found = `found ${words.length}: [${words.join(' ')}]`
    throw new ScheduleError(`expected exactly 5 fields, ${found}`)
  }
  const [minute, hour, day, month, weekday] = words as [string, string, string, string, string]
  return {
    minute: parseField(minute, MINUTES),
    hour: parseField(hour, HOURS),
    day: parseField(day, DAYS),
    month: parseField(month, MONTHS),
    weekday: parseField(weekday, WEEKDAYS),
  }
}

function parseField(text: string, bounds: Bounds): Field {
  const ranges = text.split(',').filter((range) => range !== '')
  const values = new Set<number>()
  let isStar = false
  for (const range of new Set(ranges)) {
    const { start, end, step, allows } = parseRange(range, bounds)
    for (let value = start; value <= end; value += step) values.add(value)
    isStar ||= allows === 'all'
  }
  return { values, isStar }
}

/** `*`, `5`, `1-5`, each with `/2` behind it; `5/10` goes on to the end. */
function parseRange(text: string, bounds: Bounds) {
  const [range = '', stepText, ...more] = text.split('/')
  const [low = '', high, ...hyphens] = range.split('-')
  const isAny = low === '*' || low === '?'
  let [start, end] = [bounds.min, bounds.max]
  if (!isAny) {
    start = parseValue(low, bounds)
    if (hyphens.length > 0) throw new ScheduleError(`too many hyphens: ${text}`)
    end = high === undefined ? start : parseValue(high, bounds)
  }
  if (more.length > 0) throw new ScheduleError(`too many slashes: ${text}`)
  const step = stepText === undefined ? 1 : parseNumber(stepText)
  if (stepText !== undefined && high === undefined) end = bounds.max
  if (start < bounds.min) {
    const below = `beginning of range (${start}) below minimum (${bounds.min})`
    throw new ScheduleError(`${below}: ${text}`)
  }
  if (end > bounds.max) {
    throw new ScheduleError(`end of range (${end}) above maximum (${bounds.max}): ${text}`)
  }
  if (start > end) {
    const beyond = `beginning of range (${start}) beyond end of range (${end})`
    throw new ScheduleError(`${beyond}: ${text}`)
  }
  if (step === 0) throw new ScheduleError(`step of range should be a positive number: ${text}`)
  return { start, end, step, allows: isAny && step === 1 ? 'all' : 'some' }
}

function parseValue(text: string, { names }: Bounds): number {
  return own(names, text.toLowerCase()) ?? parseNumber(text)
}

function parseNumber(text: string): number {
  const failed = (why: string) => {
    const parsing = `strconv.Atoi: parsing ${JSON.stringify(text)}: ${why}`
    return new ScheduleError(`failed to parse int from ${text}: ${parsing}`)
  }
  if (!/^[+-]?\d+$/.test(text)) throw failed('invalid syntax')
  const value = BigInt(text.replace(/^\+/, ''))
  if (BigInt.asIntN(64, value) !== value) throw failed('value out of range')
  if (value < 0n) throw new ScheduleError(`negative number (${value}) not allowed: ${text}`)
  return Number(value)
}

/**
 * Follows the clocks of a zone. Month, day, hour and minute are put right in turn, and each that
 * goes round begins again with the month.
 */
function scheduleOf(fields: Fields, offset: ZoneOffset): Schedule {
  const nextMs = (afterMs: number) => walkToNext(fields, offset, afterMs)
  return { nextMs, lastMs: (afterMs, nowMs) => lastBefore(nextMs, afterMs, nowMs) }
}

function walkToNext(fields: Fields, offset: ZoneOffset, afterMs: number): number | undefined {
  const walk = new Walk(Math.floor(afterMs / SECOND_MS) * SECOND_MS + SECOND_MS, offset)
  const lastYear = walk.year + YEARS_MAX
  while (walk.year <= lastYear) {
    if (walkToMonth(walk, fields) && walkToDay(walk, fields) && walkToTime(walk, fields)) {
      return walk.ms
    }
  }
  return undefined
}

/** Halves what is left, because there may be millions of times in between. */
function lastBefore(
  nextMs: (afterMs: number) => number | undefined,
  afterMs: number,
  nowMs: number,
): number | undefined {
  let last = nextMs(afterMs)
  if (last === undefined || last > nowMs) return undefined
  for (let endMs = nowMs; endMs - last >= SECOND_MS; ) {
    const middleMs = last + Math.floor((endMs - last) / 2)
    const next = nextMs(middleMs)
    if (next === undefined || next > nowMs) endMs = middleMs
    else last = next
  }
  return last
}

/** Each of these is false when its field went round, so that what is above may have changed. */
function walkToMonth(walk: Walk, { month }: Fields): boolean {
  while (!month.values.has(walk.month)) {
    walk.cut((year, monthOfYear) => [year, monthOfYear, 1])
    walk.to(walk.year, walk.month + 1, walk.day, walk.timeOfDayMs)
    if (walk.month === 1) return false
  }
  return true
}

function walkToDay(walk: Walk, fields: Fields): boolean {
  while (!matchesDay(walk, fields)) {
    walk.cut((year, month, day) => [year, month, day])
    const beforeMs = walk.ms
    walk.to(walk.year, walk.month, walk.day + 1, walk.timeOfDayMs)
    // Where clocks skip midnight the day begins at one, or the step fell short of it.
    if (walk.hour > 12) walk.ms += (24 - walk.hour) * HOUR_MS
    else walk.ms -= walk.hour * HOUR_MS
    // Samoa once left out a whole day; upstream goes in circles there.
    if (walk.ms <= beforeMs) walk.ms = beforeMs + DAY_MS
    if (walk.day === 1) return false
  }
  return true
}

function walkToTime(walk: Walk, { hour, minute }: Fields): boolean {
  while (!hour.values.has(walk.hour)) {
    walk.cut((year, month, day) => [year, month, day, walk.hour * HOUR_MS])
    walk.ms += HOUR_MS
    if (walk.hour === 0) return false
  }
  while (!minute.values.has(walk.minute)) {
    walk.cutToMinute()
    walk.ms += MINUTE_MS
    if (walk.minute === 0) return false
  }
  if (walk.second === 0) return true
  walk.cutToMinute()
  walk.ms += MINUTE_MS
  return false
}

/** Of the two fields that say which day either may match, unless one of them says any. */
function matchesDay(walk: Walk, { day, weekday }: Fields): boolean {
  const [isDay, isWeekday] = [day.values.has(walk.day), weekday.values.has(walk.weekday)]
  return day.isStar || weekday.isStar ? isDay && isWeekday : isDay || isWeekday
}

/** A moment on its way forward, and what the clocks show then. */
class Walk {
  readonly #offset: ZoneOffset
  #ms: number
  #local: Date
  #isCut = false

  constructor(ms: number, offset: ZoneOffset) {
    this.#offset = offset
    this.#ms = ms
    this.#local = new Date(ms + offset(ms))
  }

  get ms(): number {
    return this.#ms
  }

  set ms(ms: number) {
    this.#ms = ms
    this.#local = new Date(ms + this.#offset(ms))
  }

  get year(): number {
    return this.#local.getUTCFullYear()
  }

  get month(): number {
    return this.#local.getUTCMonth() + 1
  }

  get day(): number {
    return this.#local.getUTCDate()
  }

  get weekday(): number {
    return this.#local.getUTCDay()
  }

  get hour(): number {
    return this.#local.getUTCHours()
  }

  get minute(): number {
    return this.#local.getUTCMinutes()
  }

  get second(): number {
    return this.#local.getUTCSeconds()
  }

  get timeOfDayMs(): number {
    return this.#local.getTime() - Math.floor(this.#local.getTime() / DAY_MS) * DAY_MS
  }

  /** Before the first step what is smaller than the field that steps begins anew. */
  cut(toBegin: (year: number, month: number, day: number) => [number, number, number, number?]) {
    if (this.#isCut) return
    this.#isCut = true
    const [year, month, day, timeMs = 0] = toBegin(this.year, this.month, this.day)
    this.to(year, month, day, timeMs)
  }

  /** Of the clocks: long ago they were not ahead by whole minutes. */
  cutToMinute() {
    this.#isCut = true
    this.ms -= this.second * SECOND_MS
  }

  /** When clocks show this; a time they skip is one of the two beside the gap, as in Go. */
  to(year: number, month: number, day: number, timeMs: number) {
    const localMs = Date.UTC(year, month - 1, day) + timeMs
    const guess = this.#offset(localMs)
    this.ms = localMs - this.#offset(localMs - guess)
  }
}

/** The schedule of a CronJob, in its own time zone where it has one. Throws ScheduleError. */
export function scheduleIn(text: string, timeZone: string | undefined): Schedule {
  return parseSchedule(text, text.includes('TZ') ? 'UTC' : timeZone)
}
