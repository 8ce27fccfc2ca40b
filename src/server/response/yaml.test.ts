import { expect, test } from 'bun:test'
import { parseYaml, renderYaml, YamlError } from './yaml.ts'

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

test('lets a document grow by aliases as far as go-yaml does', () => {
  const excessive = new YamlError('document contains excessive aliasing')
  const many = `a: &a [x]\n${Array.from({ length: 200 }, (_, i) => `k${i}: *a`).join('\n')}`
  expect(value(many)).toMatchObject({ a: ['x'], k0: ['x'], k199: ['x'] })
  const laughs = Array.from(
    { length: 12 },
    (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(9)}]`,
  )
  expect(() => value(`a0: &a0 [x]\n${laughs.join('\n')}`)).toThrow(excessive)
  const long = `a: &a ${'x'.repeat(100_000)}\nb:\n${'  - *a\n'.repeat(100)}`
  expect(() => value(long)).toThrow(excessive)
  expect(() => value('a: &a [*a]')).toThrow(new YamlError("anchor 'a' value contains itself"))
})

test('makes a tree of what aliases share: to change one place changes no other', () => {
  const { a, b } = value('a: &x {p: [1]}\nb: *x') as { a: { p: number[] }; b: { p: number[] } }
  a.p.push(2)
  expect(b).toEqual({ p: [1] })
})

test.each([
  ['a: 1\n---\nb: 2\n', { a: 1 }],
  ['# c\n\n  # d\n---\na: 1\n---\n[broken', { a: 1 }],
  ['%YAML 1.1\n---\na: 1\n...\n{{', { a: 1 }],
  ['---\n---\na: 1', null],
  ['a: |\n  ---\n  x\n', { a: '---\nx\n' }],
])('reads the first of the documents in %p', (text, expected) => {
  expect(value(text)).toEqual(expected)
})

test('refuses what is no YAML, and keys that are no scalars', () => {
  expect(() => parseYaml('a: [')).toThrow()
  expect(() => parseYaml('? [a]\n: b')).toThrow()
})

test('writes sorted keys, and quotes what would be read as something else', () => {
  expect(renderYaml({ b: ['x', { c: 1 }], a: { t: 'true', n: '1', s: 'a b' } })).toBe(
    'a:\n  "n": "1"\n  s: a b\n  t: "true"\nb:\n- x\n- c: 1\n',
  )
})
