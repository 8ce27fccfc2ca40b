import { expect, test } from 'bun:test'
import { FieldErrors } from './field-errors.ts'
import {
  checkAnnotations,
  checkLabelSelector,
  isReadableSelector,
  matchesLabels,
} from './labels.ts'

test('selectors match by all of their parts', () => {
  const selector = {
    matchLabels: { app: 'a' },
    matchExpressions: [
      { key: 'tier', operator: 'In', values: ['x', 'z'] },
      { key: 'old', operator: 'DoesNotExist' },
      { key: 'zone', operator: 'NotIn', values: ['far'] },
    ],
  }
  expect(matchesLabels(selector, { app: 'a', tier: 'x' })).toBe(true)
  expect(matchesLabels(selector, { app: 'a', tier: 'x', zone: 'far' })).toBe(false)
  expect(matchesLabels(selector, { app: 'a', tier: 'x', old: '' })).toBe(false)
  expect(matchesLabels(selector, { app: 'a' })).toBe(false)
  expect(matchesLabels(undefined, {})).toBe(true)
})

test('faults name the path of what is wrong', () => {
  const faults = new FieldErrors()
  checkLabelSelector(faults, 'spec.selector', {
    matchLabels: { 'a b': 'c' },
    matchExpressions: [
      { key: 'a', operator: 'In' },
      { key: 'b', operator: 'Exists', values: ['x'] },
      { key: 'c', operator: 'Like' },
    ],
  })
  expect(faults.list.map(({ field }) => field)).toEqual([
    'spec.selector.matchLabels',
    'spec.selector.matchExpressions[0].values',
    'spec.selector.matchExpressions[1].values',
    'spec.selector.matchExpressions[2].operator',
  ])
})

test('only whole selectors are read', () => {
  expect(isReadableSelector({ matchLabels: { a: 'b' } })).toBe(true)
  expect(isReadableSelector({ matchLabels: { 'a b': 'c' } })).toBe(false)
  expect(isReadableSelector({ matchExpressions: [{ key: 'a', operator: 'In' }] })).toBe(false)
})

test('annotations may hold much, but not everything', () => {
  const faults = new FieldErrors()
  checkAnnotations(faults, 'metadata.annotations', { Any_Key: 'x'.repeat(256 * 1024) })
  expect(faults.list.map(({ type }) => type)).toEqual(['FieldValueTooLong'])
})
