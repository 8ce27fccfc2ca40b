import { expect, test } from 'bun:test'
import { firstOf, labelsCell, selectorText, since } from './cells.ts'

test('ages are as people say them', () => {
  const at = '2026-01-01T00:00:00Z'
  expect(since(at, Date.parse(at) + 90_000)).toBe('90s')
  expect(since(at, Date.parse(at) + 3 * 86_400_000)).toBe('3d')
  expect(since(undefined, 0)).toBe('<unknown>')
  expect(since('yesterday', 0)).toBe('<unknown>')
})

test('labels stand in the order of their keys', () => {
  expect(labelsCell({ b: '2', a: '1' })).toBe('a=1,b=2')
  expect(labelsCell({})).toBe('<none>')
  expect(labelsCell(undefined)).toBe('<none>')
})

test('selectors are text', () => {
  const matchExpressions = [
    { key: 'c', operator: 'In', values: ['y', 'x'] },
    { key: 'd', operator: 'NotIn', values: ['z'] },
    { key: 'e', operator: 'Exists' },
    { key: 'f', operator: 'DoesNotExist' },
  ]
  const text = 'a=b,c in (x,y),d notin (z),e,!f'
  expect(selectorText({ matchLabels: { a: 'b' }, matchExpressions }, '<none>')).toBe(text)
  expect(selectorText(undefined, '<none>')).toBe('<none>')
})

test('long lists are cut after three', () => {
  expect(firstOf(['a', 'b', 'c'])).toBe('a,b,c')
  expect(firstOf(['a', 'b', 'c', 'd', 'e'])).toBe('a,b,c + 2 more...')
})
