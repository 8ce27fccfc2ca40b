import { expect, test } from 'bun:test'
import type { KubeObject } from '../../object.ts'
import { objectType } from '../../schema/schema.ts'
import { fieldsNamed, NOTHING, parseFields, sortFields } from './fields.ts'
import { formatManagers, parseManagers } from './managers.ts'
import { managerName, onlyTimesDiffer, updateManagedFields } from './update.ts'

const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5)
const writer = { manager: 'm', apiVersion: 'v1', subresource: '', nowMs, resetFields: NOTHING }

test('the creator of a pod owns what it set and what was filled in, as upstream writes it', () => {
  const updated = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'd', labels: { a: 'b' } },
    spec: {
      containers: [
        {
          name: 'x',
          image: 'i',
          resources: { requests: { cpu: '100m' } },
          env: [{ name: 'A', value: '1' }],
          ports: [443, 80, 9].map((containerPort) => ({ containerPort, protocol: 'TCP' })),
        },
      ],
      securityContext: {},
      tolerations: [{ key: 'a' }],
      nodeSelector: { a: 'b' },
      volumes: [{ name: 'e', emptyDir: {} }],
    },
    status: { phase: 'Pending' },
  } as KubeObject
  const type = objectType('io.k8s.api.core.v1.Pod')
  const resetFields = fieldsNamed('status')
  const update = { ...writer, resetFields, live: undefined, updated, objectType: type }
  const port = (n: number) => `k:{"containerPort":${n},"protocol":"TCP"}`
  const portFields = { '.': {}, 'f:containerPort': {}, 'f:protocol': {} }
  const container = {
    '.': {},
    'f:env': { '.': {}, 'k:{"name":"A"}': { '.': {}, 'f:name': {}, 'f:value': {} } },
    'f:image': {},
    'f:name': {},
    'f:ports': { '.': {}, [port(9)]: portFields, [port(80)]: portFields, [port(443)]: portFields },
    'f:resources': { '.': {}, 'f:requests': { '.': {}, 'f:cpu': {} } },
  }
  const fieldsV1 = {
    'f:metadata': { 'f:labels': { '.': {}, 'f:a': {} } },
    'f:spec': {
      'f:containers': { 'k:{"name":"x"}': container },
      'f:nodeSelector': {},
      'f:securityContext': {},
      'f:tolerations': {},
      'f:volumes': { '.': {}, 'k:{"name":"e"}': { '.': {}, 'f:emptyDir': {}, 'f:name': {} } },
    },
  }
  const entry = {
    manager: 'm',
    operation: 'Update',
    apiVersion: 'v1',
    time: '2026-01-02T03:04:05Z',
  }
  // As text, because the order of the fields is upstream's too.
  expect(JSON.stringify(updateManagedFields(update))).toBe(
    JSON.stringify([{ ...entry, fieldsType: 'FieldsV1', fieldsV1 }]),
  )
})

const configMap = (managedFields: unknown, data: object): KubeObject =>
  ({ metadata: { name: 'c', uid: 'u', managedFields }, data }) as unknown as KubeObject
const owned = (manager: string, fieldsV1: object, more: object = {}) => ({
  manager,
  operation: 'Update',
  apiVersion: 'v1',
  time: '2026-01-01T00:00:00Z',
  fieldsType: 'FieldsV1',
  fieldsV1,
  ...more,
})
const objectTypeOf = objectType('io.k8s.api.core.v1.ConfigMap')
const stored = [owned('old', { 'f:data': { '.': {}, 'f:a': {} } })]
const live = configMap(stored, { a: '1' })
const update = (updated: KubeObject, subresource = '') =>
  updateManagedFields({ ...writer, subresource, live, updated, objectType: objectTypeOf })

test('a client that does not know managedFields does not lose them', () => {
  expect(update(configMap(undefined, { a: '1' })) as unknown).toEqual(stored)
})

test('an empty list, or one empty entry, resets them until the next apply', () => {
  expect(update(configMap([], { a: '2' }))).toBeUndefined()
  expect(update(configMap([{}], { a: '1' }))).toBeUndefined()
  // Sub-resources may not touch them.
  expect(update(configMap([], { a: '1' }), 'status') as unknown).toEqual(stored)
})

test('entries that make no sense are passed over for what is stored', () => {
  expect(update(configMap([{ manager: 'x', operation: 'Foo' }], { a: '1' })) as unknown).toEqual(
    stored,
  )
})

test('entries that a client writes are kept in our spelling', () => {
  const sent = { 'k:{ "b":1, "a":"<"}': { '.': {} }, 'f:data': { 'f:a': { '.': {} } }, 'x:y': {} }
  expect(update(configMap([owned('x', sent)], { a: '1' })) as unknown).toEqual([
    owned('x', { 'f:data': { 'f:a': {} }, 'k:{"a":"\\u003c","b":1}': {} }),
  ])
})

test('managed fields are read and written without loss, appliers and old ones first', () => {
  const entries = [
    owned('z', { 'f:data': {} }, { operation: 'Apply', time: undefined, subresource: 'status' }),
    owned('a', { 'f:data': { '.': {}, 'v:"x"': {}, 'i:3': {} } }),
    owned('b', { 'f:data': {} }, { time: '2026-01-01T00:00:01Z' }),
  ]
  const shuffled = entries.toReversed() as Parameters<typeof parseManagers>[0]
  expect(formatManagers(parseManagers(shuffled))).toEqual(JSON.parse(JSON.stringify(entries)))
})

test.each([
  [{ operation: 'x' }, 'operation must be `Apply` or `Update`'],
  [{ apiVersion: '' }, 'apiVersion must not be empty'],
  [{ fieldsType: '' }, 'missing fieldsType in managed fields entry 0'],
  [{ fieldsType: 'V2' }, 'invalid fieldsType "V2" in managed fields entry 0'],
])('an entry with %p is none', (wrong, message) => {
  expect(() => parseManagers([owned('a', {}, wrong) as never])).toThrow(message)
})

test('steps are sorted by kind, then names as text and numbers as numbers', () => {
  const steps = [
    'v:true',
    'v:"b"',
    'v:10',
    'v:9',
    'k:{"p":10}',
    'k:{"p":9}',
    'f:b',
    'f:a',
    'i:2',
    'i:10',
  ]
  const sorted = sortFields(parseFields(Object.fromEntries(steps.map((step) => [step, {}]))))
  expect(Object.keys(sorted)).toEqual([
    ...['f:a', 'f:b', 'k:{"p":9}', 'k:{"p":10}', 'v:9', 'v:10', 'v:"b"', 'v:true', 'i:2', 'i:10'],
  ])
})

test('a write is none when only times differ', () => {
  const later = configMap([{ ...stored[0], time: '2026-05-05T00:00:00Z' }], { a: '1' })
  expect(onlyTimesDiffer(live, later)).toBe(true)
  expect(onlyTimesDiffer(live, configMap(later.metadata.managedFields, { a: '2' }))).toBe(false)
  expect(onlyTimesDiffer(live, configMap([], { a: '1' }))).toBe(false)
})

test('the name of a manager is given, or the first word of the user agent', () => {
  expect(managerName('x', 'kubectl/v1')).toBe('x')
  expect(managerName(undefined, 'kubectl-edit/v1.36 (linux/amd64)')).toBe('kubectl-edit')
  expect(managerName(undefined, `a\u0007b${'é'.repeat(100)}`)).toBe(`ab${'é'.repeat(63)}`)
})
