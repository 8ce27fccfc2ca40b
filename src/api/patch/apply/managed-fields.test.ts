// The facts of structured-merge-diff's merge tests, as scripts of applies and updates.

import { expect, test } from 'bun:test'
import type { KubeObject } from '../../object.ts'
import type { Field, FieldType, ObjectType } from '../../schema/schema.ts'
import type { JsonObject } from '../value.ts'
import { applyConfiguration } from './apply.ts'
import { type Fields, fieldsNamed, membersOf, NOTHING } from './fields.ts'
import { pathText } from './path.ts'
import { updateManagedFields } from './update.ts'

const text: FieldType = { is: 'string' }
const number: FieldType = { is: 'int64' }

function field(name: string, type: FieldType, more: Partial<Field> = {}): Field {
  return {
    name,
    type,
    required: false,
    pointer: false,
    alwaysWritten: false,
    atomicMap: false,
    listType: undefined,
    listMapKeys: [],
    patchStrategy: [],
    patchMergeKey: undefined,
    enum: undefined,
    default: undefined,
    protobufNumber: 0,
    protobufWithin: [],
    goType: undefined,
    embeddedIn: [],
    ...more,
  }
}

function typeWith(...fields: Field[]): ObjectType {
  const byName = new Map(fields.map((f) => [f.name, f]))
  return { name: 'test', fields: byName, atomic: false, kind: undefined }
}

const of = (type: ObjectType): FieldType => ({ is: 'object', type })
const listOf = (type: FieldType): FieldType => ({ is: 'list', of: type })
const item = typeWith(
  ...[field('name', text), field('value', listOf(text), { listType: 'set' })],
  ...[field('one', number), field('two', text)],
)
const portItem = typeWith(
  ...[field('port', number), field('protocol', text, { default: 'TCP' }), field('name', text)],
)
const TYPE = typeWith(
  ...[field('apiVersion', text), field('kind', text)],
  field('metadata', of(typeWith(field('name', text), field('labels', { is: 'map', of: text })))),
  ...[field('number', number), field('text', text), field('other', text)],
  field('set', listOf(text), { listType: 'set' }),
  field('atomic', listOf(text), { listType: 'atomic' }),
  field('list', listOf(of(item)), { listType: 'map', listMapKeys: ['name'] }),
  field('ports', listOf(of(portItem)), { listType: 'map', listMapKeys: ['port', 'protocol'] }),
  field('struct', of(typeWith(field('name', text), field('value', number)))),
  field('map', { is: 'map', of: { is: 'map', of: text } }),
  field('atomicMap', { is: 'map', of: text }, { atomicMap: true }),
  field('raw', { is: 'map', of: { is: 'any' } }),
  field('extension', { is: 'any' }),
  field('spec', of(typeWith(field('a', text), field('b', text)))),
  field('status', of(typeWith(field('a', text), field('b', text)))),
)

/** One object, and whoever writes it. */
class World {
  live: KubeObject | undefined
  nowMs = 1_700_000_000_000
  readonly resetFields: Fields
  constructor(resetFields: Fields = NOTHING) {
    this.resetFields = resetFields
  }

  #writer(manager: string) {
    this.nowMs += 1000
    const { nowMs, resetFields } = this
    return { manager, apiVersion: 'v1', subresource: '', nowMs, resetFields, objectType: TYPE }
  }

  apply(manager: string, config: JsonObject, force = false): this {
    const whole = { apiVersion: 'v1', kind: 'Test', metadata: { name: 'x' }, ...config }
    const request = {
      ...this.#writer(manager),
      live: this.live,
      kind: 'Test',
      config: whole,
      force,
    }
    const { object, managedFields } = applyConfiguration(request)
    this.#store(object, managedFields)
    return this
  }

  force(manager: string, config: JsonObject): this {
    return this.apply(manager, config, true)
  }

  update(manager: string, fields: JsonObject): this {
    const metadata = { name: 'x' }
    const updated = { apiVersion: 'v1', kind: 'Test', metadata, ...fields } as KubeObject
    const { live } = this
    const managedFields = updateManagedFields({ ...this.#writer(manager), live, updated })
    this.#store(updated as unknown as JsonObject, managedFields)
    return this
  }

  /** As somebody who does not know managedFields would find the object. */
  untrack(): this {
    this.#store(this.live as unknown as JsonObject, undefined)
    return this
  }

  #store(object: JsonObject, managedFields: KubeObject['metadata']['managedFields']) {
    const { managedFields: _, ...metadata } = object.metadata as JsonObject
    const kept = managedFields === undefined ? metadata : { ...metadata, managedFields }
    this.live = { ...object, metadata: kept } as KubeObject
  }

  /** The object without what identifies it. */
  get object() {
    const { apiVersion: _, kind: __, metadata, ...fields } = this.live as unknown as JsonObject
    const { name: ___, managedFields: ____, ...rest } = metadata as JsonObject
    return Object.keys(rest).length > 0 ? { metadata: rest, ...fields } : fields
  }

  get managers(): Record<string, string[]> {
    const entries = (this.live?.metadata.managedFields ?? []).map(({ manager, fieldsV1 }) => [
      manager,
      [...membersOf(fieldsV1 as Fields)].map(pathText),
    ])
    return Object.fromEntries(entries)
  }

  timeOf(manager: string) {
    return this.live?.metadata.managedFields?.find((entry) => entry.manager === manager)?.time
  }
}

const world = () => new World()
const conflictsOf = (run: () => void) => {
  try {
    run()
  } catch (error) {
    return (error as Error).message
  }
  return 'no conflict'
}

test('an applier owns what it names, and loses what it no longer names', () => {
  const w = world().apply('a', { number: 1, text: 's' }).apply('a', { number: 2 })
  expect(w.object).toEqual({ number: 2 })
  expect(w.managers).toEqual({ a: ['.number'] })
})

test('an update takes what it changes, and leaves the rest to its manager', () => {
  const w = world().apply('a', { number: 1, text: 's' }).update('c', { number: 1, text: 't' })
  expect(w.managers).toEqual({ a: ['.number'], c: ['.text'] })
})

test('an apply over the change of somebody else is a conflict, unless forced', () => {
  const w = world().apply('a', { number: 1, text: 's' }).update('c', { number: 1, text: 't' })
  const conflict = 'Apply failed with 1 conflict: conflict with "c" using v1: .text'
  expect(conflictsOf(() => w.apply('a', { number: 2, text: 's' }))).toBe(conflict)
  w.force('a', { number: 2, text: 's' })
  expect(w.object).toEqual({ number: 2, text: 's' })
  expect(w.managers).toEqual({ a: ['.number', '.text'] })
})

test('a field that an updater has taken stays when its applier drops it', () => {
  const w = world().apply('a', { text: 's' }).update('c', { text: 't' }).apply('a', {})
  expect(w.object).toEqual({ text: 't' })
  expect(w.managers).toEqual({ c: ['.text'] })
})

test('two appliers of one value own it together, and it stays until both have dropped it', () => {
  const w = world().apply('a', { text: 's' }).apply('b', { text: 's' })
  expect(w.managers).toEqual({ a: ['.text'], b: ['.text'] })
  expect(conflictsOf(() => w.apply('a', { text: 'z' }))).toContain('conflict with "b": .text')
  expect(w.apply('a', {}).object).toEqual({ text: 's' })
  expect(w.apply('b', {}).object).toEqual({})
})

test('an update that removes a field takes it from all its managers', () => {
  const w = world().apply('a', { text: 's', number: 1 }).apply('b', { text: 's' })
  w.update('c', { number: 1 })
  expect(w.managers).toEqual({ a: ['.number'] })
})

test('several conflicts are listed by manager', () => {
  const w = world().apply('a', { text: 's', number: 1 }).apply('b', { text: 's' })
  expect(conflictsOf(() => w.apply('c', { text: 'z', number: 2 }))).toBe(
    [
      'Apply failed with 3 conflicts: conflicts with "a":',
      ...['- .number', '- .text', 'conflicts with "b":', '- .text'],
    ].join('\n'),
  )
})

test('items of a set have managers of their own', () => {
  const w = world()
    .apply('a', { set: ['a', 'c'] })
    .update('c', { set: ['a', 'b', 'c', 'd'] })
  expect(w.managers).toEqual({ a: ['.set[="a"]', '.set[="c"]'], c: ['.set[="b"]', '.set[="d"]'] })
  w.apply('a', { set: ['a'] })
  expect(w.object).toEqual({ set: ['a', 'b', 'd'] })
})

test('an applier that drops a set which others have items in leaves those', () => {
  const w = world()
    .apply('a', { set: ['a'] })
    .apply('b', { set: ['b'] })
    .apply('a', {})
  expect(w.object).toEqual({ set: ['b'] })
})

test.each([
  [
    ['a', 'b', 'c'],
    ['a', 'b'],
    ['a', 'b', 'c'],
  ],
  [['a', 'b', 'c'], [], ['a', 'b', 'c']],
  [
    ['a', 'b'],
    ['b', 'a'],
    ['b', 'a'],
  ],
  [
    ['a', 'b', 'c'],
    ['c', 'd', 'e', 'f'],
    ['a', 'b', 'c', 'd', 'e', 'f'],
  ],
  [
    ['a', 'b', 'c', 'g', 'f'],
    ['c', 'd', 'e', 'f'],
    ['a', 'b', 'c', 'g', 'd', 'e', 'f'],
  ],
  [
    ['c', 'd', 'e', 'f'],
    ['a', 'c', 'e'],
    ['a', 'c', 'd', 'e', 'f'],
  ],
  [
    ['a', 'b', 'c', 'd'],
    ['d', 'e', 'f', 'a'],
    ['b', 'c', 'd', 'e', 'f', 'a'],
  ],
  [[...'cdefghij'], [...'2h3e4kl'], [...'cdfg2hij3e4kl']],
  [[...'abcdefghij'], [...'1b2h3e4kl'], [...'a1bcdfg2hij3e4kl']],
  [
    ['a', 'a', 'x'],
    ['a', 'q'],
    ['a', 'q', 'x'],
  ],
])('a set %p with %p laid over it becomes %p', (live, config, expected) => {
  const w = world().update('u', { set: live }).force('a', { set: config })
  expect(w.object).toEqual({ set: expected })
})

test('items of a keyed list are one each, and so are their fields', () => {
  const w = world()
    .apply('one', { list: [{ name: 'a' }, { name: 'b', value: ['c'] }] })
    .apply('two', { list: [{ name: 'b', value: ['d'] }] })
  expect(w.managers).toEqual({
    one: [
      ...['.list[name="a"]', '.list[name="b"]', '.list[name="a"].name', '.list[name="b"].name'],
      '.list[name="b"].value[="c"]',
    ],
    two: ['.list[name="b"]', '.list[name="b"].name', '.list[name="b"].value[="d"]'],
  })
  w.apply('one', { list: [{ name: 'a' }] })
  expect(w.object).toEqual({ list: [{ name: 'a' }, { name: 'b', value: ['d'] }] })
})

test('what a controller added below an item stays when another applier owns the item', () => {
  const w = world()
    .apply('one', { list: [{ name: 'a' }, { name: 'b', value: ['c'] }] })
    .apply('two', { list: [{ name: 'b', value: ['d'] }] })
    .update('u', { list: [{ name: 'a' }, { name: 'b', value: ['c', 'd', 'e'] }] })
    .apply('one', { list: [{ name: 'a' }] })
  expect(w.object).toEqual({ list: [{ name: 'a' }, { name: 'b', value: ['d', 'e'] }] })
})

test('what a controller added below an item goes with the item', () => {
  const w = world()
    .apply('one', { list: [{ name: 'a' }, { name: 'b', value: ['c'] }] })
    .apply('two', { list: [{ name: 'a', value: ['b'] }] })
    .update('u', {
      list: [
        { name: 'a', value: ['b'] },
        { name: 'b', value: ['c', 'd'] },
      ],
    })
    .apply('one', { list: [{ name: 'a' }] })
  expect(w.object).toEqual({ list: [{ name: 'a', value: ['b'] }] })
})

test('keys that an item leaves out have their defaults', () => {
  const w = world().apply('a', { ports: [{ port: 80 }] })
  expect(w.managers.a).toEqual([
    '.ports[port=80,protocol="TCP"]',
    '.ports[port=80,protocol="TCP"].port',
  ])
  const twice = { ports: [{ port: 80 }, { port: 80, protocol: 'TCP' }] }
  expect(() => w.apply('a', twice)).toThrow(
    '.ports: duplicate entries for key [port=80,protocol="TCP"]',
  )
  expect(() => w.apply('a', { list: [{ one: 1 }] })).toThrow(
    '.list: element 0: associative list with keys has an element that omits all key fields',
  )
})

test('a struct that an applier and an updater own in parts keeps the part of the other', () => {
  const start = () => world().apply('a', { struct: { name: 'a' } })
  expect(start().apply('a', {}).object).toEqual({})
  const w = start().update('c', { struct: { name: 'a', value: 1 } })
  expect(w.apply('a', {}).object).toEqual({ struct: { value: 1 } })
  const emptied = start().update('c', { struct: { name: 'a', value: 1 } })
  expect(emptied.apply('a', { struct: {} }).object).toEqual({ struct: { value: 1 } })
})

test('an atomic list has one manager, and no parts', () => {
  const w = world()
    .apply('a', { atomic: ['a', 'b'] })
    .apply('b', { atomic: ['a', 'b'] })
  expect(w.managers).toEqual({ a: ['.atomic'], b: ['.atomic'] })
  expect(conflictsOf(() => w.apply('a', { atomic: ['a'] }))).toContain('"b": .atomic')
  expect(w.force('a', { atomic: ['c'] }).object).toEqual({ atomic: ['c'] })
  expect(w.managers).toEqual({ a: ['.atomic'] })
})

test('an atomic map has one manager, a map of maps a manager for each key', () => {
  const w = world().apply('a', { atomicMap: { x: '1' }, map: { m: { k: '1' } } })
  w.apply('b', { map: { m: { l: '2' }, n: {} } })
  expect(w.managers).toEqual({
    a: ['.atomicMap', '.map.m', '.map.m.k'],
    b: ['.map.m', '.map.n', '.map.m.l'],
  })
})

test('values without a schema have maps with parts, and lists as one', () => {
  const w = world().apply('a', { raw: { x: { y: 1 }, l: [1, 2] } })
  expect(w.managers.a).toEqual(['.raw.l', '.raw.x', '.raw.x.y'])
  w.update('u', { raw: { x: { y: 1, z: 2 }, l: [1] } })
  expect(w.managers).toEqual({ a: ['.raw.x', '.raw.x.y'], u: ['.raw.l', '.raw.x.z'] })
})

test('a field that may hold anything is one value', () => {
  const w = world().apply('a', { extension: { x: 1 } })
  expect(w.managers.a).toEqual(['.extension'])
})

test('items that are there twice are one value together', () => {
  const w = world()
    .update('one', { set: ['1', '3'] })
    .update('two', { set: ['1', '1', '3'] })
  expect(w.managers).toEqual({ one: ['.set', '.set[="3"]'], two: ['.set[="1"]'] })
  expect(conflictsOf(() => w.apply('a', { set: ['1'] }))).toContain('"two" using v1: .set[="1"]')
  expect(w.apply('b', { set: ['5'] }).object).toEqual({ set: ['1', '1', '3', '5'] })
  expect(w.force('a', { set: ['1'] }).object).toEqual({ set: ['1', '3', '5'] })
})

test('an applied item takes the place of all that share its key', () => {
  const double = [
    { name: 'a', one: 1 },
    { name: 'a', one: 2 },
    { name: 'b', one: 3 },
  ]
  const w = world().update('u', { list: double })
  expect(w.force('b', { list: [{ name: 'b', one: 4 }] }).object).toEqual({
    list: [double[0], double[1], { name: 'b', one: 4 }],
  })
  expect(w.force('a', { list: [{ name: 'a', one: 3 }] }).object).toEqual({
    list: [
      { name: 'a', one: 3 },
      { name: 'b', one: 4 },
    ],
  })
})

test('fields that a path may not change are owned through it by nobody', () => {
  const main = new World(fieldsNamed('status'))
  main.update('u', { spec: { a: '1' }, status: { a: '1' } })
  expect(main.managers).toEqual({ u: ['.spec', '.spec.a'] })
  main.apply('a', { spec: { b: '1' }, status: { b: '1' } })
  expect(main.managers).toEqual({ a: ['.spec.b'], u: ['.spec', '.spec.a'] })
})

test('an object that nobody tracks stays so, until an apply names who was there before', () => {
  const w = world().update('u', { text: 's' }).untrack().update('u', { text: 't' })
  expect(w.managers).toEqual({})
  const conflict = 'conflict with "before-first-apply" using v1: .text'
  expect(conflictsOf(() => w.apply('a', { text: 'z' }))).toContain(conflict)
  w.apply('a', { other: 'z' })
  expect(w.managers).toEqual({ a: ['.other'], 'before-first-apply': ['.text'] })
})

test('a write that changes nothing moves no time', () => {
  const w = world().apply('a', { text: 's' }).update('u', { text: 's', other: 'x' })
  const times = [w.timeOf('a'), w.timeOf('u')]
  w.apply('a', { text: 's' }).update('u', { text: 's', other: 'x' })
  expect([w.timeOf('a'), w.timeOf('u')]).toEqual(times)
  // Nothing is new to the object, so the time of the second manager is never set.
  expect(w.apply('b', { text: 's' }).timeOf('b')).toBeUndefined()
})

test('only the ten newest updaters are kept apart', () => {
  const w = world()
  const fields: JsonObject = {}
  const raw: JsonObject = {}
  for (let i = 1; i <= 13; i++) {
    raw[`k${i}`] = i
    fields.raw = { ...raw }
    w.update(`m${i}`, { ...fields })
  }
  expect(Object.keys(w.managers)).toEqual([
    'ancient-changes',
    ...[5, 6, 7, 8, 9, 10, 11, 12, 13].map((i) => `m${i}`),
  ])
  expect(w.managers['ancient-changes']).toEqual([
    '.raw',
    '.raw.k1',
    '.raw.k2',
    '.raw.k3',
    '.raw.k4',
  ])
})

test('kubectl takes back what it applied from the client before, and keeps the annotation', () => {
  const annotation = 'kubectl.kubernetes.io/last-applied-configuration'
  const last = JSON.stringify({ apiVersion: 'v1', kind: 'Test', text: 's', other: 'o' })
  const metadata = { name: 'x', annotations: { [annotation]: last } }
  const w = world().update('kubectl-client-side-apply', { metadata, text: 's', other: 'o' })
  expect(conflictsOf(() => w.apply('somebody', { text: 't' }))).toContain('.text')
  w.apply('kubectl', { text: 't' })
  const annotations = w.live?.metadata.annotations
  expect(annotations?.[annotation]).toBe(
    '{"apiVersion":"v1","kind":"Test","metadata":{"name":"x"},"text":"t"}\n',
  )
  w.update('u', { metadata: { ...w.live?.metadata, managedFields: undefined }, text: 'u' })
  expect(conflictsOf(() => w.apply('kubectl', { text: 'v' }))).toContain('"u" using v1: .text')
})

test.each([
  [{ number: 'x' }, '.number: expected numeric (int or float), got string'],
  [{ text: 1 }, '.text: expected string, got &value.valueUnstructured{Value:1}'],
  [{ text: { a: 'b' } }, 'Value:map[string]interface {}{"a":"b"}}'],
  [{ list: 'x' }, '.list: expected list, got &{x}'],
  [{ struct: ['x', 'y'] }, '.struct: expected map, got &{[x y]}'],
  [{ bogus: 1 }, '(/x; /v1, Kind=Test): .bogus: field not declared in schema'],
  [{ bogus: 1, set: ['a', 'a'] }, 'errors:\n  .bogus: field not declared in schema\n  .set: dupl'],
  [{ metadata: { managedFields: [] } }, 'metadata.managedFields must be nil'],
  [{ kind: 'Other' }, 'invalid object type: /v1, Kind=Other'],
])('a configuration %p is refused', (config, message) => {
  expect(() => world().apply('a', config)).toThrow(message)
})
