import { describe, expect, test } from 'bun:test'
import { SimClock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import { SeededRandom } from '../../lib/random.ts'
import { planSettings } from './follow-nodes.ts'
import { PeerFeed } from './peer-feed.ts'

const peer = (name: string, podCidr: string, ip = '192.0.2.1') => ({
  name,
  internalIps: [ip],
  podCidrs: [podCidr],
})
const line = (name: string) => JSON.stringify({ type: 'PEER', ...peer(name, '10.42.0.0/24') })
const SYNCED = '{"type":"SYNCED"}'

describe('what a node is told of the others', () => {
  test('counts when all of it was told, and stays when the connection breaks', async () => {
    const clock = new SimClock()
    const stop = new AbortController()
    const connections = [
      [line('a'), line('b'), SYNCED, '{"type":"GONE","name":"b"}', line('c')],
      [line('a')],
      [line('d'), SYNCED],
    ]
    const seen: (string[] | undefined)[] = []
    const names = () => feed.all?.map(({ name }) => name)
    const transport = {
      async *watch() {
        for (const text of connections.shift() ?? []) yield text
        seen.push(names())
        throw new Error('broken')
      },
    }
    const random = new SeededRandom(1)
    const feed = new PeerFeed({ transport, clock, random, log: silentLog })
    let changes = 0
    const running = feed.run(() => changes++, stop.signal)
    for (let i = 0; i < 3; i++) await clock.advance(120_000)
    expect(seen.slice(0, 3)).toEqual([['a', 'c'], ['a', 'c'], ['d']])
    expect(changes).toBe(4)
    stop.abort()
    await running
  })
})

describe('the routes of a node', () => {
  const cluster = ['10.42.0.0/16']

  test('wait for its own range', () => {
    expect(planSettings([peer('b', '10.42.1.0/24')], 'a', cluster)).toBeUndefined()
  })

  test('lead to what lies within the ranges of the cluster, and nowhere else', () => {
    const foreign = ['0.0.0.0/0', '10.0.0.0/8', '192.0.2.7/32', '10.43.0.0/24', 'x', 'fd00::/64']
    const others = foreign.map((range, i) => peer(`x${i}`, range))
    const all = [peer('a', '10.42.0.0/24'), peer('b', '10.42.1.0/24'), ...others]
    expect(planSettings(all, 'a', cluster)).toEqual({
      nodeName: 'a',
      podCidrs: ['10.42.0.0/24'],
      clusterCidrs: cluster,
      peers: [peer('b', '10.42.1.0/24')],
    })
  })

  test('leave out who has no address', () => {
    const silent = { ...peer('b', '10.42.1.0/24'), internalIps: [] }
    expect(planSettings([peer('a', '10.42.0.0/24'), silent], 'a', cluster)!.peers).toEqual([])
  })
})
