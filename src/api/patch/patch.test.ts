import { expect, test } from 'bun:test'
import { objectType } from '../schema/schema.ts'
import { ApiError } from '../status.ts'
import { JSON_PATCH_OPERATIONS_MAX } from './json.ts'
import { applyPatch, patchTypeOf } from './patch.ts'
import type { JsonObject } from './value.ts'

const META = objectType('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta')
const POD = objectType('io.k8s.api.core.v1.PodSpec')
const DEPLOYMENT = objectType('io.k8s.api.apps.v1.DeploymentSpec')

const json = (live: unknown, body: unknown) =>
  applyPatch({ type: 'json', live: live as object, body, objectType: undefined })
const merge = (live: unknown, body: unknown) =>
  applyPatch({ type: 'merge', live: live as object, body, objectType: undefined })
const strategic = (objectType: typeof POD, live: JsonObject, body: unknown) =>
  applyPatch({ type: 'strategic', live, body, objectType })

function refusal(run: () => unknown) {
  try {
    run()
  } catch (error) {
    if (error instanceof ApiError) return { code: error.code, message: error.message }
    throw error
  }
  return undefined
}

test('a patch type is found by its content type', () => {
  expect(patchTypeOf('application/merge-patch+json; charset=utf-8')).toBe('merge')
  expect(patchTypeOf('application/apply-patch+yaml')).toBe('apply')
  expect(patchTypeOf('application/json')).toBeUndefined()
})

test.each([
  [{ a: 1 }, [{ op: 'add', path: '/b', value: 2 }], { a: 1, b: 2 }],
  [{ a: [1, 3] }, [{ op: 'add', path: '/a/1', value: 2 }], { a: [1, 2, 3] }],
  [{ a: [1] }, [{ op: 'add', path: '/a/-', value: 2 }], { a: [1, 2] }],
  [{ a: [1, 2] }, [{ op: 'remove', path: '/a/0' }], { a: [2] }],
  [{ a: [1, 2] }, [{ op: 'remove', path: '/a/-1' }], { a: [1] }],
  [{ 'x/y': { '~': 1 } }, [{ op: 'replace', path: '/x~1y/~0', value: 2 }], { 'x/y': { '~': 2 } }],
  [{ a: {} }, [{ op: 'replace', path: '/a/missing', value: 2 }], { a: { missing: 2 } }],
  [{ a: 1 }, [{ op: 'move', from: '/a', path: '/b' }], { b: 1 }],
  [{ a: [1] }, [{ op: 'copy', from: '/a', path: '/b' }], { a: [1], b: [1] }],
  [{ a: 1 }, [{ op: 'copy', from: '/x', path: '/b' }], { a: 1, b: null }],
  [{ a: { b: [1] } }, [{ op: 'test', path: '/a', value: { b: [1] } }], { a: { b: [1] } }],
  [{ a: 1 }, [{ op: 'test', path: '/x', value: null }], { a: 1 }],
  [{ a: 1 }, [{ op: 'add', path: '/b' }], { a: 1, b: null }],
  [{ a: 1 }, [{ op: 'replace', path: '', value: { c: 1 } }], { c: 1 }],
])('%p with the JSON patch %p becomes %p', (live, body, expected) => {
  const before = structuredClone(live)
  expect(json(live, body)).toEqual(expected)
  expect(live).toEqual(before)
})

test.each([
  [{ op: 'test', path: '/a', value: 2 }],
  [{ op: 'remove', path: '/x' }],
  [{ op: 'remove', path: '' }],
  [{ op: 'add', path: '/x/y', value: 1 }],
  [{ op: 'add', path: 'a', value: 1 }],
  [{ op: 'add', path: '/l/5', value: 1 }],
  [{ op: 'add', path: '/l/x', value: 1 }],
  [{ op: 'replace', path: '/l/1', value: 1 }],
  [{ op: 'move', from: '/x', path: '/b' }],
  [{ op: 'add', path: '/__proto__/x', value: 1 }],
  [{ op: 'frob', path: '/a' }],
  [{ path: '/a' }],
  [null],
])('the operation %p does not apply', (operation) => {
  expect(refusal(() => json({ a: 1, l: [1] }, [operation]))).toEqual({
    code: 422,
    message: 'the server rejected our request due to an error in our request',
  })
})

test('a JSON patch is a list, and not too long a one', () => {
  expect(refusal(() => json({}, {}))?.code).toBe(400)
  const long = Array(JSON_PATCH_OPERATIONS_MAX + 1).fill({ op: 'test', path: '/a', value: null })
  expect(refusal(() => json({}, long))).toEqual({
    code: 413,
    message: 'The allowed maximum operations in a JSON patch is 10000, got 10001',
  })
})

// RFC 7386, appendix A.
test.each([
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
])('%p with the merge patch %p becomes %p', (live, body, expected) => {
  expect(merge(live, body)).toEqual(expected)
})

test('a merge patch cannot reach the prototype of objects', () => {
  merge({}, JSON.parse('{"__proto__": {"polluted": true}}'))
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
})

const INTO_MAP = 'into Go value of type map[string]interface {}'

test.each([
  ['merge', [], `error decoding patch: json: cannot unmarshal array ${INTO_MAP}`],
  ['merge', 'a', `error decoding patch: json: cannot unmarshal string ${INTO_MAP}`],
  ['merge', null, 'Invalid JSON Patch'],
  ['strategic', [], 'json: cannot unmarshal array into Go value of type map[string]interface {}'],
] as const)('a %s patch %p is refused', (type, body, message) => {
  const refused = refusal(() => applyPatch({ type, body, live: {}, objectType: POD }))
  expect(refused).toEqual({ code: 400, message })
})

test('custom resources have no strategic merge patch', () => {
  const patch = { type: 'strategic', body: {}, live: {}, objectType: undefined } as const
  expect(refusal(() => applyPatch(patch))?.message).toBe(
    'strategic merge patch format is not supported',
  )
})

// Facts of apimachinery's strategicpatch tests. `finalizers` is a merging list of scalars,
// `containers` a merging list of maps by name, `args` is replaced, `volumes` retain keys.
const c = (name: string, more: JsonObject = {}) => ({ name, ...more })

test.each([
  [
    ['1', '2'],
    ['2', '3'],
    ['1', '2', '3'],
  ],
  [
    ['1', '2', '3'],
    ['3', '1', '2'],
    ['3', '1', '2'],
  ],
  [
    ['1', '2', '3'],
    ['3', '1'],
    ['2', '3', '1'],
  ],
  [[], [], []],
])('the scalars %p with %p become %p', (live, patch, expected) => {
  expect(strategic(META, { finalizers: live }, { finalizers: patch })).toEqual({
    finalizers: expected,
  })
})

test.each([
  [[c('1'), c('2')], [{ $patch: 'replace' }], []],
  [[c('1'), c('2')], [{ $patch: 'replace' }, c('3')], [c('3')]],
  [
    [c('1'), c('1'), c('2', { image: 'a' }), c('3'), c('3')],
    [c('1', { $patch: 'delete' }), c('3', { $patch: 'delete' })],
    [c('2', { image: 'a' })],
  ],
  [[c('1')], [c('9', { $patch: 'delete' })], [c('1')]],
  [
    [c('1'), c('2', { image: 'b' }), c('3')],
    [c('3', { image: 'c' }), c('1', { image: 'a' }), c('2', { tty: true })],
    [c('3', { image: 'c' }), c('1', { image: 'a' }), c('2', { image: 'b', tty: true })],
  ],
  [
    [c('1'), c('2', { image: 'b' }), c('3')],
    [c('3', { image: 'c' }), c('1', { image: 'a' })],
    [c('2', { image: 'b' }), c('3', { image: 'c' }), c('1', { image: 'a' })],
  ],
  [
    [c('1', { args: ['a'], image: 'i' })],
    [c('1', { args: ['b'] })],
    [c('1', { args: ['b'], image: 'i' })],
  ],
  [[c('1', { tty: true })], [c('1', { tty: null })], [c('1')]],
  [
    [c('1', { env: [c('A', { value: '1' }), c('B')] })],
    [c('1', { env: [c('A', { $patch: 'delete' }), c('C')] })],
    [c('1', { env: [c('C'), c('B')] })],
  ],
])('the containers %p with %p become %p', (live, patch, expected) => {
  expect(strategic(POD, { containers: live }, { containers: patch })).toEqual({
    containers: expected,
  } as JsonObject)
})

test.each([
  // Order set, items kept, and those of the server alone between them.
  [['1', '2', '3'], undefined, ['3', '2', '1'], ['3', '2', '1']],
  [['1', '2', '3'], ['4'], ['1', '4', '2'], ['1', '4', '2', '3']],
  [
    ['1', '2', '3', '9'],
    ['4', '5'],
    ['1', '4', '2', '5', '3'],
    ['1', '4', '2', '5', '3', '9'],
  ],
  [['9', '1', '2'], undefined, ['2', '1'], ['9', '2', '1']],
  [undefined, ['1', '2'], ['1', '2'], ['1', '2']],
])(
  'the containers %p, patched with %p in the order %p, become %p',
  (live, patch, order, expected) => {
    const named = (names: string[] | undefined) => names?.map((name) => c(name))
    const original = live === undefined ? {} : { containers: named(live) }
    const change = patch === undefined ? {} : { containers: named(patch) }
    const body = { '$setElementOrder/containers': named(order), ...change }
    expect(strategic(POD, original as JsonObject, body)).toEqual({
      containers: named(expected),
    } as JsonObject)
  },
)

test('scalars are deleted from lists by name, also from lists that do not merge', () => {
  const gone = { '$deleteFromPrimitiveList/finalizers': ['b', 'x'], finalizers: ['d'] }
  expect(strategic(META, { finalizers: ['a', 'b', 'c'] }, gone)).toEqual({
    finalizers: ['d', 'a', 'c'],
  })
  const arg = { containers: [c('1', { '$deleteFromPrimitiveList/args': ['a'] })] }
  expect(strategic(POD, { containers: [c('1', { args: ['a', 'b'] })] }, arg)).toEqual({
    containers: [c('1', { args: ['b'] })],
  })
  expect(strategic(META, {}, { '$deleteFromPrimitiveList/finalizers': ['a'] })).toEqual({})
})

test('maps are replaced or emptied by directive, here and below', () => {
  expect(strategic(META, { labels: { a: '1' } }, { labels: { $patch: 'delete' } })).toEqual({
    labels: {},
  })
  expect(strategic(META, { name: 'a' }, { uid: 'b', $patch: 'replace' })).toEqual({ uid: 'b' })
  const template = { $patch: 'replace', spec: { containers: [c('n')] } }
  expect(strategic(DEPLOYMENT, { template: { metadata: {}, spec: {} } }, { template })).toEqual({
    template: { spec: { containers: [c('n')] } },
  })
})

test('keys that are not retained go, and a patch may only set what it retains', () => {
  const live = { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } }
  const recreate = { strategy: { $retainKeys: ['type'], type: 'Recreate' } }
  expect(strategic(DEPLOYMENT, live, recreate)).toEqual({ strategy: { type: 'Recreate' } })
  const volumes = [c('a', { $retainKeys: ['name', 'configMap'], configMap: c('x') })]
  expect(strategic(POD, { volumes: [c('a', { emptyDir: {} })] }, { volumes })).toEqual({
    volumes: [c('a', { configMap: c('x') })],
  })
  const wrong = { strategy: { $retainKeys: ['rollingUpdate'], type: 'Recreate' } }
  expect(refusal(() => strategic(DEPLOYMENT, live, wrong))).toEqual({
    code: 400,
    message: 'invalid patch format of retainKeys',
  })
})

test('values that are new to the object come without nulls and directives', () => {
  const patch = { containers: [c('1', { image: null, env: [c('A', { $patch: 'delete' })] })] }
  expect(strategic(POD, {}, patch)).toEqual({ containers: [c('1', { env: [] })] })
})

test.each([
  [{ labels: { $patch: 'foo' } }, 500, 'unknown patch type: foo in map: map[$patch:foo]'],
  [{ '$setElementOrder/finalizers': 5 }, 500, 'expected a []interface {}, but received a int64'],
  [{ $setElementOrder: ['a'] }, 400, 'invalid patch format of setElementOrder list'],
  [
    { '$setElementOrder/finalizers': ['a', 'b'], finalizers: ['b', 'a'] },
    ...[500, "The order in patch list:\n[b a]\n doesn't match $setElementOrder list:\n[a b]\n"],
  ],
  [
    { ownerReferences: [{ name: 'x' }] },
    ...[500, 'map: map[name:x] does not contain declared merge key: uid'],
  ],
  [
    { ownerReferences: [{ uid: 'x', $patch: 'merge' }] },
    500,
    'merging lists cannot yet be specified in the patch',
  ],
] as [JsonObject, number, string][])('the patch %p is refused', (patch, code, message) => {
  const live = { labels: { a: '1' }, finalizers: ['a'], ownerReferences: [{ uid: 'u' }] }
  expect(refusal(() => strategic(META, live, patch))).toEqual({ code, message })
})
