import { expect, test } from 'bun:test'
import { everyCase } from '../../../test/support/every-case.ts'
import {
  commonIndex,
  countIndexes,
  formatIndexes,
  hasIndex,
  intervalsOf,
  mergeIndexes,
  overlapOf,
  parseIndexes,
  totalOf,
} from './indexes.ts'

const SIZE = 6

/** Every two sets of the first six indexes, against plain sets. */
test('intervals do what sets of their indexes would', () => {
  const cases = everyCase((choose) => {
    const draw = () => Array.from({ length: SIZE }, (_, i) => i).filter(() => choose([false, true]))
    const [a, b] = [draw(), draw()]
    const [x, y] = [intervalsOf(a), intervalsOf(b)]
    const text = formatIndexes(x)
    const both = a.filter((index) => b.includes(index))
    expect(parseIndexes(text, SIZE)).toEqual(x)
    expect(countIndexes(text, SIZE)).toBe(a.length)
    expect(totalOf(x)).toBe(a.length)
    for (let index = 0; index < SIZE; index++) expect(hasIndex(x, index)).toBe(a.includes(index))
    expect(mergeIndexes(x, y)).toEqual(intervalsOf([...a, ...b]))
    expect(overlapOf(x, y)).toBe(both.length)
    expect(commonIndex(text, formatIndexes(y), SIZE)).toBe(both[0])
  })
  expect(cases).toBe(4096)
})

test('two neighbours stay two, and three are a range', () => {
  expect(formatIndexes(intervalsOf([5, 0, 1, 7, 8, 9]))).toBe('0,1,5,7-9')
})

test('what is beyond the end is forgotten, and what cannot be read passed over', () => {
  expect(formatIndexes(parseIndexes('0-2,x,4-9,12', 7))).toBe('0-2,4-6')
})
