import { expect, test } from 'bun:test'
import { createRegistry } from '../../api/registry.ts'
import { defineResource } from '../../api/resource.ts'
import { Query } from '../request/query.ts'
import type { Call } from '../transport/call.ts'
import { openApiDocument } from './openapi.ts'
import { openApiV2 } from './openapi-v2.ts'
import { openApiV3 } from './openapi-v3.ts'

const configMaps = defineResource({
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  type: 'io.k8s.api.core.v1.ConfigMap',
})
const deployments = defineResource({
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  status: true,
  type: 'io.k8s.api.apps.v1.Deployment',
})
const registry = createRegistry([configMaps, deployments])
const nothing = () => undefined
const NOW_MS = Date.UTC(2026, 0, 2)

type Operation = {
  operationId: string
  parameters: { name: string }[]
  requestBody: { content: object }
  'x-kubernetes-group-version-kind': object
}

function v3(group: string) {
  const of = registry.groups().find(({ name }) => name === group)!.versions[0]!
  return openApiV3(group, of, nothing)
}

function ask(path: string, headers: Record<string, string> = {}) {
  const [plain = '', query = ''] = path.split('?')
  const call = {
    method: 'GET',
    path: plain,
    query: new Query(query),
    header: (name: string) => headers[name],
  } as unknown as Call
  return openApiDocument(call, registry, NOW_MS)
}

test('the patch of a kind is what kubectl looks for before it writes', () => {
  const path = v3('apps').paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}']!
  const patch = path.patch as Operation
  expect(patch.operationId).toBe('patchAppsV1NamespacedDeployment')
  expect(patch.parameters.map(({ name }) => name)).toContain('fieldValidation')
  const kind = { group: 'apps', version: 'v1', kind: 'Deployment' }
  expect(patch['x-kubernetes-group-version-kind']).toEqual(kind)
  expect(Object.keys(patch.requestBody.content)).toContain('application/strategic-merge-patch+json')
})

test('schemas say defaults, list keys and patch keys, and wrap references', () => {
  const { schemas } = v3('apps').components
  expect(schemas['io.k8s.api.core.v1.PodSpec']!.properties).toMatchObject({
    containers: {
      type: 'array',
      items: {
        default: {},
        allOf: [{ $ref: '#/components/schemas/io.k8s.api.core.v1.Container' }],
      },
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      'x-kubernetes-patch-strategy': 'merge',
      'x-kubernetes-patch-merge-key': 'name',
    },
  })
  expect(schemas['io.k8s.api.core.v1.ContainerPort']!.properties).toMatchObject({
    protocol: { type: 'string', default: 'TCP', enum: ['SCTP', 'TCP', 'UDP'] },
  })
})

test('every reference leads to a schema, in both versions', () => {
  const documents = [v3('').components.schemas, v3('apps').components.schemas]
  documents.push(openApiV2(registry, nothing).definitions)
  for (const schemas of documents) {
    const text = JSON.stringify(schemas)
    const names = [...text.matchAll(/"\$ref":"#\/[a-z/]+\/([^"]+)"/g)].map(([, name]) => name!)
    expect(names.length).toBeGreaterThan(5)
    expect(names.filter((name) => !(name in schemas))).toEqual([])
  }
})

test('descriptions stand at types and fields', () => {
  const of = registry.groups()[0]!.versions[0]!
  const document = openApiV3('', of, (type, field) => `${type}#${field ?? ''}`)
  const name = 'io.k8s.api.core.v1.ConfigMap'
  expect(document.components.schemas[name]).toMatchObject({
    description: `${name}#`,
    properties: { data: { description: `${name}#data` } },
  })
})

test('the index leads to documents that may be kept for good', async () => {
  const index = JSON.parse(`${(await ask('/openapi/v3'))!.body}`)
  expect(Object.keys(index.paths)).toEqual(['api/v1', 'apis/apps/v1'])
  const answer = (await ask(index.paths['apis/apps/v1'].serverRelativeURL))!
  expect(answer.code).toBe(200)
  expect(answer.headers['cache-control']).toBe('public, immutable')
  expect(answer.headers.expires).toBe('Sat, 02 Jan 2027 00:00:00 GMT')
  expect(JSON.parse(`${answer.body}`).openapi).toBe('3.0.0')
})

test('a hash of the past leads to the present', async () => {
  const answer = (await ask('/openapi/v3/apis/apps/v1?hash=OLD'))!
  expect(answer.code).toBe(301)
  expect(answer.headers.location).toMatch(/^\/openapi\/v3\/apis\/apps\/v1\?hash=[0-9A-F]{128}$/)
})

test('what a client has already is not sent again', async () => {
  for (const path of ['/openapi/v2', '/openapi/v3/api/v1']) {
    const first = (await ask(path))!
    const again = (await ask(path, { 'if-none-match': `${first.headers.etag}` }))!
    expect([first.code, again.code, again.body]).toEqual([200, 304, ''])
  }
})

test('version 2 is written in protobuf for those who take nothing else', async () => {
  const accept = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf'
  const answer = (await ask('/openapi/v2', { accept }))!
  expect(answer.headers['content-type']).toBe(accept.replace('@', '.'))
  const bytes = Buffer.from(answer.body as Uint8Array)
  // Field 1 is the version, field 2 the information.
  expect(bytes.subarray(0, 5)).toEqual(Buffer.from([0x0a, 3, 0x32, 0x2e, 0x30]))
  expect(bytes.includes('io.k8s.api.apps.v1.DeploymentSpec')).toBe(true)
  const json = (await ask('/openapi/v2', { accept: `${accept}, */*` }))!
  expect(json.headers['content-type']).toBe('application/json')
})

test('what cannot be had is not acceptable, and unknown documents are none', async () => {
  expect((await ask('/openapi/v2', { accept: 'text/html' }))!.code).toBe(406)
  expect((await ask('/openapi/v3', { accept: 'text/html' }))!.code).toBe(406)
  expect(await ask('/openapi/v3/apis/none/v1')).toBeUndefined()
  expect(await ask('/openapi/v4')).toBeUndefined()
})
