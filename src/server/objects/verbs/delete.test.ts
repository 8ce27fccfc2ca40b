import { expect, test } from 'bun:test'
import { type TestServer, testServer } from '../../../../test/support/server.ts'
import { SimClock } from '../../../lib/clock.ts'

const MAPS = '/api/v1/namespaces/default/configmaps'
const PODS = '/api/v1/namespaces/default/pods'
const MERGE = { 'content-type': 'application/merge-patch+json' }
const NOW_MS = Date.UTC(2026, 0, 1)

const map = (name: string, metadata = {}) => ({ metadata: { name, ...metadata } })

/** A pod, with the account that it runs as. */
async function createPod(server: TestServer, placed: { nodeName?: string }) {
  const accounts = '/api/v1/namespaces/default/serviceaccounts'
  await server.call('POST', accounts, { body: map('default') })
  const spec = { ...placed, containers: [{ name: 'c', image: 'i' }] }
  expect((await server.call('POST', PODS, { body: { ...map('p'), spec } })).code).toBe(201)
}

test('a finalizer holds an object until it is taken away', async () => {
  await using server = await testServer({ clock: new SimClock(NOW_MS) })
  await server.call('POST', MAPS, { body: map('a', { finalizers: ['example.com/f'] }) })
  const marked = await server.call('DELETE', `${MAPS}/a`)
  expect(marked.json).toMatchObject({
    kind: 'ConfigMap',
    metadata: { deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 0 },
  })
  const { revision } = server.store
  expect((await server.call('DELETE', `${MAPS}/a`)).json).toEqual(marked.json)
  expect(server.store.revision).toBe(revision)

  const add = { body: { metadata: { finalizers: ['example.com/f', 'example.com/g'] } } }
  expect((await server.call('PATCH', `${MAPS}/a`, { ...add, headers: MERGE })).code).toBe(422)

  const watch = await server.watch(`${MAPS}?watch=1&resourceVersion=${revision}`)
  const free = { body: { metadata: { finalizers: null } }, headers: MERGE }
  expect((await server.call('PATCH', `${MAPS}/a`, free)).code).toBe(200)
  expect((await watch.next()).type).toBe('DELETED')
  await watch.stop()
  expect((await server.call('GET', `${MAPS}/a`)).code).toBe(404)
})

test('a pod has its time to end, and its node says when it has', async () => {
  await using server = await testServer({ clock: new SimClock(NOW_MS) })
  await createPod(server, { nodeName: 'n' })
  const marked = await server.call('DELETE', `${PODS}/p`)
  expect(marked.json.metadata).toMatchObject({
    deletionTimestamp: '2026-01-01T00:00:30Z',
    deletionGracePeriodSeconds: 30,
  })
  const hastened = await server.call('DELETE', `${PODS}/p?gracePeriodSeconds=5`)
  expect(hastened.json.metadata).toMatchObject({
    deletionTimestamp: '2026-01-01T00:00:05Z',
    deletionGracePeriodSeconds: 5,
  })
  const slower = await server.call('DELETE', `${PODS}/p?gracePeriodSeconds=60`)
  expect(slower.json).toEqual(hastened.json)
  expect((await server.call('DELETE', `${PODS}/p?gracePeriodSeconds=0`)).code).toBe(200)
  expect((await server.call('GET', `${PODS}/p`)).code).toBe(404)
})

test('a pod that has no node goes at once', async () => {
  await using server = await testServer()
  await createPod(server, {})
  expect((await server.call('DELETE', `${PODS}/p`)).json.kind).toBe('Pod')
  expect((await server.call('GET', `${PODS}/p`)).code).toBe(404)
})

test('what becomes of the dependents is left to the garbage collector, by a finalizer', async () => {
  await using server = await testServer()
  const finalizersAfter = async (name: string, body: unknown) => {
    await server.call('POST', MAPS, { body: map(name) })
    const { json } = await server.call('DELETE', `${MAPS}/${name}`, { body })
    return json.metadata?.finalizers
  }
  expect(await finalizersAfter('a', { propagationPolicy: 'Foreground' })).toEqual([
    'foregroundDeletion',
  ])
  expect(await finalizersAfter('b', { propagationPolicy: 'Orphan' })).toEqual(['orphan'])
  expect(await finalizersAfter('c', { orphanDependents: true })).toEqual(['orphan'])
  expect(await finalizersAfter('d', { propagationPolicy: 'Background' })).toBeUndefined()
  const { code } = await server.call('DELETE', `${MAPS}/a`, { body: { propagationPolicy: 'No' } })
  expect(code).toBe(422)
})

test('a deletion can be meant for one object alone', async () => {
  await using server = await testServer()
  const { json } = await server.call('POST', MAPS, { body: map('a') })
  const remove = (preconditions: unknown) =>
    server.call('DELETE', `${MAPS}/a`, { body: { preconditions } })
  expect((await remove({ uid: 'another' })).code).toBe(409)
  expect((await remove({ resourceVersion: '1' })).code).toBe(409)
  const { uid, resourceVersion } = json.metadata
  expect((await remove({ uid, resourceVersion })).code).toBe(200)
})

test('a dry run deletes nothing', async () => {
  await using server = await testServer()
  await server.call('POST', MAPS, { body: map('a') })
  const { revision } = server.store
  expect((await server.call('DELETE', `${MAPS}/a?dryRun=All`)).code).toBe(200)
  expect(server.store.revision).toBe(revision)
})

test('a collection is deleted as far as the selector goes', async () => {
  await using server = await testServer()
  for (const name of ['a', 'b', 'c']) {
    const labels = { keep: String(name === 'b') }
    await server.call('POST', MAPS, { body: map(name, { labels }) })
  }
  const deleted = await server.call('DELETE', `${MAPS}?labelSelector=keep%3Dfalse`)
  expect(deleted.json.kind).toBe('ConfigMapList')
  expect(deleted.json.items).toHaveLength(2)
  const left = (await server.call('GET', MAPS)).json.items
  expect(left.map((item: { metadata: { name: string } }) => item.metadata.name)).toEqual(['b'])
})

test('a namespace goes in two steps, and takes nothing new meanwhile', async () => {
  await using server = await testServer()
  await server.call('POST', '/api/v1/namespaces', { body: map('n') })
  const marked = await server.call('DELETE', '/api/v1/namespaces/n')
  expect(marked.json).toMatchObject({
    status: { phase: 'Terminating' },
    spec: { finalizers: ['kubernetes'] },
  })
  const late = await server.call('POST', '/api/v1/namespaces/n/configmaps', { body: map('a') })
  expect(late.json).toMatchObject({ code: 403, reason: 'Forbidden' })
  expect(late.json.details.causes[0].reason).toBe('NamespaceTerminating')

  const emptied = { ...marked.json, spec: { finalizers: [] } }
  const finalized = await server.call('PUT', '/api/v1/namespaces/n/finalize', { body: emptied })
  expect(finalized.code).toBe(200)
  await server.call('DELETE', '/api/v1/namespaces/n')
  expect((await server.call('GET', '/api/v1/namespaces/n')).code).toBe(404)
})
