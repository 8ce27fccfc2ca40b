import { expect, test } from 'bun:test'
import { type TestServer, testServer } from '../../../../test/support/server.ts'

const SERVICES = '/api/v1/namespaces/default/services'
const MERGE = { 'content-type': 'application/merge-patch+json' }
const ports = [{ port: 80 }]

function create(server: TestServer, name: string, spec: object, query = '') {
  const body = { metadata: { name }, spec: { ports, ...spec } }
  return server.call('POST', `${SERVICES}${query}`, { body })
}

async function change(server: TestServer, name: string, spec: object) {
  return server.call('PATCH', `${SERVICES}/${name}`, { body: { spec }, headers: MERGE })
}

test('a Service gets an address of its own, above those that are kept for who asks', async () => {
  await using server = await testServer()
  const made = await Promise.all(Array.from({ length: 20 }, (_, i) => create(server, `s${i}`, {})))
  const addresses = made.map(({ json }) => json.spec.clusterIP)
  expect(new Set(addresses).size).toBe(20)
  for (const address of addresses) expect(address).toMatch(/^10\.43\.([1-9]|\d\d+)\./)
  expect(made[0]!.json.spec).toMatchObject({
    clusterIPs: [addresses[0]],
    ipFamilies: ['IPv4'],
    ipFamilyPolicy: 'SingleStack',
  })
})

test('an address that is asked for is given once', async () => {
  await using server = await testServer()
  const asked = { clusterIP: '10.43.0.10' }
  expect((await create(server, 'dns', asked)).json.spec.clusterIP).toBe('10.43.0.10')
  const taken = await create(server, 'other', asked)
  expect([taken.code, taken.json.message]).toEqual([
    422,
    'Service "other" is invalid: spec.clusterIPs: Invalid value: ["10.43.0.10"]: failed to' +
      ' allocate IP 10.43.0.10: provided IP is already allocated',
  ])
  const elsewhere = await create(server, 'other', { clusterIP: '10.99.0.1' })
  expect(elsewhere.json.message).toContain('the provided network does not match the current range')
  await server.call('DELETE', `${SERVICES}/dns`)
  expect((await create(server, 'other', asked)).code).toBe(201)
})

test('headless Services have no address, and external ones give theirs back', async () => {
  await using server = await testServer()
  const headless = await create(server, 'h', { clusterIP: 'None' })
  expect(headless.json.spec.clusterIPs).toEqual(['None'])
  await create(server, 's', { clusterIP: '10.43.0.11' })
  const external = { type: 'ExternalName', externalName: 'example.com', clusterIP: null }
  const moved = await change(server, 's', { ...external, clusterIPs: null })
  expect([moved.code, moved.json.spec.clusterIP]).toEqual([200, undefined])
  expect((await create(server, 't', { clusterIP: '10.43.0.11' })).code).toBe(201)
})

test('an address stays for the life of its Service', async () => {
  await using server = await testServer()
  const { json } = await create(server, 's', {})
  const { clusterIP: _ip, clusterIPs: _ips, ...spec } = json.spec
  const replaced = await server.call('PUT', `${SERVICES}/s`, { body: { ...json, spec } })
  expect(replaced.json.spec.clusterIP).toBe(json.spec.clusterIP)
  const moved = await change(server, 's', { clusterIP: '10.43.0.12', clusterIPs: ['10.43.0.12'] })
  expect([moved.code, moved.json.reason]).toEqual([422, 'Invalid'])
})

test('node ports are given, kept, and taken back', async () => {
  await using server = await testServer()
  const made = await create(server, 's', { type: 'NodePort' })
  const { nodePort } = made.json.spec.ports[0]
  expect(nodePort).toBeGreaterThanOrEqual(30_086)
  expect(nodePort).toBeLessThanOrEqual(32_767)
  const same = { type: 'NodePort', ports: [{ port: 80, nodePort }] }
  const taken = await create(server, 't', same)
  expect(taken.json.message).toContain(
    `spec.ports[0].nodePort: Invalid value: ${nodePort}: provided port is already allocated`,
  )
  const kept = await change(server, 's', { ports: [{ port: 80, targetPort: 8080 }] })
  expect(kept.json.spec.ports[0].nodePort).toBe(nodePort)
  const inner = await change(server, 's', { type: 'ClusterIP', ports })
  expect(inner.json.spec.ports[0].nodePort).toBeUndefined()
  expect((await create(server, 't', same)).code).toBe(201)
  const outside = { type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] }
  expect((await create(server, 'u', outside)).json.message).toContain('not in the valid range')
})

test('two protocols of one port share a node port', async () => {
  await using server = await testServer()
  const both = ['TCP', 'UDP'].map((protocol) => ({
    name: protocol.toLowerCase(),
    port: 53,
    protocol,
  }))
  const { json } = await create(server, 's', { type: 'NodePort', ports: both })
  const [tcp, udp] = json.spec.ports
  expect(tcp.nodePort).toBe(udp.nodePort)
})

test('a write that fails, or is dry, takes nothing', async () => {
  await using server = await testServer()
  const asked = {
    clusterIP: '10.43.0.10',
    type: 'NodePort',
    ports: [{ port: 80, nodePort: 31000 }],
  }
  const faulty = { ...asked, sessionAffinity: 'Sometimes' }
  expect((await create(server, 's', faulty)).code).toBe(422)
  expect((await create(server, 's', asked, '?dryRun=All')).code).toBe(201)
  expect((await create(server, 's', { ...asked, ports: [{ port: 80, nodePort: 1 }] })).code).toBe(
    422,
  )
  expect((await create(server, 's', asked)).code).toBe(201)
})

test('of many who ask for one node port, one gets it', async () => {
  await using server = await testServer()
  const asked = { type: 'NodePort', ports: [{ port: 80, nodePort: 31_000 }] }
  const all = await Promise.all(Array.from({ length: 8 }, (_, i) => create(server, `s${i}`, asked)))
  expect(all.map(({ code }) => code).toSorted()).toEqual([201, ...Array(7).fill(422)])
})

test('what is asked of other address families is refused in words', async () => {
  await using server = await testServer()
  const dual = await create(server, 's', { ipFamilyPolicy: 'RequireDualStack' })
  expect([dual.code, dual.json.reason]).toEqual([422, 'Invalid'])
  const six = await create(server, 's', { ipFamilies: ['IPv6'] })
  expect([six.code, six.json.reason]).toEqual([422, 'Invalid'])
  expect(
    (await create(server, 's', { ipFamilyPolicy: 'PreferDualStack' })).json.spec,
  ).toMatchObject({ ipFamilies: ['IPv4'], ipFamilyPolicy: 'PreferDualStack' })
})
