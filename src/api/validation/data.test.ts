import { expect, test } from 'bun:test'
import { checkFrozen, decodedBytes } from './data.ts'
import { FieldErrors } from './field-errors.ts'

test('the length of data is that of what base64 stands for', () => {
  for (const text of ['', 'a', 'ab', 'abc', 'abcd']) {
    expect(decodedBytes(Buffer.from(text).toString('base64'))).toBe(text.length)
  }
})

test('what was made immutable keeps its data and stays immutable', () => {
  type Bag = { immutable?: boolean; data: Record<string, string> }
  const old: Bag = { immutable: true, data: { a: 'b' } }
  const changed = new FieldErrors()
  checkFrozen<Bag>(changed, { data: { a: 'c' } }, old, ['data'])
  expect(changed.list.map(({ field }) => field)).toEqual(['immutable', 'data'])
  const same = new FieldErrors()
  checkFrozen<Bag>(same, { immutable: true, data: { a: 'b' } }, old, ['data'])
  expect(same.list).toEqual([])
})
