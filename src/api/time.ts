// RFC 3339, as the API reads and writes it.
//
// Go's reader is lenient in some places (one digit for the hour, any fraction) and its errors are
// part of the API's answers, so both are followed here.

/** The text is no time. The message is Go's and stands alone. */
export class TimeError extends Error {
  override readonly name = 'TimeError'
}

type Layout = 'time' | 'microtime'

const LAYOUTS = {
  time: '2006-01-02T15:04:05Z07:00',
  microtime: '2006-01-02T15:04:05.000000Z07:00',
} as const

const PLAIN = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d{6})?Z$/
const DAY_MS = 86_400_000
/** 0001-01-01T00:00:00Z, which Go takes for no time at all. */
const GO_ZERO_MS = -62_135_596_800_000

/** `2026-11-21T12:00:00Z`, as metav1.Time writes it. */
export function formatTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

/** `2026-11-21T12:00:00.000000Z`, as metav1.MicroTime writes it. */
export function formatMicroTime(ms: number): string {
  const totalMicros = Math.round(ms * 1000)
  const wholeMs = Math.floor(totalMicros / 1000)
  const micros = totalMicros - wholeMs * 1000
  return `${new Date(wholeMs).toISOString().slice(0, 23)}${String(micros).padStart(3, '0')}Z`
}

/** Milliseconds since 1970 (with a fraction for microseconds). Throws TimeError. */
export function parseTime(text: string, layout: Layout = 'time'): number {
  return new Reader(text, layout).read()
}

/** The time as the API answers it, or null for Go's zero time. Throws TimeError. */
export function canonicalTime(text: string, layout: Layout): string | null {
  if (isCanonical(text, layout)) return text
  const ms = parseTime(text, layout)
  if (ms === GO_ZERO_MS) return null
  return layout === 'time' ? formatTime(Math.floor(ms / 1000) * 1000) : formatMicroTime(ms)
}

function isCanonical(text: string, layout: Layout): boolean {
  const match = PLAIN.exec(text)
  if (match === null || (match[7] !== undefined) !== (layout === 'microtime')) return false
  const [, year, month, day, hour, minute, second] = match
  // Days after the 28th and the first year are left to the careful reader.
  return (
    year! > '0001' &&
    inRange(month!, '01', '12') &&
    inRange(day!, '01', '28') &&
    hour! <= '23' &&
    minute! <= '59' &&
    second! <= '59'
  )
}

const inRange = (text: string, min: string, max: string) => text >= min && text <= max

/** Reads one time from left to right; what is left to read is `rest`. */
class Reader {
  readonly #text: string
  readonly #layout: Layout
  #rest: string

  constructor(text: string, layout: Layout) {
    this.#text = text
    this.#rest = text
    this.#layout = layout
  }

  read(): number {
    const year = this.#year()
    this.#literal('-')
    const month = this.#two('01')
    if (month < 1 || month > 12) throw this.#outOfRange('month')
    this.#literal('-')
    const day = this.#two('02')
    this.#literal('T')
    const hour = this.#hour()
    this.#literal(':')
    const minute = this.#two('04')
    if (minute > 59) throw this.#outOfRange('minute')
    this.#literal(':')
    const second = this.#two('05')
    if (second > 59) throw this.#outOfRange('second')
    const fractionMs = this.#fraction()
    const offsetMinutes = this.#zone()
    if (this.#rest !== '') throw this.#error(`: extra text: ${quoted(this.#rest)}`)
    if (day < 1 || day > daysIn(year, month)) throw this.#outOfRange('day')
    const atNoon = new Date(0)
    atNoon.setUTCFullYear(year, month - 1, day)
    const dayMs = Math.floor(atNoon.getTime() / DAY_MS) * DAY_MS
    return dayMs + ((hour * 60 + minute - offsetMinutes) * 60 + second) * 1000 + fractionMs
  }

  #year(): number {
    const match = /^\d{4}/.exec(this.#rest)
    if (match === null) throw this.#cannotParse('2006')
    return this.#take(match[0])
  }

  #two(element: string): number {
    const match = /^\d\d/.exec(this.#rest)
    if (match === null) throw this.#cannotParse(element)
    return this.#take(match[0])
  }

  #hour(): number {
    const match = /^\d\d?/.exec(this.#rest)
    if (match === null) throw this.#cannotParse('15')
    const hour = this.#take(match[0])
    if (hour > 23) throw this.#outOfRange('hour')
    return hour
  }

  #fraction(): number {
    if (this.#layout === 'microtime') {
      const match = /^[.,](\d{6})/.exec(this.#rest)
      if (match === null) throw this.#cannotParse('.000000')
      this.#rest = this.#rest.slice(7)
      return Number(match[1]) / 1000
    }
    const match = /^[.,](\d+)/.exec(this.#rest)
    if (match === null) return 0
    this.#rest = this.#rest.slice(match[0].length)
    return Number(`0.${match[1]!.slice(0, 6)}`) * 1000
  }

  /** Minutes east of Greenwich. */
  #zone(): number {
    if (this.#rest.startsWith('Z')) {
      this.#rest = this.#rest.slice(1)
      return 0
    }
    const match = /^([+-])(\d\d):(\d\d)/.exec(this.#rest)
    if (match === null) throw this.#cannotParse('Z07:00')
    if (Number(match[2]) > 24) throw this.#outOfRange('time zone offset hour')
    if (Number(match[3]) > 60) throw this.#outOfRange('time zone offset minute')
    this.#rest = this.#rest.slice(6)
    return (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3]))
  }

  #literal(sign: string) {
    if (!this.#rest.startsWith(sign)) throw this.#cannotParse(sign)
    this.#rest = this.#rest.slice(1)
  }

  #take(digits: string): number {
    this.#rest = this.#rest.slice(digits.length)
    return Number(digits)
  }

  #cannotParse(element: string): TimeError {
    const layout = quoted(LAYOUTS[this.#layout])
    return this.#error(` as ${layout}: cannot parse ${quoted(this.#rest)} as ${quoted(element)}`)
  }

  #outOfRange(what: string): TimeError {
    return this.#error(`: ${what} out of range`)
  }

  #error(tail: string): TimeError {
    return new TimeError(`parsing time ${quoted(this.#text)}${tail}`)
  }
}

function daysIn(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
  return [4, 6, 9, 11].includes(month) ? 30 : 31
}

const quoted = (text: string) => JSON.stringify(text)
