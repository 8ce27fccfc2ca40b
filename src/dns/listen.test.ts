import { afterAll, describe, expect, test } from 'bun:test'
import { decode, encode, type Packet } from 'dns-packet'
import type { Service } from '../api/schema/generated/types.ts'
import { SimClock } from '../lib/clock.ts'
import { silentLog } from '../lib/log.ts'
import type { DnsView } from './answer.ts'
import { parseResolvers, Share } from './forward.ts'
import { FrameReader, framed } from './frames.ts'
import { listen } from './listen.ts'
import { createResponder } from './respond.ts'

const stop = new AbortController()
afterAll(() => stop.abort())

const many: Service = {
  metadata: { name: 'many', namespace: 'default' },
  spec: { clusterIP: 'None', ports: [{ port: 80 }] },
}
const view: DnsView = {
  isComplete: true,
  service: (_namespace, name) => (name === 'many' ? many : undefined),
  slices: () => [
    {
      metadata: { name: 'many-1', namespace: 'default' },
      addressType: 'IPv4',
      ports: [{ port: 80, protocol: 'TCP' }],
      endpoints: Array.from({ length: 100 }, (_, i) => ({ addresses: [`10.42.0.${i}`] })),
    },
  ],
  hasNamespace: () => true,
  serviceByIp: () => undefined,
  slicesByIp: () => [],
}
const upstream = encode({ type: 'response', id: 7, answers: [] })
const zone = { domain: 'cluster.local', address: '10.43.0.10' }
const respond = createResponder(zone, view, {
  ask: async (query) => new Uint8Array([query[0]!, query[1]!, ...upstream.subarray(2)]),
})
const clock = new SimClock()
const options = { address: '127.0.0.1', port: 0, clock, log: silentLog }
const { port } = await listen(options, respond, stop.signal)
const MANY = 'many.default.svc.cluster.local'
const udp = { over: 'udp', address: '10.42.0.9' } as const

function query(name: string, id = 4711): Uint8Array {
  return encode({ type: 'query', id, flags: 256, questions: [{ type: 'A', name }] })
}

async function overUdp(bytes: Uint8Array): Promise<Packet> {
  const reply = Promise.withResolvers<Packet>()
  const socket = await Bun.udpSocket({
    connect: { hostname: '127.0.0.1', port },
    socket: { data: (_socket, data) => reply.resolve(decode(Buffer.from(data))) },
  })
  socket.send(bytes)
  return reply.promise.finally(() => socket.close())
}

/** A connection from one of the addresses of this machine. */
async function connect(from: string) {
  const frames = new FrameReader()
  const replies: Packet[] = []
  let isClosed = false
  let wake = () => {}
  // The types do not know of `localAddress`.
  const to = { hostname: '127.0.0.1', port, localAddress: from }
  const socket = await Bun.connect({
    ...to,
    socket: {
      data(_socket, chunk) {
        for (const message of frames.read(chunk)) replies.push(decode(Buffer.from(message)))
        wake()
      },
      close() {
        isClosed = true
        wake()
      },
    },
  })
  const until = async (check: () => boolean) => {
    while (!check()) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  return {
    replies,
    write: (bytes: Uint8Array) => void socket.write(bytes),
    end: () => void socket.end(),
    get isClosed() {
      return isClosed
    },
    closed: () => until(() => isClosed),
    reply: async () => {
      const count = replies.length
      await until(() => replies.length > count || isClosed)
      return replies.at(-1)
    },
  }
}

describe('listen', () => {
  test('fills an answer that is too long for UDP, and gives it whole over TCP', async () => {
    const cut = await overUdp(query(MANY))
    // 512 bytes less head and question, in records of 16 bytes.
    expect(cut).toMatchObject({ id: 4711, flag_tc: true })
    expect(cut.answers).toHaveLength(Math.floor((512 - 12 - (MANY.length + 2 + 4)) / 16))
    const connection = await connect('127.0.0.1')
    connection.write(framed(query(MANY)))
    expect((await connection.reply())?.answers).toHaveLength(100)
    connection.end()
  })

  test('passes on what is not of the cluster', async () => {
    const reply = await overUdp(query('example.org', 99))
    expect(reply).toMatchObject({ id: 99, type: 'response' })
  })

  test('drops what is no query, refuses malformed ones, and answers the next', async () => {
    const loop = new Uint8Array([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1])
    const refused = await respond(loop, udp, stop.signal)
    expect(decode(Buffer.from(refused!))).toMatchObject({ id: 1, rcode: 'FORMERR' })
    expect(await respond(new Uint8Array(3), udp, stop.signal)).toBeUndefined()
    expect(await respond(upstream, udp, stop.signal)).toBeUndefined()
    const reply = await overUdp(query('gone.default.svc.cluster.local'))
    expect(reply).toMatchObject({ rcode: 'NXDOMAIN' })
  })

  test('answers what comes in pieces, and many at once, each', async () => {
    const connection = await connect('127.0.0.1')
    const frame = framed(query(MANY, 5))
    for (const byte of frame) connection.write(Uint8Array.of(byte))
    await connection.reply()
    const all = Array.from({ length: 100 }, (_, i) => framed(query(MANY, i)))
    connection.write(new Uint8Array(Buffer.concat(all)))
    while (connection.replies.length < 101) await connection.reply()
    expect(new Set(connection.replies.map(({ id }) => id)).size).toBe(100)
    connection.end()
  })
})

test('an alias that leads outside is followed to the whole of what is there', async () => {
  const out: Service = {
    metadata: { name: 'out', namespace: 'default' },
    spec: { type: 'ExternalName', externalName: 'example.org' },
  }
  const asked: string[] = []
  const follow = createResponder(
    zone,
    { ...view, service: () => out },
    {
      async ask(_query, { over }) {
        asked.push(over)
        if (over === 'udp') return encode({ type: 'response', id: 1, flags: 512 })
        const answers = [{ type: 'A', name: 'example.org', ttl: 60, data: '192.0.2.7' } as const]
        return encode({ type: 'response', id: 1, answers })
      },
    },
  )
  const reply = await follow(query('out.default.svc.cluster.local'), udp, stop.signal)
  const { answers } = decode(Buffer.from(reply!))
  expect(answers?.map(({ type }) => type)).toEqual(['CNAME', 'A'])
  expect(asked).toEqual(['udp', 'tcp'])
})

describe('nobody keeps others out over TCP', () => {
  test('a client has its share of connections', async () => {
    const mine = await Promise.all(Array.from({ length: 80 }, () => connect('127.0.0.2')))
    while (mine.filter(({ isClosed }) => isClosed).length < 16) await Bun.sleep(1)
    const other = await connect('127.0.0.3')
    other.write(framed(query(MANY)))
    expect((await other.reply())?.answers).toHaveLength(100)
    expect(mine.filter(({ isClosed }) => isClosed)).toHaveLength(16)
    for (const one of [...mine, other]) one.end()
    await Promise.all([...mine, other].map((one) => one.closed()))
  })

  test('silence ends a connection, and so do bytes that trickle in', async () => {
    const [silent, trickling, lively] = await Promise.all(
      ['4', '5', '6'].map((last) => connect(`127.0.0.${last}`)),
    )
    for (let i = 0; i < 4; i++) {
      trickling!.write(Uint8Array.of(0))
      lively!.write(framed(query(MANY)))
      await lively!.reply()
      await clock.advance(3000)
    }
    await Promise.all([silent!.closed(), trickling!.closed()])
    lively!.write(framed(query(MANY)))
    expect((await lively!.reply())?.answers).toHaveLength(100)
    lively!.end()
  })

  test('when all are taken, the one that was silent for longest makes room', async () => {
    const clients = Array.from({ length: 20 }, (_, i) => `127.0.1.${i + 1}`)
    const held = []
    for (const client of clients) {
      held.push(...(await Promise.all(Array.from({ length: 50 }, () => connect(client)))))
    }
    const [first, second] = held
    first!.write(framed(query(MANY)))
    await first!.reply()
    const late = await connect('127.0.2.1')
    late.write(framed(query(MANY)))
    expect((await late.reply())?.answers).toHaveLength(100)
    await second!.closed()
    expect(first!.isClosed).toBe(false)
    expect(held.filter(({ isClosed }) => isClosed)).toHaveLength(1)
    for (const one of [...held, late]) one.end()
  })

  test('what speaks something else is closed', async () => {
    const connection = await connect('127.0.0.7')
    connection.write(new Uint8Array(64))
    await connection.closed()
  })
})

test('a share is for so many in all, and so many for each', () => {
  const share = new Share(3, 2)
  expect(['a', 'a', 'a', 'b', 'c'].map((one) => share.take(one))).toEqual([
    true,
    true,
    false,
    true,
    false,
  ])
  share.giveBack('a')
  expect(share.take('c')).toBe(true)
})

test('resolvers are read as resolv.conf(5) says', () => {
  const text = '# c\nnameserver 10.0.0.1\nnameserver nonsense\n nameserver fe80::1\nsearch x\n'
  expect(parseResolvers(text)).toEqual(['10.0.0.1', 'fe80::1'])
})
