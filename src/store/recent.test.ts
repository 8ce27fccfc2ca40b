import { expect, test } from 'bun:test'
import { Recent } from './recent.ts'
import type { Entry, StoreEvent } from './store.ts'

const entry = (key: string, value: string, revision = 1): Entry => ({
  key,
  value,
  created: 1,
  revision,
})
const put = (put: Entry): StoreEvent => ({
  type: 'put',
  revision: put.revision,
  entry: put,
  previous: undefined,
})

test('an entry is read once, and follows what is written', () => {
  const recent = new Recent()
  let reads = 0
  const read = (key: string) => {
    reads++
    return entry(key, 'a')
  }
  expect(recent.get('k', read)?.value).toBe('a')
  expect(recent.get('k', read)?.value).toBe('a')
  recent.note([put(entry('k', 'b', 2)), put(entry('other', 'x', 3))])
  expect(recent.get('k', read)).toMatchObject({ value: 'b', revision: 2 })
  expect(reads).toBe(1)
})

test('a deleted entry is asked for again', () => {
  const recent = new Recent()
  recent.get('k', (key) => entry(key, 'a'))
  recent.note([{ ...put(entry('k', 'a', 2)), type: 'delete' }])
  expect(recent.get('k', () => undefined)).toBeUndefined()
})

test('what was read longest ago makes room', () => {
  const recent = new Recent(10)
  const read = (key: string) => entry(key, '12345')
  recent.get('a', read)
  recent.get('b', read)
  recent.get('a', read)
  recent.get('c', read)
  expect(recent.get('a', () => undefined)).toBeDefined()
  expect(recent.get('b', () => undefined)).toBeUndefined()
})
