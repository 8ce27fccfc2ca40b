import { expect, test } from 'bun:test'
import { type Portion, planRetention } from './retention.ts'

const options = { keepMs: 1_000, charsMax: 100 }
const portion = (lastMs: number, chars: number): Portion => ({
  firstMs: lastMs,
  lastMs,
  lastRevision: lastMs,
  chars,
})

test('what is older than the bound is forgotten, and the next look is when more will be', () => {
  const portions = [portion(0, 1), portion(500, 1), portion(900, 1)]
  expect(planRetention(portions, 999, options)).toEqual({ forgetCount: 0, dueMs: 1_000 })
  expect(planRetention(portions, 1_000, options)).toEqual({ forgetCount: 1, dueMs: 1_500 })
  expect(planRetention(portions, 1_500, options)).toEqual({ forgetCount: 2, dueMs: 1_900 })
  expect(planRetention(portions, 9_000, options)).toEqual({ forgetCount: 3, dueMs: undefined })
  expect(planRetention([], 0, options)).toEqual({ forgetCount: 0, dueMs: undefined })
})

test('what is too big is forgotten oldest first, however young', () => {
  const portions = [portion(1, 60), portion(2, 30), portion(3, 50)]
  expect(planRetention(portions, 3, options)).toEqual({ forgetCount: 1, dueMs: 1_002 })
  expect(planRetention([portion(1, 101)], 3, options).forgetCount).toBe(1)
})
