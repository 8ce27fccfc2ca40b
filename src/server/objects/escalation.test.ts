import { expect, test } from 'bun:test'
import { type TestServer, testServer } from '../../../test/support/server.ts'

const RBAC = '/apis/rbac.authorization.k8s.io/v1'
const HERE = `${RBAC}/namespaces/default`
const user = { username: 'olga', groups: ['system:authenticated'] }
const read = { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] }
const writesRbac = {
  apiGroups: ['rbac.authorization.k8s.io'],
  resources: ['roles', 'rolebindings'],
  verbs: ['create', 'update', 'patch'],
}

/** Olga may write roles and bindings in `default`, and has what `rules` say. */
async function serverWithOlga(...rules: object[]): Promise<TestServer> {
  const server = await testServer()
  const metadata = { name: 'olga' }
  const role = { metadata, rules: [writesRbac, ...rules] }
  const binding = {
    metadata,
    subjects: [{ kind: 'User', name: 'olga' }],
    roleRef: roleRef('Role', 'olga'),
  }
  expect((await server.call('POST', `${HERE}/roles`, { body: role })).code).toBe(201)
  expect((await server.call('POST', `${HERE}/rolebindings`, { body: binding })).code).toBe(201)
  return server
}

const roleRef = (kind: string, name: string) => {
  return { apiGroup: 'rbac.authorization.k8s.io', kind, name }
}

const post = (server: TestServer, plural: string, body: object) =>
  server.call('POST', `${HERE}/${plural}`, { user, body: { metadata: { name: 'x' }, ...body } })

test('nobody writes a role with more rights than they have', async () => {
  await using server = await serverWithOlga(read)
  const less = { ...read, verbs: ['get'] }
  const more = { ...read, verbs: ['get', 'delete'] }
  const refused = await post(server, 'roles', { rules: [more] })
  expect([refused.code, refused.json.message]).toEqual([
    403,
    'roles.rbac.authorization.k8s.io "x" is forbidden: user "olga" (groups=["system:authenticated"])' +
      ' is attempting to grant RBAC permissions not currently held:\n' +
      '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}',
  ])
  expect((await post(server, 'roles', { rules: [less] })).code).toBe(201)
  const patch = { user, body: { rules: [more] } }
  const headers = { 'content-type': 'application/merge-patch+json' }
  expect((await server.call('PATCH', `${HERE}/roles/x`, { ...patch, headers })).code).toBe(403)
  const label = { user, body: { metadata: { labels: { a: 'b' } } }, headers }
  expect((await server.call('PATCH', `${HERE}/roles/x`, label)).code).toBe(200)
})

test('nobody binds a role with more rights than they have', async () => {
  await using server = await serverWithOlga(read)
  const subjects = [{ kind: 'User', name: 'olga' }]
  const bind = (kind: string, name: string) =>
    post(server, 'rolebindings', { subjects, roleRef: roleRef(kind, name) })
  expect((await bind('ClusterRole', 'cluster-admin')).code).toBe(403)
  expect((await bind('ClusterRole', 'nothing')).code).toBe(404)
  expect((await bind('Role', 'olga')).code).toBe(201)
})

test('the verbs escalate and bind lift the rule, for the roles they name', async () => {
  const roles = { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles'] }
  const clusterRoles = { ...roles, resources: ['clusterroles'], resourceNames: ['edit'] }
  await using server = await serverWithOlga(
    { ...roles, verbs: ['escalate'] },
    { ...clusterRoles, verbs: ['bind'] },
  )
  const everything = { apiGroups: ['*'], resources: ['*'], verbs: ['*'] }
  expect((await post(server, 'roles', { rules: [everything] })).code).toBe(201)
  const subjects = [{ kind: 'User', name: 'olga' }]
  const bind = (name: string) =>
    post(server, 'rolebindings', { subjects, roleRef: roleRef('ClusterRole', name) })
  expect((await bind('cluster-admin')).code).toBe(403)
  expect((await bind('edit')).code).toBe(201)
})

test('rights count as soon as their binding is written, and no longer than it stands', async () => {
  await using server = await serverWithOlga(read)
  const list = () => server.call('GET', '/api/v1/namespaces/default/pods', { user })
  expect((await list()).code).toBe(200)
  expect((await server.call('GET', '/api/v1/namespaces/kube-system/pods', { user })).code).toBe(403)
  expect((await server.call('DELETE', `${HERE}/rolebindings/olga`)).code).toBe(200)
  expect((await list()).code).toBe(403)
})
