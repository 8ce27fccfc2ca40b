import { expect, test } from 'bun:test'
import { SeededRandom } from '../../../lib/random.ts'
import { NumberPool } from './pool.ts'

const poolOf = (size: number, bandSize: number) =>
  new NumberPool({ first: 100, size, bandSize }, new SeededRandom(1))

test('numbers that nobody asks for come from above the band, and from below when that is full', () => {
  const pool = poolOf(20, 16)
  const given = Array.from({ length: 20 }, (_, i) => pool.holdAny(`o${i}`)!)
  expect(given.slice(0, 4).toSorted()).toEqual([116, 117, 118, 119])
  expect(new Set(given).size).toBe(20)
  expect(pool.holdAny('late')).toBeUndefined()
})

test('a range that is no larger than its band is given from all over', () => {
  const pool = poolOf(3, 16)
  expect([pool.holdAny('a'), pool.holdAny('b'), pool.holdAny('c')].toSorted()).toEqual([
    ...[100, 101, 102],
  ])
})

test('a number is one owner’s, held or used', () => {
  const pool = poolOf(20, 16)
  expect(pool.hold(105, 'a')).toBe(true)
  expect(pool.hold(105, 'a')).toBe(true)
  expect(pool.hold(105, 'b')).toBe(false)
  pool.use(105, 'a')
  expect(pool.hold(105, 'b')).toBe(false)
  // What somebody else frees stays where it is.
  pool.free(105, 'b')
  expect(pool.hold(105, 'b')).toBe(false)
  pool.free(105, 'a')
  expect(pool.hold(105, 'b')).toBe(true)
})

test('what was held for a write that failed is free again', () => {
  const pool = poolOf(1, 0)
  const number = pool.holdAny('a')!
  expect(pool.holdAny('b')).toBeUndefined()
  pool.letGo(number)
  expect(pool.holdAny('b')).toBe(number)
})
