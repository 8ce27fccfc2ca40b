// Reads where somebody else writes too: who names no revision sees the newest, others do not wait.

import { expect, test } from 'bun:test'
import { ADMIN, testServer } from '../../../test/support/server.ts'

const MAPS = '/api/v1/namespaces/default/configmaps'

/** A server that learns of `late` only when it catches up. */
async function behind() {
  const server = await testServer()
  let asked = 0
  const late = { metadata: { name: 'late' } }
  server.store.current = async () => {
    asked++
    server.store.current = () => undefined
    await server.call('POST', MAPS, { body: late, user: ADMIN })
  }
  return { server, asked: () => asked }
}

const names = (json: { items: { metadata: { name: string } }[] }) =>
  json.items.map(({ metadata }) => metadata.name)

test('a GET waits for the newest, unless any state will do', async () => {
  const { server, asked } = await behind()
  expect((await server.call('GET', `${MAPS}/late?resourceVersion=0`)).code).toBe(404)
  expect(asked()).toBe(0)
  expect((await server.call('GET', `${MAPS}/late`)).code).toBe(200)
  await server.close()
})

test('a list does, whole or in pages, and so does the deletion of a collection', async () => {
  for (const query of ['', '?limit=5', '?fieldSelector=metadata.name%3Dlate']) {
    const { server } = await behind()
    expect(names((await server.call('GET', `${MAPS}${query}`)).json)).toContain('late')
    await server.close()
  }
  const { server } = await behind()
  expect(names((await server.call('GET', `${MAPS}?resourceVersion=0`)).json)).not.toContain('late')
  expect(names((await server.call('DELETE', MAPS)).json)).toContain('late')
  await server.close()
})

test('a watch begins with it', async () => {
  const { server } = await behind()
  const watch = await server.watch(`${MAPS}?watch=1`)
  const seen: string[] = []
  while (!seen.includes('late')) seen.push((await watch.next()).object.metadata.name)
  await watch.stop()
  await server.close()
})
