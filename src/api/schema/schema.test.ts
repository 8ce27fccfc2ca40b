import { expect, test } from 'bun:test'
import { applyDefaults } from './defaults.ts'
import { findObjectType, objectType, typeOfKind } from './schema.ts'

test('a type knows its fields, list keys, patch keys and numbers', () => {
  const pod = typeOfKind({ group: '', version: 'v1', kind: 'Pod' })!
  expect(pod.name).toBe('io.k8s.api.core.v1.Pod')
  const spec = pod.fields.get('spec')!.type
  if (spec.is !== 'object') throw new Error('spec is an object')
  const containers = spec.type.fields.get('containers')!
  expect(containers).toMatchObject({
    required: true,
    alwaysWritten: true,
    pointer: false,
    protobufNumber: 2,
    listType: 'map',
    listMapKeys: ['name'],
    patchStrategy: ['merge'],
    patchMergeKey: 'name',
  })
  expect(spec.type.fields.get('restartPolicy')!.enum).toEqual(['Always', 'Never', 'OnFailure'])
})

test('fields of embedded structs know the message that holds them', () => {
  const probe = objectType('io.k8s.api.core.v1.Probe')
  expect(probe.fields.get('httpGet')).toMatchObject({
    protobufNumber: 2,
    protobufWithin: [1],
    embeddedIn: ['ProbeHandler'],
    pointer: true,
  })
})

test('a type may hold itself', () => {
  const name = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps'
  const schema = objectType(name)
  const not = schema.fields.get('not')!.type
  expect(not.is === 'object' && not.type).toBe(schema)
})

test('every type can be built, and its keys name fields of its items', () => {
  const seen = new Set<string>()
  const visit = (name: string) => {
    if (seen.has(name)) return
    seen.add(name)
    for (const field of objectType(name).fields.values()) {
      let { type } = field
      while (type.is === 'list' || type.is === 'map') type = type.of
      if (type.is !== 'object') continue
      for (const key of field.listMapKeys) expect(type.type.fields.has(key)).toBe(true)
      visit(type.type.name)
    }
  }
  for (const kind of ['Pod', 'Node', 'Service']) {
    visit(typeOfKind({ group: '', version: 'v1', kind })!.name)
  }
  visit(typeOfKind({ group: 'apps', version: 'v1', kind: 'StatefulSet' })!.name)
  expect(seen.size).toBeGreaterThan(150)
})

test('an unknown type is a fault of ours', () => {
  expect(findObjectType('io.k8s.api.core.v1.Nothing')).toBeUndefined()
  expect(() => objectType('io.k8s.api.core.v1.Nothing')).toThrow('no type')
})

test('defaults of the facts reach every depth, and never replace a value', () => {
  const service = { spec: { ports: [{ port: 80 }, { port: 53, protocol: 'UDP' }] } }
  applyDefaults(service, objectType('io.k8s.api.core.v1.Service'))
  expect(service.spec.ports).toEqual([
    { port: 80, protocol: 'TCP' },
    { port: 53, protocol: 'UDP' },
  ] as never)
  const controller = { spec: {} }
  applyDefaults(controller, objectType('io.k8s.api.core.v1.ReplicationController'))
  expect(controller.spec).toEqual({ replicas: 1 })
})
