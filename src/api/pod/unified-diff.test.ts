import { expect, test } from 'bun:test'
import { unifiedDiff } from './unified-diff.ts'

const lines = (...texts: string[]) => texts.join('\n')

test('equal texts have no difference', () => {
  expect(unifiedDiff('a\nb', 'a\nb')).toBe('')
})

test('a changed line stands with three lines around it', () => {
  const old = lines('1', '2', '3', '4', '5', '6', '7', '8')
  const now = lines('1', '2', '3', '4', 'x', '6', '7', '8')
  expect(unifiedDiff(old, now)).toBe(
    lines('@@ -2,7 +2,7 @@', ' 2', ' 3', ' 4', '-5', '+x', ' 6', ' 7', ' 8', ''),
  )
})

test('changes that are far apart make two hunks', () => {
  const many = Array.from({ length: 20 }, (_, index) => `${index}`)
  const changed = many.with(1, 'x').with(18, 'z')
  const heads = unifiedDiff(many.join('\n'), changed.join('\n')).match(/^@@.*$/gm)
  expect(heads).toEqual(['@@ -1,5 +1,5 @@', '@@ -16,5 +16,5 @@'])
})

test('lines that are all over a long text start no common run', () => {
  const old = Array.from({ length: 300 }, (_, index) => (index % 2 ? 'same' : `${index}`))
  const now = old.toSpliced(100, 2)
  expect(unifiedDiff(old.join('\n'), now.join('\n'))).toContain('-100\n-same\n')
})
