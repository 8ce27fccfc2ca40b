import { expect, test } from 'bun:test'
import { testServer } from '../../../test/support/server.ts'

const AGGREGATED =
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json'
const ANONYMOUS = { username: 'system:anonymous', groups: ['system:unauthenticated'] }

test('health tells whether all is well, in one word or check by check', async () => {
  await using server = await testServer()
  expect((await server.call('GET', '/readyz', { user: ANONYMOUS })).text).toBe('ok')
  const { text } = await server.call('GET', '/readyz?verbose&exclude=ping&exclude=nope')
  expect(text.split('\n').slice(0, 2)).toEqual(['[+]ping excluded: ok', '[+]log ok'])
  expect(text).toContain('no matches for "nope"')
  expect(text).toEndWith('readyz check passed\n')
  expect((await server.call('GET', '/livez/ping')).text).toBe('ok')
  expect((await server.call('GET', '/livez/nope')).code).toBe(404)
})

test('readiness asks the others too, and only who asks for one check hears what is wrong', async () => {
  let fault: string | undefined
  const checks = [{ name: 'informer-sync', fault: () => fault }]
  await using server = await testServer({ checks })
  expect((await server.call('GET', '/readyz?verbose')).text).toContain('[+]informer-sync ok\n')
  expect((await server.call('GET', '/livez/informer-sync')).code).toBe(404)
  fault = '1 informers not synced yet: [pods (no)]'
  const all = await server.call('GET', '/readyz?verbose')
  expect(all.code).toBe(500)
  expect(all.text).toContain('[-]informer-sync failed: reason withheld\n')
  const one = await server.call('GET', '/readyz/informer-sync')
  expect([one.code, one.text]).toEqual([500, `internal server error: ${fault}\n`])
})

test('a server is not ready before its roles are there', async () => {
  await using server = await testServer({ bootstrap: false })
  const answer = await server.call('GET', '/readyz')
  expect(answer.code).toBe(500)
  expect(answer.text).toContain('[-]poststarthook/rbac/bootstrap-roles failed: reason withheld')
  expect((await server.call('GET', '/livez')).code).toBe(200)
})

test('the version is one that clients can read', async () => {
  await using server = await testServer()
  const { json } = await server.call('GET', '/version', { user: ANONYMOUS })
  expect(json).toMatchObject({ major: '1', minor: '36' })
  expect(json.gitVersion).toMatch(/^v1\.36\.\d+\+kedge\d/)
})

test('the issuer says who it is and shows its keys to service accounts', async () => {
  await using server = await testServer()
  const user = { username: 'u', groups: ['system:serviceaccounts', 'system:authenticated'] }
  const issuer = 'https://kubernetes.default.svc.cluster.local'
  const discovery = await server.call('GET', '/.well-known/openid-configuration', { user })
  expect(discovery.json).toMatchObject({
    issuer,
    jwks_uri: 'https://192.0.2.1:6443/openid/v1/jwks',
  })
  const keys = await server.call('GET', '/openid/v1/jwks', { user })
  expect(JSON.parse(keys.text).keys).toHaveLength(1)
  expect((await server.call('GET', '/openid/v1/jwks', { user: ANONYMOUS })).code).toBe(403)
})

test('discovery is answered in both forms, the aggregated one with a tag', async () => {
  await using server = await testServer()
  const old = await server.call('GET', '/apis')
  expect(old.json.kind).toBe('APIGroupList')
  const list = await server.call('GET', '/apis/apps/v1')
  expect(list.json.resources.map((one: { name: string }) => one.name)).toContain(
    'deployments/scale',
  )
  const aggregated = await server.call('GET', '/apis', { headers: { accept: AGGREGATED } })
  expect(aggregated.headers.get('content-type')).toContain('as=APIGroupDiscoveryList')
  const etag = aggregated.headers.get('etag')!
  const again = await server.call('GET', '/apis', {
    headers: { accept: AGGREGATED, 'if-none-match': etag },
  })
  expect(again.code).toBe(304)
  expect((await server.call('GET', '/apis/nope')).code).toBe(404)
  expect((await server.call('POST', '/apis')).code).toBe(405)
})

test('metrics count requests by what they were about', async () => {
  await using server = await testServer({ bootstrap: false })
  await server.call('GET', '/api/v1/namespaces/nope')
  await server.call('GET', '/made/up')
  const { text, code } = await server.call('GET', '/metrics')
  expect(code).toBe(200)
  const lines = text.split('\n')
  const counts = lines.filter((line) => line.startsWith('apiserver_request_total{'))
  expect(counts).toHaveLength(2)
  expect(counts[0]).toContain('verb="GET",group="",version="v1",resource="namespaces"')
  expect(counts[0]).toEndWith('code="404"} 1')
  expect(lines).toContain('apiserver_resource_objects{group="",resource="namespaces"} 0')
  expect(text.includes('NaN')).toBe(false)
})

test('what nobody serves is not found, in plain text', async () => {
  await using server = await testServer()
  const answer = await server.call('GET', '/nope')
  expect(answer).toMatchObject({ code: 404, text: '404 page not found\n' })
})
