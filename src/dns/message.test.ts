import { describe, expect, test } from 'bun:test'
import { type Answer, decode, encode, type OptAnswer } from 'dns-packet'
import { SeededRandom } from '../lib/random.ts'
import { FrameReader, framed } from './frames.ts'
import { encodeReply, parseQuery, type Query, type Reply } from './message.ts'

const NAME = 'web.shop.svc.cluster.local'
const opt = { type: 'OPT', name: '.', udpPayloadSize: 1232, options: [] } as unknown as OptAnswer
const plain = encode({ type: 'query', id: 9, questions: [{ type: 'A', name: NAME }] })
const withEdns = encode({
  type: 'query',
  id: 9,
  flags: 256,
  questions: [{ type: 'SRV', name: NAME }],
  additionals: [opt],
})

function queryOf(bytes: Uint8Array): Query {
  const found = parseQuery(bytes)
  if (found === undefined || 'refuse' in found) throw new Error('no query')
  return found
}

const addresses = (count: number, name = NAME): Answer[] =>
  Array.from({ length: count }, (_, i) => ({ type: 'A', name, ttl: 5, data: `10.42.1.${i % 250}` }))

describe('encodeReply', () => {
  test('writes names that end as the question does, in whatever letters', () => {
    const names = [
      NAME,
      'WEB.shop.svc.cluster.local',
      'a.b.web.shop.svc.cluster.local',
      'local',
      'x.y',
    ]
    const answers = names.flatMap((name) => addresses(1, name))
    const reply = decode(
      Buffer.from(encodeReply(queryOf(plain), { rcode: 'NOERROR', answers }, 'udp')),
    )
    expect(reply.answers?.map((one) => 'name' in one && one.name)).toEqual(names)
  })

  test('never exceeds what the client can take, and says so when something is left out', () => {
    for (const [bytes, over, max] of [
      [plain, 'udp', 512],
      [withEdns, 'udp', 1232],
      [withEdns, 'tcp', 65_535],
    ] as const) {
      for (const count of [0, 1, 25, 29, 30, 60, 80, 5000]) {
        const answers = addresses(count)
        const bytesOut = encodeReply(queryOf(bytes), { rcode: 'NOERROR', answers }, over)
        expect(bytesOut.length).toBeLessThanOrEqual(max)
        const reply = decode(Buffer.from(bytesOut)) as ReturnType<typeof decode> & {
          flag_tc: boolean
        }
        expect(reply.flag_tc).toBe(reply.answers!.length < count)
        // Full: not one more would have fitted.
        if (reply.flag_tc) expect(bytesOut.length + 16).toBeGreaterThan(max)
      }
    }
  })

  test('points into no question whose bytes are no letters', () => {
    const bytes = Uint8Array.from(plain)
    bytes[13] = 0x2e
    const query = queryOf(bytes)
    expect(query.question!.name).toBe('\\046eb.shop.svc.cluster.local')
    const reply: Reply = { rcode: 'NOERROR', answers: addresses(1, 'shop.svc.cluster.local') }
    const { answers } = decode(Buffer.from(encodeReply(query, reply, 'udp')))
    expect(answers?.[0]).toMatchObject({ name: 'shop.svc.cluster.local' })
  })
})

test('whatever bytes come, each is a query, refused or dropped, and replies can be read', () => {
  const random = new SeededRandom(7)
  const pick = (count: number) => Math.floor(random.next() * count)
  const kinds = { query: 0, refused: 0, dropped: 0 }
  for (let round = 0; round < 20_000; round++) {
    const bytes = Uint8Array.from(pick(2) ? plain : withEdns)
    for (let i = pick(4); i >= 0; i--) {
      // Lengths, counts, types and pointers are where mistakes are made.
      const values = [0, 1, 2, 0x3f, 0x40, 0xc0, 0xff, pick(256)]
      bytes[pick(bytes.length)] = values[pick(values.length)]!
    }
    const cut = bytes.subarray(0, pick(4) ? bytes.length : pick(bytes.length))
    const found = parseQuery(cut)
    if (found === undefined) {
      kinds.dropped++
      continue
    }
    const isRefused = 'refuse' in found
    kinds[isRefused ? 'refused' : 'query']++
    const reply: Reply = isRefused
      ? { rcode: found.rcode }
      : { rcode: 'NOERROR', answers: addresses(40), additionals: addresses(3, 'x.y') }
    const out = encodeReply(isRefused ? found.refuse : found, reply, 'udp')
    const { type, id } = decode(Buffer.from(out))
    expect({ type, id }).toEqual({ type: 'response', id: cut[0]! * 256 + cut[1]! })
  }
  for (const count of Object.values(kinds)) expect(count).toBeGreaterThan(500)
})

test('frames are the same however they are cut', () => {
  const random = new SeededRandom(3)
  const messages = Array.from({ length: 50 }, (_, i) => new Uint8Array(i * 37).fill(i))
  const stream = new Uint8Array(Buffer.concat(messages.map(framed)))
  for (const most of [1, 2, 3, 100, 100_000]) {
    const reader = new FrameReader()
    const read: Uint8Array[] = []
    for (let at = 0; at < stream.length; ) {
      const size = 1 + Math.floor(random.next() * most)
      read.push(...reader.read(stream.subarray(at, at + size)))
      at += size
    }
    expect(read.map((one) => one.length)).toEqual(messages.map((one) => one.length))
    expect(read.every((one, i) => one.every((byte) => byte === i))).toBe(true)
  }
})
