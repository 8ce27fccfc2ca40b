// Several servers over one store: none gives what another has given, and nothing stays behind.

import { describe, expect, test } from 'bun:test'
import { ADMIN, type TestServer, testServer } from '../../../../test/support/server.ts'
import { SimClock } from '../../../lib/clock.ts'
import { Metrics } from '../../../lib/metrics.ts'
import { SeededRandom } from '../../../lib/random.ts'
import type { ServerApp } from '../../app.ts'
import { createApp } from '../../app.ts'

const SERVICES = '/api/v1/namespaces/default/services'
const ADDRESSES = '/apis/networking.k8s.io/v1/ipaddresses'
const PORTS_KEY = 'ranges/servicenodeports'

async function send(app: ServerApp, method: string, path: string, body?: object) {
  const headers = { 'content-type': 'application/json' }
  const init = body ? { method, headers, body: JSON.stringify(body) } : { method, headers }
  const response = await app.fetch(new Request(`http://test${path}`, init), { user: ADMIN })
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape.
  return { code: response.status, json: (await response.json()) as any }
}

const make = (app: ServerApp, name: string, spec: object) =>
  send(app, 'POST', SERVICES, { metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } })

/** Another server of the same store, which has seen nothing of what is written since its start. */
const blindServer = (server: TestServer, seed = 1) =>
  createApp({ ...server.deps, metrics: new Metrics(), random: new SeededRandom(seed) })

/** Until what was published has been heard, and what follows from it was done. */
async function settled() {
  for (let i = 0; i < 20; i++) await Bun.sleep(0)
}

const addressNames = async (server: TestServer) =>
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape.
  (await server.call('GET', ADDRESSES)).json.items.map((item: any) => item.metadata.name)

function portsSet({ store }: TestServer): number[] {
  const { data } = JSON.parse(store.get(PORTS_KEY)!.value)
  const bytes = [...Buffer.from(data, 'base64')]
  return bytes.flatMap((byte, i) =>
    [0, 1, 2, 3, 4, 5, 6, 7].flatMap((bit) => (byte & (1 << bit) ? [30_000 + i * 8 + bit] : [])),
  )
}

describe('servers that do not see each other', () => {
  test('give every address and every node port once', async () => {
    await using server = await testServer()
    // The same seed: all of them want to choose the same.
    const apps = [server.app, blindServer(server), blindServer(server)]
    const all = await Promise.all(
      apps.flatMap((app, at) =>
        Array.from({ length: 40 }, (_, i) => make(app, `s${at}-${i}`, { type: 'NodePort' })),
      ),
    )
    expect(new Set(all.map(({ code }) => code))).toEqual(new Set([201]))
    expect(new Set(all.map(({ json }) => json.spec.clusterIP)).size).toBe(120)
    expect(new Set(all.map(({ json }) => json.spec.ports[0].nodePort)).size).toBe(120)
  })

  test('give what is asked for to one', async () => {
    await using server = await testServer()
    const apps = [server.app, blindServer(server), blindServer(server)]
    const asked = {
      clusterIP: '10.43.0.77',
      type: 'NodePort',
      ports: [{ port: 80, nodePort: 31_000 }],
    }
    const all = await Promise.all(apps.map((app, at) => make(app, `s${at}`, asked)))
    expect(all.map(({ code }) => code).toSorted()).toEqual([201, 422, 422])
    const port = { type: 'NodePort', ports: asked.ports }
    const refused = await make(blindServer(server), 'late', port)
    expect(refused.json.message).toContain('31000: provided port is already allocated')
  })

  test('leave nothing behind when a write fails', async () => {
    await using server = await testServer()
    const before = await addressNames(server)
    const faulty = { type: 'NodePort', sessionAffinity: 'Sometimes' }
    for (const app of [server.app, blindServer(server)]) {
      expect((await make(app, 's', faulty)).code).toBe(422)
    }
    expect(await addressNames(server)).toEqual(before)
    expect(portsSet(server)).toEqual([])
  })
})

describe('the address of a Service', () => {
  test('is an object that names it, and goes with it', async () => {
    await using server = await testServer()
    const { json } = await make(server.app, 'web', { clusterIP: '10.43.0.77' })
    const made = await server.call('GET', `${ADDRESSES}/10.43.0.77`)
    expect(made.json).toMatchObject({
      metadata: {
        labels: {
          'ipaddress.kubernetes.io/ip-family': 'IPv4',
          'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
        },
      },
      spec: { parentRef: { resource: 'services', namespace: 'default', name: 'web' } },
    })
    expect(json.spec.clusterIP).toBe('10.43.0.77')
    await server.call('DELETE', `${SERVICES}/web`)
    await settled()
    expect((await server.call('GET', `${ADDRESSES}/10.43.0.77`)).code).toBe(404)
  })

  test('stays with the next of the same name, however soon it comes', async () => {
    await using server = await testServer()
    for (let round = 0; round < 10; round++) {
      expect((await make(server.app, 'web', { clusterIP: '10.43.0.77' })).code).toBe(201)
      if (round % 2 === 0) await settled()
      expect((await server.call('GET', `${ADDRESSES}/10.43.0.77`)).code).toBe(200)
      await server.call('DELETE', `${SERVICES}/web`)
    }
  })

  test('is none that somebody has set aside', async () => {
    await using server = await testServer()
    const parentRef = { group: 'example.com', resource: 'gateways', name: 'gate' }
    const body = { metadata: { name: '10.43.0.77' }, spec: { parentRef } }
    await server.call('POST', ADDRESSES, { body })
    const refused = await make(server.app, 'web', { clusterIP: '10.43.0.77' })
    expect(refused.json.message).toContain('provided IP is already allocated')
  })
})

describe('at its start a server', () => {
  test('claims for Services from before there were claims, and frees what none has', async () => {
    const clock = new SimClock(Date.UTC(2026, 0, 1))
    await using server = await testServer({ clock })
    const { json } = await make(server.app, 'web', { type: 'NodePort' })
    const { clusterIP, ports } = json.spec
    const remove = async (key: string) => server.store.delete(key, server.store.get(key)!.revision)
    await remove(`ipaddresses/${clusterIP}`)
    await remove(PORTS_KEY)
    // A crash between the claim and its Service.
    const labels = { 'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io' }
    const parentRef = { resource: 'services', namespace: 'default', name: 'never' }
    const left = { metadata: { name: '10.43.9.9', labels }, spec: { parentRef } }
    await server.call('POST', ADDRESSES, { body: left })
    await clock.advance(61_000)

    const stop = new AbortController()
    const second = blindServer(server)
    const running = second.run(stop.signal)
    await settled()
    const names = await addressNames(server)
    expect(names).toContain(clusterIP)
    expect(names).not.toContain('10.43.9.9')
    expect(portsSet(server)).toEqual([ports[0].nodePort])
    stop.abort()
    await running
  })

  test('frees node ports that no Service has for a minute', async () => {
    const clock = new SimClock(Date.UTC(2026, 0, 1))
    await using server = await testServer({ clock })
    const first = blindServer(server)
    const port = { type: 'NodePort', ports: [{ port: 80, nodePort: 31_000 }] }
    await make(first, 'web', port)
    await server.call('DELETE', `${SERVICES}/web`)
    await settled()
    // It may be on its way to a Service of the other server.
    expect((await make(server.app, 'other', port)).code).toBe(422)
    await clock.advance(61_000)
    await settled()
    expect(portsSet(server)).toEqual([])
    expect((await make(server.app, 'other', port)).code).toBe(201)
  })
})
