// The cluster's DNS answers as CoreDNS does, question by question. What differs on purpose is listed.

import { afterAll, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createResponder } from '../../src/dns/respond.ts'
import { createView } from '../../src/dns/view.ts'
import { createClient } from '../../src/kit/client-impl.ts'
import { InformerSet } from '../../src/kit/informer-set.ts'
import { localTransport } from '../../src/kit/transport-local.ts'
import { SystemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { SeededRandom } from '../../src/lib/random.ts'
import { ADMIN, testServer } from '../support/server.ts'
import { normal, type Recorded } from './dns/normal.ts'
import { outside } from './dns/outside.ts'
import { QUESTIONS } from './dns/questions.ts'
import { WORLD } from './dns/world.ts'

/** Titles of questions, and why ours is another answer. */
const DIFFERENCES: { titles: RegExp; reason: string }[] = [
  {
    titles: /^example\.org A (with DNSSEC|with a cookie|in class CH with EDNS)$/,
    reason: 'what a resolver outside says is passed on as it is, with or without EDNS',
  },
  {
    titles: /^Cluster\.Local NS$/,
    reason: 'the name server of the zone is found whatever the case of the letters',
  },
  {
    titles: /^(a question that ends too early|a record that is announced and missing)$/,
    reason: 'a message that is cut off is refused, not taken for one with zeros at its end',
  },
]

const recorded: Record<string, Recorded | null> = JSON.parse(
  readFileSync(join(import.meta.dir, 'dns/answers.json'), 'utf8'),
)
const server = await testServer()
for (const { path, body } of WORLD) await server.call('POST', path, { body })
const stop = new AbortController()
const client = createClient(
  localTransport((request, env) => server.app.fetch(request, env), ADMIN, 'test'),
)
const [clock, random] = [new SystemClock(), new SeededRandom(1)]
const informers = new InformerSet({ client, clock, random, log: silentLog })
const view = createView(informers, stop.signal)
const { done } = await informers.start(stop.signal)
const zone = { domain: 'cluster.local', address: '10.43.0.10' }
const respond = createResponder(zone, view, { ask: async (query) => outside(query) })

afterAll(async () => {
  stop.abort()
  await done
  await server.close()
})

test('every question is answered as CoreDNS answers it', async () => {
  while (!view.isComplete) await Bun.sleep(5)
  const wrong: Record<string, unknown> = {}
  const used = new Set<string>()
  for (const { title, over, bytes } of QUESTIONS) {
    const reply = normal(await respond(bytes, { over, address: '10.42.0.9' }, stop.signal)) ?? null
    if (Bun.deepEquals(reply, recorded[title])) continue
    const known = DIFFERENCES.find(({ titles }) => titles.test(title))
    if (known) used.add(known.reason)
    else wrong[title] = { ours: reply, theirs: recorded[title] }
  }
  expect(wrong).toEqual({})
  // One that no longer occurs is none.
  expect([...used].toSorted()).toEqual(DIFFERENCES.map(({ reason }) => reason).toSorted())
})
