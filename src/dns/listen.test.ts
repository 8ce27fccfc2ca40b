import { afterAll, describe, expect, test } from 'bun:test'
import { decode, encode, type Packet } from 'dns-packet'
import type { Service } from '../api/schema/generated/types.ts'
import { silentLog } from '../lib/log.ts'
import type { DnsView } from './answer.ts'
import { framed, parseResolvers } from './forward.ts'
import { listen } from './listen.ts'
import { createResponder } from './respond.ts'

const stop = new AbortController()
afterAll(() => stop.abort())

const many: Service = {
  metadata: { name: 'many', namespace: 'default' },
  spec: { clusterIP: 'None', ports: [{ port: 80 }] },
}
const view: DnsView = {
  service: (_namespace, name) => (name === 'many' ? many : undefined),
  slices: () => [
    {
      metadata: { name: 'many-1', namespace: 'default' },
      addressType: 'IPv4',
      endpoints: Array.from({ length: 100 }, (_, i) => ({ addresses: [`10.42.0.${i}`] })),
    },
  ],
  hasNamespace: () => true,
  serviceByIp: () => undefined,
  slicesByIp: () => [],
}
const upstream = encode({ type: 'response', id: 7, answers: [] })
const respond = createResponder('cluster.local', view, {
  ask: async (query) => new Uint8Array([query[0]!, query[1]!, ...upstream.subarray(2)]),
})
const { port } = await listen({ address: '127.0.0.1', port: 0 }, respond, silentLog, stop.signal)

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

async function overTcp(bytes: Uint8Array): Promise<Packet> {
  const reply = Promise.withResolvers<Packet>()
  let received = Buffer.alloc(0)
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port,
    socket: {
      data(_socket, chunk) {
        received = Buffer.concat([received, chunk])
        if (received.length < 2 || received.length < received.readUInt16BE(0) + 2) return
        reply.resolve(decode(received.subarray(2)))
      },
    },
  })
  socket.write(framed(bytes))
  return reply.promise.finally(() => socket.end())
}

describe('listen', () => {
  test('cuts an answer that is too long for UDP, and gives it whole over TCP', async () => {
    const cut = await overUdp(query('many.default.svc.cluster.local'))
    expect(cut).toMatchObject({ id: 4711, flag_tc: true, answers: [] })
    const whole = await overTcp(query('many.default.svc.cluster.local'))
    expect(whole.answers).toHaveLength(100)
  })

  test('passes on what is not of the cluster', async () => {
    const reply = await overUdp(query('example.org', 99))
    expect(reply).toMatchObject({ id: 99, type: 'response' })
  })

  test('drops junk and answers the next question', async () => {
    const loop = new Uint8Array([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1])
    expect(await respond(loop, 'udp', stop.signal)).toBeUndefined()
    expect(await respond(new Uint8Array(3), 'udp', stop.signal)).toBeUndefined()
    const reply = await overUdp(query('gone.default.svc.cluster.local'))
    expect(reply).toMatchObject({ rcode: 'NXDOMAIN' })
  })
})

test('resolvers are read as resolv.conf(5) says', () => {
  const text = '# c\nnameserver 10.0.0.1\nnameserver nonsense\n nameserver fe80::1\nsearch x\n'
  expect(parseResolvers(text)).toEqual(['10.0.0.1', 'fe80::1'])
})
