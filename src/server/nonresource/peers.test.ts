import { expect, test } from 'bun:test'
import { type TestServer, testServer } from '../../../test/support/server.ts'

const NODE = { username: 'system:node:a', groups: ['system:nodes', 'system:authenticated'] }
const MERGE = { 'content-type': 'application/merge-patch+json' }

const addNode = (server: TestServer, name: string, podCIDR: string) =>
  server.call('POST', '/api/v1/nodes', {
    body: { metadata: { name }, spec: { podCIDR, podCIDRs: [podCIDR] } },
  })

const move = (server: TestServer, name: string, address: string) => {
  const addresses = [
    { type: 'Hostname', address: name },
    { type: 'InternalIP', address },
  ]
  const body = { status: { addresses } }
  return server.call('PATCH', `/api/v1/nodes/${name}/status`, { body, headers: MERGE })
}

test('a node is told names, addresses and ranges of all nodes, and what changes', async () => {
  await using server = await testServer()
  await addNode(server, 'a', '10.42.0.0/24')
  await server.call('POST', '/api/v1/nodes', { body: { metadata: { name: 'rangeless' } } })
  await Bun.sleep(0)
  const watch = await server.watch('/kedge/v1/peers', { user: NODE })
  const peer = (name: string, podCidr: string, internalIps: string[] = []) => ({
    type: 'PEER',
    name,
    internalIps,
    podCidrs: [podCidr],
  })
  expect(await watch.next()).toEqual(peer('a', '10.42.0.0/24'))
  expect(await watch.next()).toEqual({ type: 'SYNCED' })
  await addNode(server, 'b', '10.42.1.0/24')
  expect(await watch.next()).toEqual(peer('b', '10.42.1.0/24'))
  await move(server, 'b', '192.0.2.7')
  expect(await watch.next()).toEqual(peer('b', '10.42.1.0/24', ['192.0.2.7']))
  const heartbeat = { status: { conditions: [{ type: 'Ready', status: 'True' }] } }
  await server.call('PATCH', '/api/v1/nodes/b/status', { body: heartbeat, headers: MERGE })
  await server.call('DELETE', '/api/v1/nodes/b')
  expect(await watch.next()).toEqual({ type: 'GONE', name: 'b' })
  await watch.stop()
})

test('nobody else is told', async () => {
  await using server = await testServer()
  const user = { username: 'jane', groups: ['system:authenticated'] }
  expect((await server.call('GET', '/kedge/v1/peers', { user })).code).toBe(403)
})
