// Vectors were written by Go's metav1.Time and MicroTime.

import { expect, test } from 'bun:test'
import { canonicalTime, formatMicroTime, formatTime, parseTime } from './time.ts'

const TIMES: [string, string | null][] = [
  ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05Z'],
  ['2026-01-02T03:04:05.678Z', '2026-01-02T03:04:05Z'],
  ['2026-01-02T03:04:05+02:00', '2026-01-02T01:04:05Z'],
  ['2026-01-02T3:04:05Z', '2026-01-02T03:04:05Z'],
  ['2024-02-29T03:04:05Z', '2024-02-29T03:04:05Z'],
  ['0001-01-01T00:00:00Z', null],
  ['2026-01-02T03:04:05,5Z', '2026-01-02T03:04:05Z'],
  ['2026-12-31T23:59:59-05:00', '2027-01-01T04:59:59Z'],
  ['0000-01-01T00:00:00Z', '0000-01-01T00:00:00Z'],
  ['2026-01-02T03:04:05.123456Z', '2026-01-02T03:04:05Z'],
  ['2026-01-02T03:04:05.1234567Z', '2026-01-02T03:04:05Z'],
  ['2026-01-02T03:04:05.999999+01:00', '2026-01-02T02:04:05Z'],
]

const MICRO_TIMES: [string, string | null][] = [
  ['2026-01-02T03:04:05.123456Z', '2026-01-02T03:04:05.123456Z'],
  ['2026-01-02T03:04:05.999999+01:00', '2026-01-02T02:04:05.999999Z'],
]

// text, tail of the message after `parsing time "…"`
const WRONG: [string, string][] = [
  ['2026-01-02', ': cannot parse "" as "T"'],
  ['x', ': cannot parse "x" as "2006"'],
  ['', ': cannot parse "" as "2006"'],
  ['2026-13-02T03:04:05Z', ': month out of range'],
  ['2026-02-30T03:04:05Z', ': day out of range'],
  ['2025-02-29T03:04:05Z', ': day out of range'],
  ['2026-01-02T24:04:05Z', ': hour out of range'],
  ['2026-01-02T03:60:05Z', ': minute out of range'],
  ['2026-01-02T03:04:60Z', ': second out of range'],
  ['2026-01-02T03:04:05', ': cannot parse "" as "Z07:00"'],
  ['2026-01-02T03:04:05Zx', ': extra text: "x"'],
  ['2026-01-02 03:04:05Z', ': cannot parse " 03:04:05Z" as "T"'],
  ['2026-01-02T03:04:05+0200', ': cannot parse "+0200" as "Z07:00"'],
  ['2026-01-02T03:04:05+25:00', ': time zone offset hour out of range'],
  ['2026-1-02T03:04:05Z', ': cannot parse "1-02T03:04:05Z" as "01"'],
  ['20a6-01-02T03:04:05Z', ': cannot parse "20a6-01-02T03:04:05Z" as "2006"'],
  ['2026-01-02T03:04:05z', ': cannot parse "z" as "Z07:00"'],
  ['2026-01-02T03:04:05.Z', ': cannot parse ".Z" as "Z07:00"'],
  ['2026-04-31T03:04:05Z', ': day out of range'],
  ['2026-01-00T03:04:05Z', ': day out of range'],
]

test('a time is answered in UTC and to the second', () => {
  for (const [text, written] of TIMES)
    expect([text, canonicalTime(text, 'time')]).toEqual([text, written])
})

test('a micro time is answered in UTC with six digits', () => {
  for (const [text, written] of MICRO_TIMES) {
    expect([text, canonicalTime(text, 'microtime')]).toEqual([text, written])
  }
})

test('a micro time needs its six digits', () => {
  const message =
    'parsing time "2026-01-02T03:04:05Z" as "2006-01-02T15:04:05.000000Z07:00":' +
    ' cannot parse "Z" as ".000000"'
  expect(() => canonicalTime('2026-01-02T03:04:05Z', 'microtime')).toThrow(message)
})

test('what is no time is refused with the words of Go', () => {
  for (const [text, tail] of WRONG) {
    let message = ''
    try {
      parseTime(text)
    } catch (error) {
      message = (error as Error).message.replace(' as "2006-01-02T15:04:05Z07:00"', '')
    }
    expect(message).toBe(`parsing time ${JSON.stringify(text)}${tail}`)
  }
})

test('milliseconds are written in the forms of the API', () => {
  expect(formatTime(Date.UTC(2026, 0, 2, 3, 4, 5, 678))).toBe('2026-01-02T03:04:05Z')
  expect(formatMicroTime(Date.UTC(2026, 0, 2, 3, 4, 5, 678))).toBe('2026-01-02T03:04:05.678000Z')
  expect(parseTime('2026-01-02T03:04:05Z')).toBe(Date.UTC(2026, 0, 2, 3, 4, 5))
})
