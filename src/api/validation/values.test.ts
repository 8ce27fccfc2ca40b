import { expect, test } from 'bun:test'
import { FieldErrors } from './field-errors.ts'
import { checkPortOrName, checkSupported, sameValue } from './values.ts'

test('values are the same when nothing but absence tells them apart', () => {
  expect(sameValue({ a: undefined, b: [1] }, { b: [1] })).toBe(true)
  expect(sameValue({ b: [1, 2] }, { b: [2, 1] })).toBe(false)
  expect(sameValue(undefined, undefined)).toBe(true)
})

test('ports are numbers of a range, or names', () => {
  const faultsOf = (port: number | string | undefined) => {
    const faults = new FieldErrors()
    checkPortOrName(faults, 'port', port)
    return faults.list.length
  }
  expect(faultsOf(80)).toBe(0)
  expect(faultsOf('http')).toBe(0)
  expect(faultsOf(0)).toBe(1)
  expect(faultsOf('Bad_name')).toBe(1)
})

test('a word that is not known is refused with those that are', () => {
  const faults = new FieldErrors()
  checkSupported(faults, 'type', 'c', ['b', 'a'])
  expect(faults.list[0]?.message).toBe('Unsupported value: "c": supported values: "b", "a"')
})
