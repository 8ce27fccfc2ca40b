import { expect, spyOn, test } from 'bun:test'
import { type TestServer, testServer } from '../../../../test/support/server.ts'
import { formatTime } from '../../../api/time.ts'
import { SimClock } from '../../../lib/clock.ts'

const MAPS = '/api/v1/namespaces/default/configmaps'
const MERGE = { 'content-type': 'application/merge-patch+json' }

async function withMap(server: TestServer) {
  const body = { metadata: { name: 'a' }, data: { k: 'v' } }
  return (await server.call('POST', MAPS, { body })).json
}

test('a write that changes nothing is not written', async () => {
  await using server = await testServer()
  const map = await withMap(server)
  const before = server.store.revision
  const updated = await server.call('PUT', `${MAPS}/a`, { body: map })
  expect(updated.json).toEqual(map)
  const patch = { body: { data: { k: 'v' } }, headers: MERGE }
  expect((await server.call('PATCH', `${MAPS}/a`, patch)).json).toEqual(map)
  expect(server.store.revision).toBe(before)
})

test('who changes what has changed meanwhile is told so', async () => {
  await using server = await testServer()
  const map = await withMap(server)
  await server.call('PATCH', `${MAPS}/a`, { body: { data: { x: 'y' } }, headers: MERGE })
  const late = await server.call('PUT', `${MAPS}/a`, { body: map })
  expect(late.json).toMatchObject({
    code: 409,
    reason: 'Conflict',
    details: { name: 'a', kind: 'configmaps' },
    message:
      'Operation cannot be fulfilled on configmaps "a": the object has been modified; please' +
      ' apply your changes to the latest version and try again',
  })
  const { resourceVersion: _revision, ...metadata } = map.metadata
  const blind = await server.call('PUT', `${MAPS}/a`, { body: { ...map, metadata } })
  expect([blind.code, blind.json.data]).toEqual([200, { k: 'v' }])
  const other = { ...metadata, uid: 'another' }
  const refused = await server.call('PUT', `${MAPS}/a`, { body: { ...map, metadata: other } })
  expect(refused.json.message).toContain('Precondition failed: UID in precondition: another')
})

test('patches made at the same time all come to pass', async () => {
  await using server = await testServer()
  await withMap(server)
  const patches = Array.from({ length: 20 }, (_, i) =>
    server.call('PATCH', `${MAPS}/a`, { body: { data: { [`k${i}`]: 'v' } }, headers: MERGE }),
  )
  for (const { code } of await Promise.all(patches)) expect(code).toBe(200)
  const { json } = await server.call('GET', `${MAPS}/a`)
  expect(Object.keys(json.data)).toHaveLength(21)
})

test('a patch that names a revision is not tried again', async () => {
  await using server = await testServer()
  const map = await withMap(server)
  const patchAt = (resourceVersion: string, x: string) =>
    server.call('PATCH', `${MAPS}/a`, {
      body: { metadata: { resourceVersion }, data: { x } },
      headers: MERGE,
    })
  const { resourceVersion } = map.metadata
  expect((await patchAt(resourceVersion, '1')).code).toBe(200)
  expect((await patchAt(resourceVersion, '2')).code).toBe(409)
})

test('what is wanted changes the generation; what is seen does not', async () => {
  await using server = await testServer()
  const deployments = '/apis/apps/v1/namespaces/default/deployments'
  const labels = { app: 'a' }
  const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } }
  const spec = { selector: { matchLabels: labels }, template }
  const made = await server.call('POST', deployments, { body: { metadata: { name: 'd' }, spec } })
  expect(made.json.metadata.generation).toBe(1)
  const merge = async (path: string, body: unknown) =>
    (await server.call('PATCH', `${deployments}/d${path}`, { body, headers: MERGE })).json
  const wanted = await merge('', { spec: { replicas: 3 }, status: { replicas: 9 } })
  expect([wanted.metadata.generation, wanted.status.replicas]).toEqual([2, undefined])
  const noted = await merge('/status', { spec: { replicas: 5 }, status: { replicas: 3 } })
  expect([noted.metadata.generation, noted.spec.replicas]).toEqual([2, 3])
  expect(noted.status.replicas).toBe(3)
  const labelled = await merge('', { metadata: { labels: { a: 'b' } } })
  expect(labelled.metadata.generation).toBe(2)
})

test('some kinds are made by a PUT, others must be there', async () => {
  await using server = await testServer()
  const lease = '/apis/coordination.k8s.io/v1/namespaces/default/leases/l'
  const body = { metadata: { name: 'l' }, spec: { holderIdentity: 'me' } }
  const made = await server.call('PUT', lease, { body })
  expect(made.code).toBe(201)
  expect((await server.call('PUT', lease, { body: made.json })).code).toBe(200)
  // Whoever holds a lease must know what it changes.
  expect((await server.call('PUT', lease, { body })).json.message).toContain(
    'metadata.resourceVersion: Invalid value: 0: must be specified for an update',
  )
  expect((await server.call('PUT', `${MAPS}/a`, { body: { metadata: { name: 'a' } } })).code).toBe(
    404,
  )
})

test('an apply makes what is not there, and owns what it says', async () => {
  await using server = await testServer()
  const headers = { 'content-type': 'application/apply-patch+yaml' }
  const apply = (manager: string, data: unknown, query = '') =>
    server.call('PATCH', `${MAPS}/a?fieldManager=${manager}${query}`, {
      body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data },
      headers,
    })
  const made = await apply('one', { k: 'v' })
  expect([made.code, made.json.metadata.managedFields[0].manager]).toEqual([201, 'one'])
  const contested = await apply('two', { k: 'w' })
  expect([contested.code, contested.json.reason]).toEqual([409, 'Conflict'])
  expect((await apply('two', { k: 'w' }, '&force=true')).json.data).toEqual({ k: 'w' })
  expect((await apply('one', { x: 'y' })).json.data).toEqual({ k: 'w', x: 'y' })
  expect((await apply('', {})).code).toBe(422)
})

test('a dry run of a change leaves the object as it was', async () => {
  await using server = await testServer()
  const map = await withMap(server)
  const patch = { body: { data: { k: 'w' } }, headers: MERGE }
  const dry = await server.call('PATCH', `${MAPS}/a?dryRun=All`, patch)
  expect(dry.json.data).toEqual({ k: 'w' })
  expect((await server.call('GET', `${MAPS}/a`)).json).toEqual(map)
})

test('a patch of a type that nobody knows is refused', async () => {
  await using server = await testServer()
  await withMap(server)
  const { code } = await server.call('PATCH', `${MAPS}/a`, { body: {} })
  expect(code).toBe(415)
})

test("a node's heartbeat is a write that may be lost, a change of its state is not", async () => {
  const clock = new SimClock(Date.UTC(2026, 0, 1))
  await using server = await testServer({ clock })
  const condition = (status: string) => {
    const now = formatTime(clock.nowMs())
    const times = { lastHeartbeatTime: now, lastTransitionTime: '2026-01-01T00:00:00Z' }
    return { type: 'Ready', status, reason: 'r', message: 'm', ...times }
  }
  const body = { metadata: { name: 'n' }, status: { conditions: [condition('True')] } }
  await server.call('POST', '/api/v1/nodes', { body })
  const writes = spyOn(server.store, 'update')
  const report = async (status: string) => {
    await clock.advance(300_000)
    const answer = await server.call('PATCH', '/api/v1/nodes/n/status', {
      body: { status: { conditions: [condition(status)] } },
      headers: { 'content-type': 'application/strategic-merge-patch+json' },
    })
    expect(answer.code).toBe(200)
    return writes.mock.calls.at(-1)?.[3]
  }
  expect(await report('True')).toEqual({ volatile: true })
  expect(await report('False')).toEqual({ volatileLater: true })
})
