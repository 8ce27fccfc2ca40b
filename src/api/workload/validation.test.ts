import { expect, test } from 'bun:test'
import { FieldErrors } from '../validation/field-errors.ts'
import { checkAtMostAll, checkCounts, checkIntOrPercent, isZero } from './validation.ts'

const faultsOf = (check: (faults: FieldErrors) => void) => {
  const faults = new FieldErrors()
  check(faults)
  return faults.list.map(({ field, message }) => `${field}: ${message}`)
}

test('a share is a number or a percentage', () => {
  const share = (value: number | string) =>
    faultsOf((faults) => checkIntOrPercent(faults, 'maxSurge', value))
  expect(share(3)).toEqual([])
  expect(share('150%')).toEqual([])
  expect(share(-1)).toHaveLength(1)
  expect(share('x')).toHaveLength(1)
})

test('no more than all can be taken away', () => {
  const most = (value: number | string) =>
    faultsOf((faults) => checkAtMostAll(faults, 'maxUnavailable', value))
  expect(most('100%')).toEqual([])
  expect(most('101%')).toHaveLength(1)
  expect(most(500)).toEqual([])
})

test('nothing is zero in either form', () => {
  expect([0, '0%', 1, '1%'].map(isZero)).toEqual([true, true, false, false])
})

test('parts are no more than the whole', () => {
  const counts = { replicas: 2, readyReplicas: 3, observedGeneration: -1 }
  const found = faultsOf((faults) => checkCounts(faults, counts, ['readyReplicas']))
  expect(found.some((fault) => fault.startsWith('status.observedGeneration'))).toBe(true)
  expect(found.some((fault) => fault.startsWith('status.readyReplicas'))).toBe(true)
})
