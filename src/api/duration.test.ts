// Vectors were written by Go's time.Duration and apimachinery's duration.HumanDuration.

import { expect, test } from 'bun:test'
import { formatDuration, humanDuration, parseDuration } from './duration.ts'

const DURATIONS: [string, string][] = [
  ['1s', '1s'],
  ['1m30s', '1m30s'],
  ['1.5h', '1h30m0s'],
  ['0', '0s'],
  ['0s', '0s'],
  ['300ms', '300ms'],
  ['-5m', '-5m0s'],
  ['1h0m0s', '1h0m0s'],
  ['2us', '2µs'],
  ['1ns', '1ns'],
  ['.5s', '500ms'],
  ['+3s', '3s'],
  ['1.5ms', '1.5ms'],
  ['90m', '1h30m0s'],
  ['1µs', '1µs'],
  ['36h', '36h0m0s'],
  ['1s500ms', '1.5s'],
  ['0.1s', '100ms'],
  ['1000h', '1000h0m0s'],
  ['1.001s', '1.001s'],
]

const WRONG: [string, string][] = [
  ['1d', 'time: unknown unit "d" in duration "1d"'],
  ['5', 'time: missing unit in duration "5"'],
  ['', 'time: invalid duration ""'],
  ['-', 'time: invalid duration "-"'],
  ['1.', 'time: missing unit in duration "1."'],
  ['s', 'time: invalid duration "s"'],
  ['1h1', 'time: missing unit in duration "1h1"'],
]

// seconds, age
const AGES: [number, string][] = [
  [-5, '<invalid>'],
  [-2, '<invalid>'],
  [-1, '0s'],
  [0, '0s'],
  [1, '1s'],
  [59, '59s'],
  [60, '60s'],
  [119, '119s'],
  [120, '2m'],
  [121, '2m1s'],
  [180, '3m'],
  [599, '9m59s'],
  [600, '10m'],
  [601, '10m'],
  [10799, '179m'],
  [10800, '3h'],
  [10860, '3h1m'],
  [28799, '7h59m'],
  [28800, '8h'],
  [172799, '47h'],
  [172800, '2d'],
  [176400, '2d1h'],
  [259200, '3d'],
  [691199, '7d23h'],
  [691200, '8d'],
  [8640000, '100d'],
  [63071999, '729d'],
  [63072000, '2y'],
  [63158400, '2y1d'],
  [252287999, '7y364d'],
  [252288000, '8y'],
  [630720000, '20y'],
]

test('a duration is read and written as Go does', () => {
  for (const [text, written] of DURATIONS) {
    expect([text, formatDuration(parseDuration(text))]).toEqual([text, written])
  }
})

test('what is no duration is refused with the words of Go', () => {
  for (const [text, message] of WRONG) expect(() => parseDuration(text)).toThrow(message)
})

test('an age has two or three figures', () => {
  for (const [seconds, age] of AGES) {
    expect([seconds, humanDuration(seconds * 1000)]).toEqual([seconds, age])
  }
})
