import { expect, test } from 'bun:test'
import { everyCase } from '../../test/support/every-case.ts'
import { isTolerated, mergedTolerations, tolerates } from './tolerations.ts'

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

test('what remains of merged tolerations tolerates the same taints, and nothing twice', () => {
  everyCase((choose) => {
    const one = () => ({
      key: choose(['k', '']),
      operator: choose(['Exists', 'Equal']),
      effect: choose(['NoExecute', '']),
      ...choose([{}, { tolerationSeconds: 5 }]),
    })
    const all = [one(), one()]
    const merged = mergedTolerations(all)
    for (const effect of ['NoExecute', 'NoSchedule']) {
      for (const taint of [
        { key: 'k', effect },
        { key: 'k', value: 'v', effect },
      ]) {
        expect(isTolerated(merged, taint)).toBe(isTolerated(all, taint))
      }
    }
    expect(mergedTolerations([...merged, ...merged])).toEqual(merged)
  })
})

test('a toleration for a while does not make one for longer needless', () => {
  const forAWhile = { operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 }
  const longer = { ...forAWhile, key: 'k', tolerationSeconds: 6 }
  const shorter = { ...forAWhile, key: 'k', tolerationSeconds: 4 }
  expect(mergedTolerations([forAWhile, longer])).toEqual([forAWhile, longer])
  expect(mergedTolerations([shorter, forAWhile])).toEqual([forAWhile])
})
