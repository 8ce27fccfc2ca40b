import { expect, test } from 'bun:test'
import { testServer } from '../../test/support/server.ts'
import { SimClock } from '../lib/clock.ts'

const CONFIGMAPS = '/api/v1/namespaces/default/configmaps'
const map = (name: string, data: Record<string, string> = {}) => ({ metadata: { name }, data })

test('an object can be made, read, changed and deleted', async () => {
  await using server = await testServer()
  const created = await server.call('POST', CONFIGMAPS, { body: map('a', { k: 'v' }) })
  expect(created.code).toBe(201)
  expect(created.json).toMatchObject({
    kind: 'ConfigMap',
    apiVersion: 'v1',
    data: { k: 'v' },
    metadata: { name: 'a', namespace: 'default' },
  })
  expect((await server.call('GET', `${CONFIGMAPS}/a`)).json).toEqual(created.json)

  const changed = { ...created.json, data: { k: 'w' } }
  const updated = await server.call('PUT', `${CONFIGMAPS}/a`, { body: changed })
  expect(updated.code).toBe(200)
  expect(Number(updated.json.metadata.resourceVersion)).toBeGreaterThan(
    Number(created.json.metadata.resourceVersion),
  )
  expect((await server.call('PUT', `${CONFIGMAPS}/a`, { body: changed })).code).toBe(409)

  const patched = await server.call('PATCH', `${CONFIGMAPS}/a`, {
    body: { data: { x: 'y' } },
    headers: { 'content-type': 'application/merge-patch+json' },
  })
  expect(patched.json.data).toEqual({ k: 'w', x: 'y' })

  const deleted = await server.call('DELETE', `${CONFIGMAPS}/a`)
  expect(deleted.json).toMatchObject({ status: 'Success', details: { name: 'a' } })
  expect((await server.call('GET', `${CONFIGMAPS}/a`)).json).toMatchObject({
    reason: 'NotFound',
    message: 'configmaps "a" not found',
    code: 404,
  })
})

test('a list has all objects of a namespace, and a watch what happens to them', async () => {
  const clock = new SimClock()
  await using server = await testServer({ clock })
  for (const name of ['b', 'a']) await server.call('POST', CONFIGMAPS, { body: map(name) })
  const list = await server.call('GET', CONFIGMAPS)
  const names = list.json.items.map((item: { metadata: { name: string } }) => item.metadata.name)
  expect(names).toEqual(['a', 'b'])

  const from = list.json.metadata.resourceVersion
  const query = `watch=1&timeoutSeconds=1&resourceVersion=${from}`
  const watched = server.call('GET', `${CONFIGMAPS}?${query}`)
  await server.call('DELETE', `${CONFIGMAPS}/a`)
  await clock.advance(1000)
  const [first, ...others] = (await watched).text.split('\n')
  expect(JSON.parse(first!)).toMatchObject({ type: 'DELETED', object: { metadata: { name: 'a' } } })
  expect(others).toEqual([''])
})
