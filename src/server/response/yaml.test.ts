import { expect, test } from 'bun:test'
import { parseYaml, renderYaml } from './yaml.ts'

const value = (text: string) => parseYaml(text).value

test('reads scalars as go-yaml does', () => {
  expect(value('a: yes')).toEqual({ a: true })
  expect(value('a: off')).toEqual({ a: false })
  expect(value('a: 0644')).toEqual({ a: 420 })
  expect(value('a: 0o644')).toEqual({ a: 420 })
  expect(value('a: 1e3')).toEqual({ a: 1000 })
  expect(value('a: 12:30:45')).toEqual({ a: '12:30:45' })
  expect(value('a: 1_000')).toEqual({ a: 1000 })
  expect(value('a: 0x1F')).toEqual({ a: 31 })
  expect(value('a: 2026-01-01')).toEqual({ a: '2026-01-01' })
  expect(value('a: ~')).toEqual({ a: null })
  expect(value('a: "yes"')).toEqual({ a: 'yes' })
  expect(value('a: 1.5')).toEqual({ a: 1.5 })
  expect(value('a: -3')).toEqual({ a: -3 })
  expect(value('1: x\nyes: z')).toEqual({ 1: 'x', true: 'z' })
})

test('merges keys and follows aliases', () => {
  expect(value('a: &x {p: 1}\nb: {<<: *x, q: 2}')).toEqual({ a: { p: 1 }, b: { p: 1, q: 2 } })
})

test('names duplicate keys with their lines', () => {
  const parsed = parseYaml('a: 1\nb:\n  c: [{d: 1, d: 2}]\n  e: 1\n  e: 2\na: 2\n')
  expect(parsed.duplicates).toEqual([
    { line: 3, key: 'd' },
    { line: 5, key: 'e' },
    { line: 6, key: 'a' },
  ])
  expect(parsed.value).toEqual({ a: 2, b: { c: [{ d: 2 }], e: 2 } })
})

test('refuses a bomb and what is no YAML', () => {
  const bomb = `a: &a [x]\n${Array.from({ length: 200 }, (_, i) => `k${i}: *a`).join('\n')}`
  expect(() => parseYaml(bomb)).toThrow()
  expect(() => parseYaml('a: [')).toThrow()
})

test('writes sorted keys, and quotes what would be read as something else', () => {
  expect(renderYaml({ b: ['x', { c: 1 }], a: { t: 'true', n: '1', s: 'a b' } })).toBe(
    'a:\n  "n": "1"\n  s: a b\n  t: "true"\nb:\n- x\n- c: 1\n',
  )
})
