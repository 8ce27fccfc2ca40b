import { expect, test } from 'bun:test'
import { CriEncoder, Timestamps } from './cri-format.ts'

const AT_MS = Date.UTC(2026, 10, 21, 13, 15, 2, 123)

function encoder() {
  const one = new CriEncoder('stdout', new Timestamps())
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()
  return {
    push: (value: string) => text(one.push(Buffer.from(value), AT_MS)),
    flush: () => text(one.flush(AT_MS)),
    hasRest: () => one.hasRest,
  }
}

/** Records without their times. */
function plain(records: string): string[] {
  return records
    .split('\n')
    .filter(Boolean)
    .map((line) => line.replace(/^\S+ /, ''))
}

test('whole lines become records with growing times', () => {
  expect(encoder().push('one\ntwo\n')).toBe(
    '2026-11-21T13:15:02.123000000Z stdout F one\n2026-11-21T13:15:02.123000001Z stdout F two\n',
  )
})

test('times never go back when the clock does', () => {
  const times = new Timestamps()
  const first = times.next(AT_MS)
  expect(times.next(AT_MS - 5000) > first).toBe(true)
  expect(times.next(AT_MS + 1) > first).toBe(true)
})

test('a line in pieces is one record', () => {
  const one = encoder()
  expect(one.push('he')).toBe('')
  expect(one.hasRest()).toBe(true)
  expect(plain(one.push('llo\nw'))).toEqual(['stdout F hello'])
  expect(plain(one.flush())).toEqual(['stdout P w'])
})

test('an empty line is a record', () => {
  expect(plain(encoder().push('\n\n'))).toEqual(['stdout F ', 'stdout F '])
})

test('a long line is cut into parts of 16 KiB and ends whole', () => {
  const one = encoder()
  const records = plain(one.push(`${'x'.repeat(40_000)}\n`))
  expect(records.map((line) => [line.slice(0, 8), line.length - 9])).toEqual([
    ['stdout P', 16_384],
    ['stdout P', 16_384],
    ['stdout F', 7232],
  ])
})

test('a line of exactly 16 KiB is not cut', () => {
  expect(plain(encoder().push(`${'x'.repeat(16_384)}\n`))).toHaveLength(1)
})

test('an unfinished line that was flushed goes on as the same line', () => {
  const one = encoder()
  one.push('name: ')
  expect(plain(one.flush())).toEqual(['stdout P name: '])
  expect(one.flush()).toBe('')
  expect(plain(one.push('bob\n'))).toEqual(['stdout F bob'])
  expect(one.flush()).toBe('')
})
