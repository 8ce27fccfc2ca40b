import { expect, test } from 'bun:test'
import { fillDefaults } from './defaulting.ts'
import { changeFaults, instanceFaults } from './instance.ts'
import { findAll, parseJsonPath } from './jsonpath.ts'
import { patternOf } from './patterns.ts'
import { pruneNulls, pruneUnknown } from './prune.ts'
import type { Props } from './schema.ts'

const OBJECT = {
  a: {
    'x.y': 1,
    list: [
      { n: 'p', v: 1 },
      { n: 'q', v: 2 },
      { n: 'p', v: 3 },
    ],
  },
  b: { deep: { v: 4 } },
}

test.each([
  ['.a.list[0].v', [1]],
  ['.a.list[-1].v', [3]],
  ['.a.list[*].v', [1, 2, 3]],
  ['.a.list[1:].v', [2, 3]],
  ['.a.list[:2].v', [1, 2]],
  ['.a.list[::2].v', [1, 3]],
  ['.a.list[0,2].v', [1, 3]],
  ['.a.list[?(@.n=="p")].v', [1, 3]],
  [".a.list[?(@.n=='q')].v", [2]],
  ['.a.list[?(@.v>1)].n', ['q', 'p']],
  ['.a.list[?(@.n!="p")].v', [2]],
  ['.a.list[?(@.zzz)].v', []],
  [".a['x.y']", [1]],
  ['.a.x\\.y', [1]],
  ['..v', [1, 2, 3, 4]],
  ['.b.*.v', [4]],
  ['.zzz.v', []],
  ['.constructor', []],
] as [string, unknown[]][])('JSONPath %s', (path, wanted) => {
  expect(findAll(OBJECT, parseJsonPath(path)!)).toEqual(wanted)
})

test.each(['.a[', '.a[?(', '.a[?(@.b', '.a[x y]'])('%s is no JSONPath', (path) => {
  expect(parseJsonPath(path)).toBeUndefined()
})

const FREE = 'x-kubernetes-preserve-unknown-fields'
const SCHEMA: Props = {
  type: 'object',
  properties: {
    known: { type: 'string' },
    list: { type: 'array', items: { type: 'object', properties: { a: { type: 'string' } } } },
    map: { type: 'object', additionalProperties: { type: 'string' } },
    free: { type: 'object', [FREE]: true, properties: { shut: { type: 'object' } } },
    nothing: { type: 'string', nullable: true },
    given: { type: 'string', default: 'x' },
    inner: { type: 'object', default: {}, properties: { deep: { type: 'integer', default: 1 } } },
  },
}

test('what no schema declares is dropped, and said where it was', () => {
  const object = {
    kind: 'K',
    metadata: { any: 1 },
    known: 'a',
    zzz: 1,
    list: [{ a: 'x', b: 1 }],
    map: { any: 'x' },
    free: { any: { thing: 1 }, shut: { out: 1 } },
    __proto__: { sly: true },
  }
  expect(pruneUnknown(object, SCHEMA)).toEqual(['free.shut.out', 'list[0].b', 'zzz'])
  expect(object).toEqual({
    kind: 'K',
    metadata: { any: 1 },
    known: 'a',
    list: [{ a: 'x' }],
    map: { any: 'x' },
    free: { any: { thing: 1 }, shut: {} },
  } as typeof object)
})

test('nulls go where there may be none, and defaults come where nothing is left', () => {
  const object: { [name: string]: unknown } = { known: null, nothing: null, given: null }
  pruneNulls(object, SCHEMA)
  expect(object).toEqual({ nothing: null, given: null })
  fillDefaults(object, SCHEMA)
  expect(object).toEqual({ nothing: null, given: 'x', inner: { deep: 1 } })
})

test('a default is a value of its own in each object', () => {
  const [one, two] = [{}, {}] as { inner?: { deep: number } }[]
  fillDefaults(one, SCHEMA)
  fillDefaults(two, SCHEMA)
  one!.inner!.deep = 2
  expect(two!.inner!.deep).toBe(1)
})

const STRICTER: Props = {
  type: 'object',
  properties: {
    size: { type: 'integer', minimum: 5 },
    atom: { type: 'object', properties: { n: { type: 'integer', minimum: 5 } } },
    items: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
      items: {
        type: 'object',
        properties: { k: { type: 'string' }, n: { type: 'integer', minimum: 5 } },
      },
    },
    plain: { type: 'array', items: { type: 'integer', minimum: 5 } },
  },
}

test.each([
  ['an unchanged field', { size: 1 }, { size: 1, atom: { n: 9 } }, 0],
  ['a changed field', { size: 1 }, { size: 2 }, 1],
  ['a new field', {}, { size: 1 }, 1],
  ['a field inside', { atom: { n: 1 } }, { atom: { n: 1 }, size: 9 }, 0],
  ['an item with the same key, moved', { items: [{ k: 'a', n: 1 }] }, moved(1), 0],
  ['an item with the same key, changed', { items: [{ k: 'a', n: 1 }] }, moved(2), 1],
  ['a plain list, unchanged', { plain: [1] }, { plain: [1], size: 9 }, 0],
  ['a plain list, grown', { plain: [1] }, { plain: [1, 9] }, 1],
] as [string, object, object, number][])('ratcheting: %s', (_, old, now, count) => {
  expect(changeFaults(now, old, STRICTER).length).toBe(count)
  expect(instanceFaults(old, STRICTER).length).toBe(Object.keys(old).length)
})

function moved(n: number) {
  const others = [{ k: 'b', n: 9 }]
  return { items: [...others, { k: 'a', n }] }
}

test('a pattern that others take exponential time for is judged at once', () => {
  const pattern = patternOf('^(a+)+$')
  expect('test' in pattern && pattern.test(`${'a'.repeat(5_000)}!`)).toBe(false)
  expect(patternOf('(a')).toEqual({
    fault: 'error parsing regexp: missing closing ): `(a`',
  })
})
