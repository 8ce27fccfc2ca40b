import { expect, test } from 'bun:test'
import { bootstrapFlows } from '../../api/kinds/flowcontrol/bootstrap.ts'
import type { UserInfo } from '../../api/resource.ts'
import { SimClock } from '../../lib/clock.ts'
import { SeededRandom } from '../../lib/random.ts'
import { Query } from '../request/query.ts'
import { requestInfo } from '../request/request-info.ts'
import { Classifier } from './classify.ts'
import { FlowControl, type Place } from './flow-control.ts'
import { sharesOf } from './priority-level.ts'
import { dealHand, QueueSet } from './queue-set.ts'

const never = new AbortController().signal
const NODE = user('system:node:n', 'system:nodes')
const PODS = '/api/v1/namespaces/d/pods'
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases'

function user(username: string, ...groups: string[]): UserInfo {
  const everybody = username === 'system:anonymous' ? 'unauthenticated' : 'authenticated'
  return { username, groups: [...groups, `system:${everybody}`] }
}
const account = (namespace: string, name: string) =>
  user(`system:serviceaccount:${namespace}:${name}`, 'system:serviceaccounts')

const infoOf = (request: string) => {
  const [method = '', url = ''] = request.split(' ')
  const [path = '', query = ''] = url.split('?')
  return requestInfo(method, path, new Query(query))
}

test.each([
  ['GET /healthz', user('system:anonymous'), 'probes', ''],
  ['GET /livez', user('a'), 'probes', ''],
  ['POST /healthz', user('a'), 'global-default', 'a'],
  ['GET /livez/ping', user('a'), 'global-default', 'a'],
  [`POST ${PODS}`, user('root', 'system:masters'), 'exempt', ''],
  [`PUT ${LEASES}/n`, NODE, 'system-node-high', 'system:node:n'],
  ['PATCH /api/v1/nodes/n/status', NODE, 'system-node-high', 'system:node:n'],
  ['POST /api/v1/nodes', NODE, 'system-node-high', 'system:node:n'],
  [`GET ${PODS}`, NODE, 'system-nodes', 'system:node:n'],
  ['GET /version', NODE, 'system-nodes', 'system:node:n'],
  [`GET ${PODS}`, user('system:kube-scheduler'), 'kube-scheduler', 'd'],
  [
    `PUT ${LEASES}/x`,
    user('system:kube-scheduler'),
    'system-leader-election',
    'system:kube-scheduler',
  ],
  [`POST ${PODS}`, account('kube-system', 'x'), 'kube-system-service-accounts', 'd'],
  [`POST ${PODS}`, account('apps', 'x'), 'service-accounts', 'system:serviceaccount:apps:x'],
  [`POST ${PODS}`, user('system:node:n'), 'global-default', 'system:node:n'],
  [`POST ${PODS}`, user('ann'), 'global-default', 'ann'],
  [`POST ${PODS}`, { username: 'odd', groups: [] }, 'catch-all', 'odd'],
] as const)('%s', (request, who, schema, distinguisher) => {
  const found = new Classifier(bootstrapFlows().flowschemas).classify(infoOf(request), who)
  const name = found?.schema.metadata.name
  expect([name, found?.distinguisher]).toEqual([schema, distinguisher])
})

test('seats are shared out as upstream does', () => {
  const shares = sharesOf(bootstrapFlows().prioritylevelconfigurations, 600)
  const seen = [...shares].map(([name, { nominal, guaranteed }]) => [name, nominal, guaranteed])
  expect(seen).toEqual([
    ['catch-all', 13, 13],
    ['exempt', 0, 0],
    ['global-default', 49, 24],
    ['leader-election', 25, 25],
    ['node-high', 98, 73],
    ['system', 74, 50],
    ['workload-high', 98, 49],
    ['workload-low', 245, 24],
  ])
})

test('a hand has different queues, and each can be in one', () => {
  const queuing = { queues: 16, handSize: 4, queueLengthLimit: 1 }
  const seen = new Set<number>()
  for (let i = 0n; i < 500n; i++) {
    const hand = dealHand(i * 0x9e37_79b9_7f4a_7c15n, queuing)
    expect(new Set(hand).size).toBe(4)
    for (const index of hand) seen.add(index)
  }
  expect(seen.size).toBe(16)
})

/** Flow control with everything that happened, and users that ask for seats. */
function world(seats = 600) {
  const clock = new SimClock()
  const seen: string[] = []
  const observer = {
    dispatched: () => {},
    rejected: (_: object, reason: string) => seen.push(reason),
  }
  const control = new FlowControl({ clock, random: new SeededRandom(1), seats, observer })
  const ask = async (who: UserInfo, request = `POST ${PODS}`, wanted = 1, gone = never) =>
    control.enter(control.find(infoOf(request), who), { seats: () => wanted, gone: () => gone })
  const level = (name: string) => [...control.levels].find((one) => one.name === name)!
  return { clock, control, ask, level, seen }
}

/** The levels of the bootstrap, but one has other queues. */
function withQueues(name: string, queuing: { queues: number; handSize: number }) {
  return bootstrapFlows().prioritylevelconfigurations.map((one) =>
    one.metadata.name === name
      ? {
          ...one,
          spec: { type: 'Limited', limited: { limitResponse: { type: 'Queue', queuing } } },
        }
      : one,
  )
}

/** Asks `count` times; the places that came at once. */
async function askMany(ask: () => Promise<Place>, count: number) {
  const places: Place[] = []
  const refusals: unknown[] = []
  for (let i = 0; i < count; i++) {
    void ask().then(
      (place) => places.push(place),
      (error) => refusals.push(error),
    )
  }
  await Promise.resolve().then(() => Promise.resolve())
  await new Promise<void>((resolve) => setImmediate(resolve))
  return { places, refusals }
}

test('one user never takes all seats of a level, and nothing of other levels', async () => {
  const { ask, level } = world()
  const { places } = await askMany(() => ask(user('mallory')), 1000)
  expect(places.length).toBe(25)
  // Users of the same level, nodes, probes and administrators get seats at once.
  for (const [who, request] of [
    [user('ann'), `POST ${PODS}`],
    [NODE, `PUT ${LEASES}/n`],
    [NODE, `GET ${PODS}`],
    [user('system:anonymous'), 'GET /healthz'],
    [user('root', 'system:masters'), `POST ${PODS}`],
    [account('kube-system', 'x'), `POST ${PODS}`],
  ] as const) {
    expect((await askMany(() => ask(who, request), 1)).places.length).toBe(1)
  }
  // What mallory makes wait is bounded by the queues of one hand.
  expect(level('global-default').waitingCount).toBe(300)
})

test('many users wait their turn, and each gets the same', async () => {
  const { ask, level } = world(245)
  const users = Array.from({ length: 8 }, (_, i) => user(`user-${i}`))
  const served = new Map<string, number>()
  const held: Place[] = []
  for (const who of users) {
    // The first one asks for ten times as much.
    const wishes = who === users[0] ? 200 : 20
    for (let i = 0; i < wishes; i++) {
      void ask(who).then((place) => {
        served.set(who.username, (served.get(who.username) ?? 0) + 1)
        held.push(place)
      })
    }
  }
  await new Promise<void>((resolve) => setImmediate(resolve))
  for (let i = 0; i < 100; i++) {
    held.shift()?.leave()
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  const greedy = served.get('user-0')!
  for (const { username } of users.slice(1)) expect(served.get(username)).toBeGreaterThan(8)
  expect(greedy).toBeLessThan(60)
  while (held.length > 0) {
    held.shift()!.leave()
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  expect([...served.values()].reduce((a, b) => a + b)).toBe(340)
  expect([level('global-default').seatsInUse, level('global-default').waitingCount]).toEqual([0, 0])
})

test('who waits too long, or goes away, is turned away and leaves no trace', async () => {
  const { ask, clock, level, seen } = world()
  const { places } = await askMany(() => ask(user('a')), 25)
  const late = ask(user('a'))
  const gone = new AbortController()
  const left = ask(user('a'), `POST ${PODS}`, 1, gone.signal)
  left.catch(() => {})
  gone.abort()
  await expect(left).rejects.toMatchObject({ code: 429 })
  late.catch(() => {})
  await clock.advance(14_000)
  expect(seen).toEqual(['cancelled'])
  await clock.advance(1_000)
  await expect(late).rejects.toMatchObject({
    code: 429,
    reason: 'TooManyRequests',
    details: { retryAfterSeconds: 1 },
    message: 'Too many requests, please try again later.',
  })
  expect(seen).toEqual(['cancelled', 'time-out'])
  for (const place of places) {
    place.leave()
    place.leave()
  }
  expect([level('global-default').seatsInUse, level('global-default').waitingCount]).toEqual([0, 0])
})

test('seats that nobody uses are lent, and their owner is the next to get them back', async () => {
  const { ask, level } = world()
  const busy = await Promise.all(
    Array.from({ length: 20 }, (_, i) => askMany(() => ask(account('apps', `a-${i}`)), 100)),
  )
  const taken = busy.flatMap(({ places }) => places)
  const { share, seatsInUse } = level('workload-low')
  expect(seatsInUse).toBe(taken.length)
  expect(seatsInUse).toBeGreaterThan(share.nominal)
  // What the others keep for themselves is there at once.
  const own = await askMany(() => ask(NODE, `PUT ${LEASES}/n`), 40)
  expect(own.places.length).toBe(40)
  // Beyond that they wait for the borrower to be done with one, and come before it.
  const more = await Promise.all(
    ['x', 'y'].map((name) =>
      askMany(() => ask(user(`system:node:${name}`, 'system:nodes'), `PUT ${LEASES}/n`), 30),
    ),
  )
  const before = more.flatMap(({ places }) => places).length
  expect(before).toBe(33)
  for (const place of taken.slice(0, 27)) place.leave()
  await new Promise<void>((resolve) => setImmediate(resolve))
  expect(more.flatMap(({ places }) => places).length).toBeGreaterThan(before)
})

test('a level without queues turns away at once', async () => {
  const { ask, control, seen } = world()
  control.configure({
    ...bootstrapFlows(),
    flowschemas: bootstrapFlows().flowschemas.filter(
      ({ metadata }) => metadata.name === 'catch-all',
    ),
  })
  const { places, refusals } = await askMany(() => ask(user('a')), 20)
  expect([places.length, refusals.length, seen[0]]).toEqual([7, 13, 'concurrency-limit'])
})

test('another configuration takes over, and what waited under the old one is served', async () => {
  const { ask, control, level } = world()
  const before = await askMany(() => ask(user('a')), 60)
  const old = level('global-default')
  expect([before.places.length, old.waitingCount]).toEqual([25, 35])
  control.configure({
    ...bootstrapFlows(),
    prioritylevelconfigurations: withQueues('global-default', { queues: 8, handSize: 2 }),
  })
  expect(level('global-default')).not.toBe(old)
  expect((await askMany(() => ask(user('b')), 10)).places.length).toBe(10)
  for (let i = 0; i < 60; i++) {
    before.places.shift()?.leave()
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  expect([old.seatsInUse, old.waitingCount]).toEqual([0, 0])
})

test('whatever comes and goes, seats are never oversold and all come back', async () => {
  const random = new SeededRandom(42)
  const { ask, clock, control } = world(60)
  const held: Place[] = []
  const who = [user('a'), user('b'), NODE, account('apps', 'x'), account('kube-system', 'y')]
  for (let i = 0; i < 3000; i++) {
    if (random.next() < 0.55) {
      const gone = new AbortController()
      const asking = ask(
        who[Math.floor(random.next() * who.length)]!,
        `POST ${PODS}`,
        1 + Math.floor(random.next() * 10),
        gone.signal,
      )
      asking.then(
        (place) => held.push(place),
        () => {},
      )
      if (random.next() < 0.2) gone.abort()
    } else held.splice(Math.floor(random.next() * held.length), 1)[0]?.leave()
    if (i % 50 === 0) await clock.advance(Math.floor(random.next() * 3000))
    const inUse = [...control.levels].reduce((sum, one) => sum + one.seatsInUse, 0)
    expect(inUse).toBeLessThanOrEqual(60 + 8)
  }
  await clock.advance(60_000)
  while (held.length > 0) {
    held.pop()!.leave()
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  for (const { seatsInUse, executingCount, waitingCount } of control.levels) {
    expect([seatsInUse, executingCount, waitingCount]).toEqual([0, 0, 0])
  }
})

test('a level goes on under another configuration that says the same of its queues', async () => {
  const { ask, control, level } = world()
  const { places } = await askMany(() => ask(user('a')), 60)
  const before = level('global-default')
  control.configure({
    ...bootstrapFlows(),
    prioritylevelconfigurations: withQueues('workload-low', { queues: 8, handSize: 2 }),
  })
  expect(level('global-default')).toBe(before)
  expect([before.seatsInUse, before.waitingCount]).toEqual([places.length, 35])
})

test('queues cost nothing until they are used, however many there are', () => {
  const queuing = { queues: 10_000_000, handSize: 2, queueLengthLimit: 1 }
  for (let i = 0n; i < 1000n; i++) {
    const hand = dealHand(i * 0x9e37_79b9_7f4a_7c15n, queuing)
    expect(hand.every((index) => index < 10_000_000)).toBe(true)
  }
  const set = new QueueSet(queuing, new Uint8Array(16))
  const waiting = ['a', 'b', 'c'].map((flow) => ({ flow, seats: 1, start: () => {} }))
  expect(waiting.map((one) => set.enqueue(one))).toEqual([true, true, true])
  expect(waiting.map(() => set.next(() => true)?.flow)).toEqual(['a', 'b', 'c'])
  expect(set.next(() => true)).toBeUndefined()
})

test('a flow that comes again and again does not go before those that wait', () => {
  const set = new QueueSet({ queues: 64, handSize: 8, queueLengthLimit: 50 }, new Uint8Array(16))
  const aRequest = (flow: string) => ({ flow, seats: 1, start: () => {} })
  set.enqueue(aRequest('busy'))
  set.enqueue(aRequest('patient'))
  const served: string[] = []
  for (let i = 0; i < 3; i++) {
    const next = set.next(() => true)!
    served.push(next.flow)
    set.end(next)
    set.enqueue(aRequest('busy'))
  }
  expect(served).toContain('patient')
})
