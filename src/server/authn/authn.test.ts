import { expect, test } from 'bun:test'
import { type TestServer, testServer } from '../../../test/support/server.ts'
import { SimClock } from '../../lib/clock.ts'
import type { RequestEnv } from '../contract.ts'

const ADMIN_CERTIFICATE: RequestEnv = {
  clientCertificate: {
    commonName: 'ann',
    organizations: ['system:masters', 'dev'],
    issuedBy: 'client',
    sha256: 'ab12',
  },
}
const PROXY_CERTIFICATE: RequestEnv = {
  clientCertificate: { commonName: 'proxy', organizations: [], issuedBy: 'front-proxy' },
}

/** Who the server takes the caller for, as SelfSubjectReview says; else the code of an error. */
async function whoIs(server: TestServer, headers: Record<string, string>, env: RequestEnv = {}) {
  const request = new Request('http://test/apis/authentication.k8s.io/v1/selfsubjectreviews', {
    method: 'POST',
    body: '{}',
    headers: { 'content-type': 'application/json', ...headers },
  })
  const response = await server.app.fetch(request, env)
  return response.status === 201
    ? ((await response.json()) as { status: { userInfo: object } }).status.userInfo
    : response.status
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

async function create(server: TestServer, path: string, body: object) {
  const made = await server.call('POST', path, { body })
  expect([path, made.code]).toEqual([path, 201])
  return made.json
}

test('a client certificate names a user and groups', async () => {
  await using server = await testServer()
  expect(await whoIs(server, {}, ADMIN_CERTIFICATE)).toEqual({
    username: 'ann',
    groups: ['system:masters', 'dev', 'system:authenticated'],
    extra: { 'authentication.kubernetes.io/credential-id': ['X509SHA256=ab12'] },
  })
})

test('the headers of a proxy count with its certificate alone', async () => {
  await using server = await testServer()
  const headers = {
    'x-remote-user': 'ben',
    'x-remote-group': 'dev',
    'x-remote-uid': '7',
    'x-remote-extra-acme.com%2Fteam': 'blue',
  }
  expect(await whoIs(server, headers, PROXY_CERTIFICATE)).toEqual({
    username: 'ben',
    uid: '7',
    groups: ['dev', 'system:authenticated'],
    extra: { 'acme.com/team': ['blue'] },
  })
  expect(await whoIs(server, headers, ADMIN_CERTIFICATE)).toMatchObject({ username: 'ann' })
  expect(await whoIs(server, headers)).toBe(403)
})

test('who shows nothing is anonymous; who shows a token that nobody knows is refused', async () => {
  await using server = await testServer()
  const version = await server.app.fetch(new Request('http://test/version'), {})
  expect(version.status).toBe(200)
  const pods = await server.app.fetch(new Request('http://test/api/v1/pods'), {})
  expect(((await pods.json()) as { message: string }).message).toBe(
    'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group ""' +
      ' at the cluster scope',
  )
  for (const authorization of ['Bearer bogus', 'Bearer a.b.c', 'Basic YTpi', 'Bearer ']) {
    expect([authorization, await whoIs(server, { authorization })]).toEqual([authorization, 401])
  }
})

test("a service account's token is good as long as what it is bound to stands", async () => {
  const clock = new SimClock()
  await using server = await testServer({ clock })
  const base = '/api/v1/namespaces/default'
  const account = await create(server, `${base}/serviceaccounts`, { metadata: { name: 'robot' } })
  const spec = { serviceAccountName: 'robot', nodeName: 'n' }
  const containers = [{ name: 'c', image: 'i' }]
  const pod = await create(server, `${base}/pods`, {
    metadata: { name: 'p' },
    spec: { ...spec, containers },
  })
  const asked = { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'p' } }
  const path = `${base}/serviceaccounts/robot/token`
  const { status } = await create(server, path, { spec: asked })

  const user = await whoIs(server, bearer(status.token))
  expect(user).toMatchObject({
    username: 'system:serviceaccount:default:robot',
    uid: account.metadata.uid,
    groups: [
      ...['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
    ],
    extra: {
      'authentication.kubernetes.io/pod-name': ['p'],
      'authentication.kubernetes.io/pod-uid': [pod.metadata.uid],
    },
  })
  await server.call('DELETE', `${base}/pods/p?gracePeriodSeconds=0`)
  // Remembered for ten seconds, as upstream does.
  await clock.advance(9_000)
  expect(await whoIs(server, bearer(status.token))).toEqual(user)
  await clock.advance(2_000)
  expect(await whoIs(server, bearer(status.token))).toBe(401)
})

test('a token of an account that was made anew is not good', async () => {
  const clock = new SimClock()
  await using server = await testServer({ clock })
  const accounts = '/api/v1/namespaces/default/serviceaccounts'
  await create(server, accounts, { metadata: { name: 'robot' } })
  const { status } = await create(server, `${accounts}/robot/token`, { spec: {} })
  expect(await whoIs(server, bearer(status.token))).toBeObject()
  await server.call('DELETE', `${accounts}/robot`)
  await create(server, accounts, { metadata: { name: 'robot' } })
  await clock.advance(11_000)
  expect(await whoIs(server, bearer(status.token))).toBe(401)
})

test('a token that is out of date, or meant for others, is not good', async () => {
  const clock = new SimClock()
  await using server = await testServer({ clock })
  const accounts = '/api/v1/namespaces/default/serviceaccounts'
  await create(server, accounts, { metadata: { name: 'robot' } })
  const tokenFor = async (spec: object) =>
    (await create(server, `${accounts}/robot/token`, { spec })).status.token
  const other = await tokenFor({ audiences: ['vault'] })
  expect(await whoIs(server, bearer(other))).toBe(401)
  const short = await tokenFor({ expirationSeconds: 600 })
  expect(await whoIs(server, bearer(short))).toBeObject()
  await clock.advance(661_000)
  expect(await whoIs(server, bearer(short))).toBe(401)
})

test('a bootstrap token is a Secret that says what it may be used for', async () => {
  const clock = new SimClock(Date.UTC(2026, 0, 1))
  await using server = await testServer({ clock })
  const secrets = '/api/v1/namespaces/kube-system/secrets'
  const data = {
    'token-id': 'abcdef',
    'token-secret': '0123456789abcdef',
    'usage-bootstrap-authentication': 'true',
    expiration: '2026-01-02T00:00:00Z',
    'auth-extra-groups': 'system:bootstrappers:edge',
  }
  await create(server, secrets, {
    metadata: { name: 'bootstrap-token-abcdef' },
    type: 'bootstrap.kubernetes.io/token',
    stringData: data,
  })
  expect(await whoIs(server, bearer('abcdef.0123456789abcdef'))).toEqual({
    username: 'system:bootstrap:abcdef',
    groups: ['system:bootstrappers', 'system:bootstrappers:edge', 'system:authenticated'],
  })
  expect(await whoIs(server, bearer('abcdef.0123456789abcdee'))).toBe(401)
  expect(await whoIs(server, bearer('abcdeg.0123456789abcdef'))).toBe(401)
  await clock.advance(24 * 3600 * 1000 + 1)
  expect(await whoIs(server, bearer('abcdef.0123456789abcdef'))).toBe(401)
})

test('a Secret that does not allow it is no key', async () => {
  await using server = await testServer()
  const secrets = '/api/v1/namespaces/kube-system/secrets'
  const faults: Record<string, string>[] = [
    { 'usage-bootstrap-authentication': 'false' },
    { expiration: 'tomorrow' },
    { 'auth-extra-groups': 'system:masters' },
    { 'token-id': 'other0' },
  ]
  for (const [index, fault] of faults.entries()) {
    const id = `abcde${index}`
    const data = {
      'token-id': id,
      'token-secret': '0123456789abcdef',
      'usage-bootstrap-authentication': 'true',
      ...fault,
    }
    await create(server, secrets, {
      metadata: { name: `bootstrap-token-${id}` },
      type: 'bootstrap.kubernetes.io/token',
      stringData: data,
    })
    expect([fault, await whoIs(server, bearer(`${id}.0123456789abcdef`))]).toEqual([fault, 401])
  }
})

test('who may, speaks for others', async () => {
  await using server = await testServer()
  const as = (headers: Record<string, string>, env = ADMIN_CERTIFICATE) =>
    whoIs(server, headers, env)
  expect(await as({ 'impersonate-user': 'cat' })).toEqual({
    username: 'cat',
    groups: ['system:authenticated'],
  })
  const team = { 'impersonate-group': 'dev', 'impersonate-extra-scopes': 'view' }
  expect(await as({ 'impersonate-user': 'cat', ...team, 'impersonate-uid': '9' })).toEqual({
    username: 'cat',
    uid: '9',
    groups: ['dev', 'system:authenticated'],
    extra: { scopes: ['view'] },
  })
  expect(await as({ 'impersonate-user': 'system:serviceaccount:default:robot' })).toEqual({
    username: 'system:serviceaccount:default:robot',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
  })
  expect(await as({ 'impersonate-group': 'dev' })).toBe(400)
})

test('impersonation is a right like any other, and gives no more than the other has', async () => {
  await using server = await testServer()
  const user = { username: 'dan', groups: ['system:authenticated'] }
  const headers = { 'impersonate-user': 'cat' }
  const refused = await server.call('GET', '/api/v1/pods', { user, headers })
  expect(refused.json.message).toContain('cannot impersonate')

  const rules = [{ apiGroups: [''], resources: ['users'], verbs: ['impersonate'] }]
  const roles = '/apis/rbac.authorization.k8s.io/v1/clusterroles'
  await create(server, roles, { metadata: { name: 'actor' }, rules })
  await create(server, '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: 'actor' },
    subjects: [{ kind: 'User', name: 'dan' }],
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'actor' },
  })
  const acting = await server.call('GET', '/api/v1/pods', { user, headers })
  expect(acting.json.message).toContain('User "cat" cannot list resource "pods"')
  const group = { ...headers, 'impersonate-group': 'system:masters' }
  const climbing = await server.call('GET', '/api/v1/pods', { user, headers: group })
  expect([climbing.code, climbing.json.message]).toEqual([
    403,
    expect.stringContaining('cannot impersonate'),
  ])
})
