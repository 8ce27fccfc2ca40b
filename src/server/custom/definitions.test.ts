import { expect, test } from 'bun:test'
import { type TestServer, testServer } from '../../../test/support/server.ts'
import { SystemClock } from '../../lib/clock.ts'
import { openStore } from '../../store/open.ts'

const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const THINGS = '/apis/example.com/v1/things'

type Schema = Record<string, unknown>

function version(name: string, spec: Schema, more: object = {}) {
  const openAPIV3Schema = {
    type: 'object',
    properties: { spec: { type: 'object', properties: spec } },
  }
  return { name, served: true, storage: false, schema: { openAPIV3Schema }, ...more }
}

function definition(versions: object[], names: object = {}) {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'things.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Cluster',
      names: { plural: 'things', kind: 'Thing', ...names },
      versions,
    },
  }
}

const thing = (name: string, spec: object, v = 'v1') => ({
  apiVersion: `example.com/${v}`,
  kind: 'Thing',
  metadata: { name },
  spec,
})

/** Asks again until the answer is as wanted: conditions come beside the writes. */
async function until(ask: () => Promise<boolean>) {
  for (let i = 0; i < 400; i++) {
    if (await ask()) return
    await Bun.sleep(5)
  }
  throw new Error('it never came')
}

const served = (server: TestServer, path = THINGS) =>
  until(async () => (await server.call('GET', path)).code === 200)

async function define(server: TestServer, versions: object[]) {
  const made = await server.call('POST', DEFINITIONS, { body: definition(versions) })
  expect(made.code).toBe(201)
  await served(server)
}

async function change(server: TestServer, patch: object[]) {
  const headers = { 'content-type': 'application/json-patch+json' }
  const path = `${DEFINITIONS}/things.example.com`
  const changed = await server.call('PATCH', path, { headers, body: patch })
  expect(changed.text).not.toContain('Failure')
}

const SIZE = { size: { type: 'integer' } }

test('custom kinds are there again when the server starts on the same store', async () => {
  const store = await openStore({ path: ':memory:', clock: new SystemClock() })
  const first = await testServer({ store })
  await define(first, [version('v1', SIZE, { storage: true })])
  await first.call('POST', THINGS, { body: thing('a', { size: 1 }) })
  const second = await testServer({ store, bootstrap: false })
  const answer = await second.call('GET', `${THINGS}/a`)
  expect([answer.code, answer.json.spec]).toEqual([200, { size: 1 }])
  await first.close()
})

test('what was stored before a change is pruned and defaulted by the new schema', async () => {
  await using server = await testServer()
  await define(server, [version('v1', { ...SIZE, old: { type: 'string' } }, { storage: true })])
  await server.call('POST', THINGS, { body: thing('a', { size: 1, old: 'x' }) })
  const path = '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties'
  await change(server, [
    { op: 'remove', path: `${path}/old` },
    { op: 'add', path: `${path}/late`, value: { type: 'string', default: 'now' } },
  ])
  const spec = async () => (await server.call('GET', `${THINGS}/a`)).json.spec
  await until(async () => (await spec()).late === 'now')
  expect(await spec()).toEqual({ size: 1, late: 'now' })
  // The list, a watch and a selection say the same.
  expect((await server.call('GET', THINGS)).json.items[0].spec).toEqual({ size: 1, late: 'now' })
  const watch = await server.watch(`${THINGS}?watch=1&timeoutSeconds=5`)
  expect((await watch.next()).object.spec).toEqual({ size: 1, late: 'now' })
  await watch.stop()
})

test('versions are read and written through each other', async () => {
  await using server = await testServer()
  const second = version('v2', { ...SIZE, extra: { type: 'string' } })
  await define(server, [version('v1', SIZE, { storage: true }), second])
  const v2 = THINGS.replace('/v1/', '/v2/')
  await served(server, v2)
  await server.call('POST', THINGS, { body: thing('a', { size: 1 }) })
  const made = await server.call('POST', v2, { body: thing('b', { size: 2, extra: 'x' }, 'v2') })
  expect(made.json.apiVersion).toBe('example.com/v2')
  const list = async (path: string) =>
    (await server.call('GET', path)).json.items.map((item: Record<string, unknown>) => [
      item.apiVersion,
      item.spec,
    ])
  expect(await list(THINGS)).toEqual([
    ['example.com/v1', { size: 1 }],
    ['example.com/v1', { size: 2 }],
  ])
  expect(await list(v2)).toEqual([
    ['example.com/v2', { size: 1 }],
    ['example.com/v2', { size: 2 }],
  ])
  // What was stored in the old version is still read when another one is stored.
  await change(server, [
    { op: 'replace', path: '/spec/versions/0/storage', value: false },
    { op: 'replace', path: '/spec/versions/1/storage', value: true },
  ])
  await server.call('PATCH', `${v2}/b`, {
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { spec: { extra: 'kept' } },
  })
  await until(async () => {
    const { json } = await server.call('GET', `${v2}/b`)
    return json.spec.extra === 'kept' || json.spec.size !== 2
  })
  expect((await list(THINGS)).map(([, spec]: unknown[]) => spec)).toEqual([
    { size: 1 },
    { size: 2 },
  ])
})

test('a watch ends when its kind is defined anew, and not before', async () => {
  await using server = await testServer()
  await define(server, [version('v1', SIZE, { storage: true })])
  const watch = await server.watch(`${THINGS}?watch=1&resourceVersion=${server.store.revision}`)
  await server.call('PATCH', `${DEFINITIONS}/things.example.com`, {
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { metadata: { labels: { a: 'b' } } },
  })
  await server.call('POST', THINGS, { body: thing('a', { size: 1 }) })
  expect((await watch.next()).object.metadata.name).toBe('a')
  await change(server, [
    { op: 'add', path: '/spec/names/shortNames', value: ['th'] },
    { op: 'add', path: '/spec/versions/0/additionalPrinterColumns', value: [] },
  ])
  expect(await watch.next()).toBeUndefined()
})

test('a definition goes when the last of its objects has, and takes its paths along', async () => {
  await using server = await testServer()
  await define(server, [version('v1', SIZE, { storage: true })])
  await server.call('POST', THINGS, { body: thing('a', { size: 1 }) })
  const held = thing('b', { size: 1 })
  const body = { ...held, metadata: { name: 'b', finalizers: ['example.com/hold'] } }
  await server.call('POST', THINGS, { body })
  await server.call('DELETE', `${DEFINITIONS}/things.example.com`)
  await until(async () => (await server.call('GET', `${THINGS}/a`)).code === 404)
  const refused = await server.call('POST', THINGS, { body: thing('c', { size: 1 }) })
  expect(refused.json.message).toContain('custom resource definition is terminating')
  const found = (await server.call('GET', '/apis/example.com/v1')).json.resources[0]
  expect(found.verbs).not.toContain('create')
  await server.call('PATCH', `${THINGS}/b`, {
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { metadata: { finalizers: null } },
  })
  const gone = async () =>
    (await server.call('GET', `${DEFINITIONS}/things.example.com`)).code === 404
  await until(gone)
  await until(async () => (await server.call('GET', '/apis/example.com/v1')).code === 404)
  const { paths } = (await server.call('GET', '/openapi/v3')).json
  expect(Object.keys(paths)).not.toContain('apis/example.com/v1')
})

test('names that are taken are told, and taken as soon as they are free', async () => {
  await using server = await testServer()
  await define(server, [version('v1', SIZE, { storage: true })])
  const names = { plural: 'others', kind: 'Thing', singular: 'other', listKind: 'OtherList' }
  const other = definition([version('v1', SIZE, { storage: true })], names)
  other.metadata.name = 'others.example.com'
  await server.call('POST', DEFINITIONS, { body: other })
  const conditions = async () => {
    const { json } = await server.call('GET', `${DEFINITIONS}/others.example.com`)
    const all: { type: string; reason: string }[] = json.status.conditions ?? []
    return all.map(({ type, reason }) => `${type} ${reason}`)
  }
  await until(async () => (await conditions()).length === 2)
  expect(await conditions()).toEqual(['NamesAccepted KindConflict', 'Established NotAccepted'])
  await server.call('DELETE', `${DEFINITIONS}/things.example.com`)
  await served(server, '/apis/example.com/v1/others')
  expect(await conditions()).toEqual([
    'NamesAccepted NoConflicts',
    'Established InitialNamesAccepted',
  ])
})

test('a definition never replaces a kind that is built in', async () => {
  await using server = await testServer()
  const body = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: 'leases.coordination.k8s.io',
      annotations: { 'api-approved.kubernetes.io': 'unapproved, a test' },
    },
    spec: {
      group: 'coordination.k8s.io',
      scope: 'Namespaced',
      names: { plural: 'leases', kind: 'Lease' },
      versions: [version('v1', SIZE, { storage: true })],
    },
  }
  const row = server.registry.find('coordination.k8s.io', 'v1', 'leases')
  expect((await server.call('POST', DEFINITIONS, { body })).code).toBe(201)
  await until(async () => {
    const { json } = await server.call('GET', `${DEFINITIONS}/leases.coordination.k8s.io`)
    const all: { type: string; status: string }[] = json.status.conditions ?? []
    return all.some(({ type, status }) => type === 'Established' && status === 'True')
  })
  expect(server.registry.find('coordination.k8s.io', 'v1', 'leases')).toBe(row!)
})

test('OpenAPI names only the patches that are taken, so that kubectl applies with another', async () => {
  await using server = await testServer()
  await define(server, [version('v1', SIZE, { storage: true })])
  const { json } = await server.call('GET', '/openapi/v3/apis/example.com/v1')
  const { patch } = json.paths[`${THINGS}/{name}`]
  const types = Object.keys(patch.requestBody.content)
  expect(types).not.toContain('application/strategic-merge-patch+json')
  expect(types).toContain('application/merge-patch+json')
  const v2 = await server.call('GET', '/openapi/v2')
  const { consumes } = v2.json.paths[`${THINGS}/{name}`].patch
  expect(consumes).not.toContain('application/strategic-merge-patch+json')
})

test('a body in protobuf is refused', async () => {
  await using server = await testServer()
  await define(server, [version('v1', SIZE, { storage: true })])
  const headers = { 'content-type': 'application/vnd.kubernetes.protobuf' }
  const answer = await server.call('POST', THINGS, { headers, body: 'k8s\0' })
  expect(answer.code).toBe(415)
})
