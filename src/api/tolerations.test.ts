import { expect, test } from 'bun:test'
import { everyCase } from '../../test/support/every-case.ts'
import { isTolerated, tolerates } from './tolerations.ts'

test('taints are tolerated exactly by key, value and effect', () => {
  everyCase((choose) => {
    const taint = {
      key: 'k',
      value: choose(['v', '']),
      effect: choose(['NoExecute', 'NoSchedule']),
    }
    const operator = choose(['Exists', 'Equal', undefined])
    const key = choose(['k', 'other', ''])
    const effect = choose(['NoExecute', ''])
    const value = choose(['v', ''])
    const toleration = { key, effect, value, ...(operator ? { operator } : {}) }
    const isEffect = effect === '' || effect === taint.effect
    const isKey = operator === 'Exists' ? key === '' || key === 'k' : key === 'k'
    const isValue = operator === 'Exists' || value === taint.value
    expect(tolerates(toleration, taint)).toBe(isEffect && isKey && isValue)
  })
})

test('one toleration is enough, and none tolerates nothing', () => {
  const taint = { key: 'k', effect: 'NoSchedule' }
  expect(isTolerated([], taint)).toBe(false)
  expect(isTolerated([{ key: 'other', operator: 'Exists' }], taint)).toBe(false)
  expect(isTolerated([{ key: 'other' }, { operator: 'Exists' }], taint)).toBe(true)
})
