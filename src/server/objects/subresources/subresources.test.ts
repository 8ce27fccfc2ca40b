import { expect, test } from 'bun:test'
import { type TestServer, testServer } from '../../../../test/support/server.ts'
import { SimClock } from '../../../lib/clock.ts'

const HERE = '/api/v1/namespaces/default'
const MERGE = { 'content-type': 'application/merge-patch+json' }
const containers = [{ name: 'c', image: 'i' }]

async function serverWithPod(): Promise<TestServer> {
  const server = await testServer({ clock: new SimClock(Date.UTC(2026, 0, 1)) })
  await create(server, `${HERE}/serviceaccounts`, { metadata: { name: 'default' } })
  await create(server, `${HERE}/pods`, { metadata: { name: 'p' }, spec: { containers } })
  return server
}

async function create(server: TestServer, path: string, body: object) {
  const made = await server.call('POST', path, { body })
  expect([path, made.code]).toEqual([path, 201])
  return made.json
}

const binding = (name: string, node: string, metadata = {}) => ({
  metadata: { name, ...metadata },
  target: { kind: 'Node', name: node },
})

type Condition = { type: string; status: string }
const conditionOf = (pod: { status: { conditions: Condition[] } }, type: string) =>
  pod.status.conditions.find((condition) => condition.type === type)

test('a binding gives a pod its node, once', async () => {
  await using server = await serverWithPod()
  const bound = await server.call('POST', `${HERE}/pods/p/binding`, { body: binding('p', 'n') })
  expect([bound.code, bound.json.status]).toEqual([201, 'Success'])
  const pod = (await server.call('GET', `${HERE}/pods/p`)).json
  expect(pod.spec.nodeName).toBe('n')
  expect(conditionOf(pod, 'PodScheduled')).toMatchObject({ status: 'True' })
  const again = await server.call('POST', `${HERE}/pods/p/binding`, { body: binding('p', 'm') })
  expect(again.json).toMatchObject({
    code: 409,
    reason: 'Conflict',
    message:
      'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n"',
  })
})

test('a binding is for the pod that the scheduler saw', async () => {
  await using server = await serverWithPod()
  const other = binding('p', 'n', { uid: 'another' })
  const path = `${HERE}/pods/p/binding`
  expect((await server.call('POST', path, { body: other })).code).toBe(409)
  expect((await server.call('POST', path, { body: binding('q', 'n') })).code).toBe(400)
  expect((await server.call('POST', `${HERE}/bindings`, { body: binding('q', 'n') })).code).toBe(
    404,
  )
  await create(server, `${HERE}/bindings`, binding('p', 'n'))
})

test('an eviction marks a pod with the reason, then deletes it with its time to end', async () => {
  await using server = await serverWithPod()
  await create(server, `${HERE}/pods/p/binding`, binding('p', 'n'))
  await create(server, `${HERE}/pods/p/eviction`, { metadata: { name: 'p' } })
  const pod = (await server.call('GET', `${HERE}/pods/p`)).json
  expect(pod.metadata).toMatchObject({
    deletionGracePeriodSeconds: 30,
    deletionTimestamp: '2026-01-01T00:00:30Z',
  })
  expect(conditionOf(pod, 'DisruptionTarget')).toMatchObject({
    status: 'True',
    reason: 'EvictionByEvictionAPI',
  })
})

test('what a pod does is written apart from what it shall do', async () => {
  await using server = await serverWithPod()
  const body = {
    metadata: { labels: { a: 'b' } },
    spec: { nodeName: 'n' },
    status: { phase: 'Failed' },
  }
  const { json } = await server.call('PATCH', `${HERE}/pods/p/status`, { body, headers: MERGE })
  expect(json.status.phase).toBe('Failed')
  expect(json.spec.nodeName).toBeUndefined()
  const back = { body: { status: { phase: 'Running' } }, headers: MERGE }
  expect((await server.call('PATCH', `${HERE}/pods/p`, back)).json.status.phase).toBe('Failed')
})

test('scale is the same for everything that has replicas', async () => {
  await using server = await testServer()
  const path = '/apis/apps/v1/namespaces/default/replicasets'
  const labels = { app: 'a', tier: 'b' }
  const template = { metadata: { labels }, spec: { containers } }
  const spec = { replicas: 2, selector: { matchLabels: labels }, template }
  await create(server, path, { metadata: { name: 'r' }, spec })
  const scale = (await server.call('GET', `${path}/r/scale`)).json
  expect(scale).toMatchObject({
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    spec: { replicas: 2 },
    status: { replicas: 0, selector: 'app=a,tier=b' },
  })
  const more = await server.call('PUT', `${path}/r/scale`, {
    body: { ...scale, spec: { replicas: 5 } },
  })
  expect(more.json.spec.replicas).toBe(5)
  const less = { body: { spec: { replicas: 1 } }, headers: MERGE }
  expect((await server.call('PATCH', `${path}/r/scale`, less)).json.spec.replicas).toBe(1)
  expect((await server.call('GET', `${path}/r`)).json.spec.replicas).toBe(1)
  const negative = { body: { spec: { replicas: -1 } }, headers: MERGE }
  expect((await server.call('PATCH', `${path}/r/scale`, negative)).code).toBe(422)
  const late = await server.call('PUT', `${path}/r/scale`, { body: scale })
  expect(late.code).toBe(409)
})

test('a token says whom it is for and how long it is good', async () => {
  await using server = await serverWithPod()
  const path = `${HERE}/serviceaccounts/default/token`
  const asked = { audiences: ['vault'], expirationSeconds: 1200 }
  const { status } = await create(server, path, { spec: asked })
  expect(status.expirationTimestamp).toBe('2026-01-01T00:20:00Z')
  const claims = JSON.parse(Buffer.from(status.token.split('.')[1], 'base64url').toString())
  expect(claims).toMatchObject({
    aud: ['vault'],
    sub: 'system:serviceaccount:default:default',
    'kubernetes.io': { namespace: 'default', serviceaccount: { name: 'default' } },
  })
  const short = await server.call('POST', path, { body: { spec: { expirationSeconds: 10 } } })
  expect(short.json.message).toContain('may not specify a duration less than 10 minutes')
  const boundObjectRef = { kind: 'Pod', apiVersion: 'v1', name: 'q' }
  expect((await server.call('POST', path, { body: { spec: { boundObjectRef } } })).code).toBe(404)
})

test('no token is good for longer than a year, unless it can be taken back with a Secret', async () => {
  await using server = await testServer()
  const path = `${HERE}/serviceaccounts/default/token`
  await server.call('POST', `${HERE}/serviceaccounts`, { body: { metadata: { name: 'default' } } })
  const year = 365 * 24 * 3600
  const ask = (spec: object) =>
    server.call('POST', path, { body: { spec: { expirationSeconds: 2 ** 32, ...spec } } })
  const life = ({ json }: { json: { status: { token: string } } }) => {
    const claims = Buffer.from(json.status.token.split('.')[1]!, 'base64url').toString()
    return JSON.parse(claims).exp - JSON.parse(claims).iat
  }
  const shortened = await ask({ audiences: ['vault'] })
  expect([shortened.json.spec.expirationSeconds, life(shortened)]).toEqual([year, year])
  expect(shortened.headers.get('warning')).toContain(
    `requested expiration of ${2 ** 32} seconds shortened to ${year} seconds`,
  )
  const secret = { metadata: { name: 'bound' } }
  const { json } = await server.call('POST', `${HERE}/secrets`, { body: secret })
  const boundObjectRef = { apiVersion: 'v1', kind: 'Secret', name: 'bound', uid: json.metadata.uid }
  expect(life(await ask({ boundObjectRef }))).toBe(2 ** 32)
})

test('anybody may be asked about: tokens, rights, and who one is', async () => {
  await using server = await serverWithPod()
  const { status } = await create(server, `${HERE}/serviceaccounts/default/token`, { spec: {} })
  const tokens = '/apis/authentication.k8s.io/v1/tokenreviews'
  const good = await create(server, tokens, { spec: { token: status.token } })
  expect(good.status).toMatchObject({
    authenticated: true,
    user: { username: 'system:serviceaccount:default:default' },
  })
  const bad = await create(server, tokens, { spec: { token: 'bogus' } })
  expect(bad.status).toEqual({ user: {}, error: expect.any(String) })

  const rights = '/apis/authorization.k8s.io/v1'
  const resourceAttributes = { verb: 'list', resource: 'pods', namespace: 'default' }
  const spec = { user: 'system:serviceaccount:default:default', resourceAttributes }
  const may = async (kind: string, question: object) =>
    (await create(server, `${rights}/${kind}`, { spec: question })).status.allowed
  expect(await may('subjectaccessreviews', spec)).toBe(false)
  expect(await may('subjectaccessreviews', { ...spec, groups: ['system:masters'] })).toBe(true)
  expect(await may('selfsubjectaccessreviews', { resourceAttributes })).toBe(true)
  const version = { nonResourceAttributes: { verb: 'get', path: '/version' } }
  expect(await may('subjectaccessreviews', { ...version, user: 'x' })).toBe(false)
  const everybody = { ...version, user: 'x', groups: ['system:authenticated'] }
  expect(await may('subjectaccessreviews', everybody)).toBe(true)
  const local = `${rights}/namespaces/default/localsubjectaccessreviews`
  const elsewhere = { ...spec, resourceAttributes: { ...resourceAttributes, namespace: 'other' } }
  const refused = await server.call('POST', local, {
    body: { metadata: { namespace: 'default' }, spec: elsewhere },
  })
  expect(refused.code).toBe(422)
})

test('rules of a user are those of all roles that reach them', async () => {
  await using server = await testServer()
  const path = '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews'
  const user = { username: 'eve', groups: ['system:authenticated'] }
  const asked = await server.call('POST', path, { user, body: { spec: { namespace: 'default' } } })
  expect(asked.json.status.incomplete).toBe(false)
  expect(asked.json.status.resourceRules).toContainEqual({
    verbs: ['create'],
    apiGroups: ['authorization.k8s.io'],
    resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
  })
  expect((await server.call('POST', path, { user, body: { spec: {} } })).code).toBe(400)
})

test('an approval of a request for a certificate goes its own way', async () => {
  await using server = await testServer()
  const path = '/apis/certificates.k8s.io/v1/certificatesigningrequests'
  const { createCsr } = await import('../../../pki/csr.ts')
  const request = btoa((await createCsr({ commonName: 'ann', organizations: ['dev'] })).csr)
  const signerName = 'kubernetes.io/kube-apiserver-client'
  const spec = { request, signerName, usages: ['client auth'] }
  const made = await create(server, path, { metadata: { name: 'ann' }, spec })
  expect(made.spec.username).toBe('admin')
  const conditions = [{ type: 'Approved', status: 'True', reason: 'Known', message: 'by sight' }]
  const approved = { ...made, status: { conditions, certificate: 'bm9uZQ==' } }
  const plain = await server.call('PUT', `${path}/ann`, { body: approved })
  expect(plain.json.status).toEqual({})
  const said = await server.call('PUT', `${path}/ann/approval`, {
    body: { ...approved, metadata: plain.json.metadata },
  })
  expect(said.json.status.conditions).toMatchObject([{ type: 'Approved', status: 'True' }])
  expect(said.json.status.certificate).toBeUndefined()
})

test('what a kind does not have is not found, and wrong methods are not allowed', async () => {
  await using server = await serverWithPod()
  const codeOf = async (method: string, path: string) =>
    (await server.call(method, path, { body: {} })).code
  expect(await codeOf('GET', `${HERE}/pods/p/scale`)).toBe(404)
  expect(await codeOf('GET', `${HERE}/pods/p/bogus`)).toBe(404)
  expect(await codeOf('GET', `${HERE}/pods/p/binding`)).toBe(405)
  expect(await codeOf('POST', `${HERE}/pods/p/status`)).toBe(405)
  expect(await codeOf('DELETE', `${HERE}/pods/p/status`)).toBe(405)
})
