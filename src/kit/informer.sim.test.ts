import { describe, expect, test } from 'bun:test'
import { type TestServer, testServer } from '../../test/support/server.ts'
import { configMaps } from '../api/kinds/core/configmap/row.ts'
import { keyOf } from '../api/object.ts'
import type { ConfigMap } from '../api/schema/generated/types.ts'
import { ApiError } from '../api/status.ts'
import { SimClock } from '../lib/clock.ts'
import { silentLog } from '../lib/log.ts'
import { SeededRandom } from '../lib/random.ts'
import type { Client, Transport } from './client.ts'
import { createClient } from './client-impl.ts'
import { type Change, Informer } from './informer.ts'
import { localTransport } from './transport-local.ts'

const ADMIN = { username: 'admin', groups: ['system:masters'] }
const STEPS = 120
const NAMES = ['a', 'b', 'c', 'd']

/** Breaks watches in every way that a network and a server can. */
function flaky(transport: Transport, random: SeededRandom): Transport {
  const happens = (chance: number) => random.next() < chance
  return {
    async request(request, signal) {
      if (happens(0.1)) throw new Error('connection refused')
      return transport.request(request, signal)
    },
    async *watch(request, signal) {
      if (happens(0.15)) throw new Error('connection refused')
      if (happens(0.15)) throw new ApiError(410, 'Expired', 'too old resource version')
      const isStream = request.path.includes('sendInitialEvents=true')
      if (isStream && happens(0.2)) throw new ApiError(422, 'Invalid', 'sendInitialEvents')
      for await (const text of transport.watch(request, signal)) {
        yield text
        if (happens(0.05)) return
        if (happens(0.05)) throw new Error('connection reset')
        if (happens(0.03)) throw new ApiError(410, 'Expired', 'too old resource version')
      }
    },
  }
}

/** One random write. Losing a race with itself is part of the game. */
async function write(client: Client, random: SeededRandom, signal: AbortSignal): Promise<void> {
  const name = NAMES[Math.floor(random.next() * NAMES.length)]!
  const where = { namespace: 'default', name }
  const data = { value: String(random.next()) }
  const choice = random.next()
  const labels = { mine: '' }
  if (choice < 0.4)
    await client.create(configMaps, { metadata: { ...where, labels }, data }, signal)
  else if (choice < 0.7) {
    await client.patch(configMaps, where, { type: 'merge', body: { data } }, signal)
  } else await client.delete(configMaps, where, {}, signal)
}

/** Follows changes and complains about any that does not fit the ones before. */
function mirror(informer: Informer<ConfigMap>) {
  const objects = new Map<string, ConfigMap>()
  informer.onChange((change: Change<ConfigMap>) => {
    const key = keyOf(change.object)
    const known = objects.get(key)
    if (change.type === 'added') expect(known).toBeUndefined()
    else expect(known?.metadata.uid).toBe(change.object.metadata.uid!)
    if (change.type === 'updated') {
      expect(known).toBe(change.old)
      expect(Number(change.object.metadata.resourceVersion)).toBeGreaterThan(
        Number(change.old.metadata.resourceVersion),
      )
    }
    if (change.type === 'deleted') objects.delete(key)
    else objects.set(key, change.object)
  })
  return objects
}

async function simulate(server: TestServer, clock: SimClock, seed: number): Promise<void> {
  const random = new SeededRandom(seed)
  const plain = localTransport((request, env) => server.app.fetch(request, env), ADMIN, 'sim/1')
  const [client, watched] = [createClient(plain), createClient(flaky(plain, random))]
  const complaints: unknown[] = []
  const log = { ...silentLog, error: (_text: string, fields?: object) => complaints.push(fields) }
  const deps = { client: watched, clock, random, log, freeze: true }
  const informer = new Informer<ConfigMap>(configMaps, { labelSelector: 'mine' }, deps)
  const seen = mirror(informer)
  const stop = new AbortController()
  const done = informer.run(stop.signal)
  for (let step = 0; step < STEPS; step++) {
    await write(client, random, stop.signal).catch((error) => {
      if (!(error instanceof ApiError)) throw error
    })
    if (random.next() < 0.5) await clock.advance(random.next() * 3000)
  }
  const query = { namespace: 'default', labelSelector: 'mine' }
  const { items } = await client.list(configMaps, query, stop.signal)
  const wanted = new Map(items.map((map) => [keyOf(map), map.metadata.resourceVersion]))
  const textOf = (maps: Iterable<ConfigMap>) =>
    new Map([...maps].map((map) => [keyOf(map), map.metadata.resourceVersion]))
  // However bad the network, it is only a matter of time.
  for (let i = 0; i < 50 && !Bun.deepEquals(textOf(informer.lister.all()), wanted); i++) {
    await clock.advance(30_000)
  }
  expect(textOf(informer.lister.all())).toEqual(wanted)
  expect(textOf(seen.values())).toEqual(wanted)
  expect(complaints).toEqual([])
  stop.abort()
  await done
  for (const key of wanted.keys()) {
    const where = { namespace: 'default', name: key.split('/')[1]! }
    await client.delete(configMaps, where, {}, new AbortController().signal)
  }
}

describe('an informer on a bad network', () => {
  test('ends up with what there is, and tells of every change exactly once', async () => {
    const clock = new SimClock(Date.UTC(2026, 0, 1))
    const server = await testServer({ clock })
    for (let seed = 1; seed <= 12; seed++) await simulate(server, clock, seed)
    await server.close()
  }, 30_000)
})
