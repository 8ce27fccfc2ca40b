import { expect, test } from 'bun:test'
import { gunzipSync } from 'node:zlib'
import { ADMIN, type TestServer, testServer } from '../../../../test/support/server.ts'

const MAPS = '/api/v1/namespaces/default/configmaps'

/** ConfigMaps m0, m1, …; those with an even number are labelled. */
async function serverWithMaps(count: number): Promise<TestServer> {
  const server = await testServer()
  for (let i = 0; i < count; i++) await create(server, `m${i}`, i % 2 === 0 ? { even: 'yes' } : {})
  return server
}

function create(server: TestServer, name: string, labels = {}, namespace = 'default') {
  const body = { metadata: { name, labels } }
  return server.call('POST', `/api/v1/namespaces/${namespace}/configmaps`, { body })
}

type List = { items: { metadata: { name: string } }[] }
const namesIn = (list: List) => list.items.map(({ metadata }) => metadata.name)

test('all pages of a list show the state of the first', async () => {
  await using server = await serverWithMaps(5)
  const first = await server.call('GET', `${MAPS}?limit=2`)
  expect(namesIn(first.json)).toEqual(['m0', 'm1'])
  expect(first.json.metadata.remainingItemCount).toBe(3)

  await create(server, 'm11')
  await server.call('DELETE', `${MAPS}/m2`)
  const token = first.json.metadata.continue
  const second = await server.call('GET', `${MAPS}?limit=2&continue=${token}`)
  expect(namesIn(second.json)).toEqual(['m2', 'm3'])
  expect(second.json.metadata).toMatchObject({
    resourceVersion: first.json.metadata.resourceVersion,
    remainingItemCount: 1,
  })
  const last = second.json.metadata.continue
  const third = await server.call('GET', `${MAPS}?limit=2&continue=${last}`)
  expect(namesIn(third.json)).toEqual(['m4'])
  expect(third.json.metadata).toEqual({ resourceVersion: first.json.metadata.resourceVersion })
})

test('a page is as long as asked for, also when a selector passes over most', async () => {
  await using server = await serverWithMaps(9)
  const query = 'labelSelector=even&limit=2'
  const first = await server.call('GET', `${MAPS}?${query}`)
  expect(namesIn(first.json)).toEqual(['m0', 'm2'])
  // What is left is not known without looking at all of it.
  expect(first.json.metadata.remainingItemCount).toBeUndefined()
  const token = first.json.metadata.continue
  const second = await server.call('GET', `${MAPS}?${query}&continue=${token}`)
  expect(namesIn(second.json)).toEqual(['m4', 'm6'])
  const rest = second.json.metadata.continue
  const third = await server.call('GET', `${MAPS}?${query}&continue=${rest}`)
  expect(namesIn(third.json)).toEqual(['m8'])
  expect(third.json.metadata.continue).toBeUndefined()
})

test('a list that ends with its page has no token', async () => {
  await using server = await serverWithMaps(2)
  const { json } = await server.call('GET', `${MAPS}?limit=2`)
  expect(Object.keys(json.metadata)).toEqual(['resourceVersion'])
})

test('when its history is gone, a list goes on with what there is now', async () => {
  await using server = await serverWithMaps(4)
  const first = await server.call('GET', `${MAPS}?limit=2`)
  await create(server, 'm10')
  await create(server, 'm9')
  await server.store.compact(server.store.revision)
  const token = first.json.metadata.continue
  const gone = await server.call('GET', `${MAPS}?limit=2&continue=${token}`)
  expect(gone.json).toMatchObject({ code: 410, reason: 'Expired' })
  expect(gone.json.message).toStartWith('The provided continue parameter is too old')
  const fresh = gone.json.metadata.continue
  const second = await server.call('GET', `${MAPS}?continue=${fresh}`)
  expect(namesIn(second.json)).toEqual(['m10', 'm2', 'm3', 'm9'])
  expect(second.json.metadata.resourceVersion).toBe(String(server.store.revision))
})

test('a list can be of the state at one revision, or at least as new as that', async () => {
  await using server = await serverWithMaps(1)
  const then = server.store.revision
  await create(server, 'm1')
  const exact = `resourceVersion=${then}&resourceVersionMatch=Exact`
  expect(namesIn((await server.call('GET', `${MAPS}?${exact}`)).json)).toEqual(['m0'])
  const newer = `resourceVersion=${then}&resourceVersionMatch=NotOlderThan`
  expect(namesIn((await server.call('GET', `${MAPS}?${newer}`)).json)).toEqual(['m0', 'm1'])
  expect(namesIn((await server.call('GET', `${MAPS}?resourceVersion=0`)).json)).toHaveLength(2)

  const ahead = server.store.revision + 10
  const future = await server.call('GET', `${MAPS}?resourceVersion=${ahead}`)
  expect(future.json).toMatchObject({
    code: 504,
    reason: 'Timeout',
    message: `Timeout: Too large resource version: ${ahead}, current: ${server.store.revision}`,
  })
  await server.store.compact(server.store.revision)
  expect((await server.call('GET', `${MAPS}?${exact}`)).code).toBe(410)
})

test('fields select', async () => {
  await using server = await serverWithMaps(3)
  const ask = async (selector: string) =>
    namesIn(
      (await server.call('GET', `${MAPS}?fieldSelector=${encodeURIComponent(selector)}`)).json,
    )
  expect(await ask('metadata.name=m1')).toEqual(['m1'])
  expect(await ask('metadata.name!=m1')).toEqual(['m0', 'm2'])
  expect(await ask('metadata.name=m1,metadata.name!=m1')).toEqual([])
  expect(await ask('metadata.namespace=default,metadata.name==m2')).toEqual(['m2'])
  expect(await ask('metadata.namespace=other')).toEqual([])
})

test('a list of all namespaces is in the order of namespaces, then names', async () => {
  await using server = await serverWithMaps(1)
  for (const name of ['default-b', 'other']) {
    await server.call('POST', '/api/v1/namespaces', { body: { metadata: { name } } })
    await create(server, 'x', {}, name)
  }
  const { json } = await server.call('GET', '/api/v1/configmaps?labelSelector=!even')
  type Item = { metadata: { namespace: string } }
  expect(json.items.map(({ metadata }: Item) => metadata.namespace)).toEqual([
    ...['default-b', 'other'],
  ])
})

test('what makes no sense together is refused', async () => {
  await using server = await serverWithMaps(1)
  const refusals: [string, number][] = [
    ['resourceVersionMatch=Exact', 422],
    ['resourceVersion=0&resourceVersionMatch=Exact', 422],
    ['resourceVersion=1&resourceVersionMatch=Maybe', 422],
    ['sendInitialEvents=true', 422],
    ['limit=x', 400],
    ['continue=x', 400],
    ['resourceVersion=x', 400],
    ['labelSelector=a%3Db%3Dc', 400],
    ['fieldSelector=data.k%3Dv', 400],
  ]
  for (const [query, code] of refusals) {
    expect([query, (await server.call('GET', `${MAPS}?${query}`)).code]).toEqual([query, code])
  }
})

test('a list that is large comes in pieces, and is complete and of one revision', async () => {
  await using server = await testServer()
  const data = { k: 'x'.repeat(60_000) }
  const names = Array.from({ length: 40 }, (_, i) => `m${String(i).padStart(2, '0')}`)
  for (const name of names) {
    await server.call('POST', MAPS, { body: { metadata: { name }, data } })
  }
  const { revision } = server.store
  const get = (headers: Record<string, string>) =>
    server.app.fetch(new Request(`http://test${MAPS}`, { headers }), { user: ADMIN })
  const response = await get({})
  const reader = response.body!.getReader()
  const chunks = [(await reader.read()).value!]
  // What happens while it is read is not in it.
  await server.call('DELETE', `${MAPS}/${names.at(-1)}`)
  await create(server, 'm99')
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    chunks.push(read.value)
  }
  const list = JSON.parse(Buffer.concat(chunks).toString())
  expect(list.metadata).toEqual({ resourceVersion: String(revision) })
  expect(namesIn(list)).toEqual(names)
  expect(list.items[7].data).toEqual(data)

  const packed = await get({ 'accept-encoding': 'gzip' })
  expect(packed.headers.get('content-encoding')).toBe('gzip')
  const text = gunzipSync(await packed.arrayBuffer()).toString()
  expect(namesIn(JSON.parse(text))).toEqual([...names.slice(0, -1), 'm99'])
})

test.each(['null', '1', '[]', '{"v":{}}', '{"v":"meta.k8s.io/v1","rv":1,"start":1}'])(
  'the continue token %p is refused',
  async (text) => {
    await using server = await testServer()
    const token = Buffer.from(text).toString('base64url')
    expect((await server.call('GET', `/api/v1/namespaces?continue=${token}`)).code).toBe(400)
  },
)
