import { expect, test } from 'bun:test'
import { gunzipSync } from 'node:zlib'
import { type TestServer, testServer } from '../../../test/support/server.ts'

const MAPS = '/api/v1/namespaces/default/configmaps'
const map = (name: string, data = {}) => ({ metadata: { name }, data })

async function serverWithMap(): Promise<TestServer> {
  const server = await testServer()
  expect((await server.call('POST', MAPS, { body: map('a', { k: 'v' }) })).code).toBe(201)
  return server
}

const get = (server: TestServer, path: string, headers: Record<string, string>) =>
  server.call('GET', path, { headers })

test('the first form that is asked for and can be had is answered', async () => {
  await using server = await serverWithMap()
  const typeFor = async (accept: string) => {
    const { code, headers } = await get(server, `${MAPS}/a`, { accept })
    return code === 200 ? headers.get('content-type') : code
  }
  const cases: [string, string | number][] = [
    ['*/*', 'application/json'],
    ['application/*', 'application/json'],
    ['application/yaml', 'application/yaml'],
    ['application/yaml, application/json', 'application/yaml'],
    ['application/yaml;q=0.5, application/json', 'application/json'],
    ['application/vnd.kubernetes.protobuf, application/json', 'application/json'],
    ['application/vnd.kubernetes.protobuf', 'application/vnd.kubernetes.protobuf'],
    ['text/html, application/json', 'application/json'],
    ['text/html', 406],
    ['application/json;as=Chair;v=v1;g=meta.k8s.io', 406],
    ['application/json;as=Table;v=v1;g=meta.k8s.io,application/json', 'application/json'],
  ]
  for (const [accept, wanted] of cases) {
    expect([accept, await typeFor(accept)]).toEqual([accept, wanted])
  }
})

test('tables and bare metadata are other views of the same', async () => {
  await using server = await serverWithMap()
  const as = async (path: string, kind: string) => {
    const accept = `application/json;as=${kind};v=v1;g=meta.k8s.io`
    return (await get(server, path, { accept })).json
  }
  const table = await as(MAPS, 'Table')
  expect(table).toMatchObject({ kind: 'Table', apiVersion: 'meta.k8s.io/v1' })
  const own = table.rows.find(({ cells }: { cells: unknown[] }) => cells[0] === 'a')
  expect(own).toMatchObject({
    cells: ['a', 1, expect.any(String)],
    object: { kind: 'PartialObjectMetadata', metadata: { name: 'a' } },
  })
  const whole = await as(`${MAPS}?includeObject=Object`, 'Table')
  expect(whole.rows[0].object.kind).toBe('ConfigMap')
  const none = await as(`${MAPS}?includeObject=None`, 'Table')
  expect(none.rows[0].object).toBeNull()
  const one = await as(`${MAPS}/a`, 'PartialObjectMetadata')
  expect(Object.keys(one).toSorted()).toEqual(['apiVersion', 'kind', 'metadata'])
  const list = await as(MAPS, 'PartialObjectMetadataList')
  expect(list).toMatchObject({ kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1' })
})

test('people get indented answers', async () => {
  await using server = await serverWithMap()
  const indented = /^\{\n {2}"kind": "ConfigMap"/
  expect((await get(server, `${MAPS}/a?pretty=1`, {})).text).toMatch(indented)
  expect((await get(server, `${MAPS}/a`, { 'user-agent': 'curl/8.5.0' })).text).toMatch(indented)
  const plain = await get(server, `${MAPS}/a?pretty=false`, { 'user-agent': 'curl/8.5.0' })
  expect(plain.text).toStartWith('{"kind":"ConfigMap"')
})

test('bodies are read in three forms, and refused in others', async () => {
  await using server = await serverWithMap()
  const yaml = 'kind: ConfigMap\napiVersion: v1\nmetadata: {name: b}\ndata: {k: "yes"}\n'
  const headers = { 'content-type': 'application/yaml' }
  const made = await server.call('POST', MAPS, { body: yaml, headers })
  expect([made.code, made.json.data]).toEqual([201, { k: 'yes' }])
  const refused = await server.call('POST', MAPS, {
    body: 'x',
    headers: { 'content-type': 'text/plain' },
  })
  expect([refused.code, refused.json.reason]).toEqual([415, 'UnsupportedMediaType'])
})

test('a body beyond the limit is refused', async () => {
  await using server = await serverWithMap()
  const body = map('big', { k: 'x'.repeat(3 * 1024 * 1024) })
  const { code, json } = await server.call('POST', MAPS, { body })
  expect([code, json.reason]).toEqual([413, 'RequestEntityTooLarge'])
})

test('large answers are packed for those who can unpack them', async () => {
  await using server = await serverWithMap()
  const body = map('large', { k: 'x'.repeat(200 * 1024) })
  await server.call('POST', MAPS, { body })
  const fetch = (path: string, headers: Record<string, string>) =>
    server.app.fetch(new Request(`http://test${path}`, { headers }), {
      user: { username: 'admin', groups: ['system:masters'] },
    })
  const packed = await fetch(`${MAPS}/large`, { 'accept-encoding': 'gzip' })
  expect(packed.headers.get('content-encoding')).toBe('gzip')
  const text = gunzipSync(await packed.arrayBuffer()).toString()
  expect(JSON.parse(text).data.k).toHaveLength(200 * 1024)
  const small = await fetch(`${MAPS}/a`, { 'accept-encoding': 'gzip' })
  expect(small.headers.get('content-encoding')).toBeNull()
  const plain = await fetch(`${MAPS}/large`, {})
  expect(plain.headers.get('content-encoding')).toBeNull()
})

test('errors come in the form that was asked for, and as JSON when there is none', async () => {
  await using server = await serverWithMap()
  const inYaml = await get(server, `${MAPS}/b`, { accept: 'application/yaml' })
  expect(inYaml.text).toContain('message: configmaps "b" not found\n')
  const table = await get(server, `${MAPS}/b`, {
    accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
  })
  expect(table.json).toMatchObject({ kind: 'Status', code: 404 })
  expect((await get(server, `${MAPS}/b`, { accept: 'text/html' })).json.code).toBe(406)
})

test('every answer can be found in a log, and is not to be kept', async () => {
  await using server = await serverWithMap()
  const own = await get(server, `${MAPS}/a`, {})
  expect(own.headers.get('audit-id')).toMatch(/^[0-9a-f-]{36}$/)
  expect(own.headers.get('cache-control')).toBe('no-cache, private')
  const given = await get(server, `${MAPS}/b`, { 'audit-id': 'mine' })
  expect([given.code, given.headers.get('audit-id')]).toEqual([404, 'mine'])
})
