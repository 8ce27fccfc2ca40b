import { afterAll, expect, test } from 'bun:test'
import { mkdtemp } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type TLSSocket } from 'node:tls'
import { takeWebSocket } from '../../test/support/websocket.ts'
import { type Clock, SimClock, SystemClock } from '../lib/clock.ts'
import { removeIfAny } from '../lib/files.ts'
import type { TlsIdentity } from '../lib/net/dial.ts'
import { socketStream } from '../lib/net/socket-stream.ts'
import type { WebSocketStream } from '../lib/net/websocket.ts'
import { SeededRandom } from '../lib/random.ts'
import { ensureAuthority } from '../pki/authority.ts'
import { type CredentialDraft, issueCredential } from '../pki/credential.ts'
import { messagesOf, RefusedError } from './stream.ts'

const clock = new SystemClock()
const dir = await mkdtemp(join(tmpdir(), 'kedge-stream-'))
const sources = { clock, random: new SeededRandom(1) }
const authority = await ensureAuthority({ dir, name: 'ca', commonName: 'ca' }, sources)
const names = { dns: ['localhost'], ips: ['127.0.0.1'] }
const credentialOf = async (draft: CredentialDraft) => {
  const { certificatePem, privateKeyPem } = await issueCredential(draft, authority, sources)
  return { cert: certificatePem, key: privateKeyPem }
}
const serverIdentity = await credentialOf({ subject: { commonName: 'server' }, names })
const mine = await credentialOf({ subject: { commonName: 'node-1' } })
const node = { ca: authority.certificatePem, ...mine }
const never = new AbortController().signal
const closers: (() => void)[] = []
afterAll(async () => {
  for (const close of closers) close()
  await removeIfAny(dir)
})

/** Authorities and subjects of those who came. */
const callers: string[] = []

/** A server that knows its clients by their certificates. Returns its URL. */
async function serve(carry: (socket: WebSocketStream, raw: TLSSocket) => void): Promise<string> {
  const asked = { ca: node.ca, requestCert: true, rejectUnauthorized: true }
  const server = createServer({ ...serverIdentity, ...asked }, async (raw) => {
    raw.on('error', () => {})
    closers.push(() => raw.destroy())
    callers.push(String(raw.getPeerCertificate().subject?.CN))
    const socket = await takeWebSocket(socketStream(raw)).catch(() => undefined)
    if (socket !== undefined) carry(socket, raw)
  })
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve))
  closers.push(() => server.close())
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

const follow = (url: string, more: { tls?: TlsIdentity; clock?: Clock } = {}, signal = never) =>
  messagesOf({ url, tls: node, headers: { 'x-a': 'b' }, clock, ...more }, signal)

function saidBy(last: (socket: WebSocketStream) => void): Promise<string> {
  return serve(async (socket) => {
    await socket.send(Buffer.from('one'), true)
    await socket.send(Buffer.from('zwei ü'), true)
    last(socket)
  })
}

async function heard(stream: AsyncGenerator<string>) {
  const texts: string[] = []
  try {
    for await (const text of stream) texts.push(text)
    return { texts, end: undefined }
  } catch (error) {
    return { texts, end: (error as Error).message }
  }
}

test.each([
  ['says good-bye', 1000, undefined],
  ['goes away', 1001, undefined],
  ['fails', 1011, 'read stream: closed with 1011 no room'],
])('of a server that %s, all texts arrive, and then how it ended', async (_, code, end) => {
  const url = await saidBy((socket) => void socket.close(code, code === 1011 ? 'no room' : ''))
  expect(await heard(follow(url))).toEqual({ texts: ['one', 'zwei ü'], end })
  expect(callers.at(-1)).toBe('node-1')
})

test('a server that breaks off is told from one that is done', async () => {
  const url = await saidBy((socket) => socket.abort(new Error('x')))
  expect((await heard(follow(url))).end).toBe('read stream: connection ended without a close')
})

test('who leaves is gone at once, with his own reason', async () => {
  const left = Promise.withResolvers<number | undefined>()
  const url = await serve(async (socket) => {
    await socket.send(Buffer.from('one'), true)
    await socket.receive()
    left.resolve(socket.closedWith?.code)
  })
  const stop = new AbortController()
  const stream = follow(url, {}, stop.signal)
  expect((await stream.next()).value).toBe('one')
  const next = stream.next().catch((error) => error.message)
  stop.abort(new Error('enough'))
  expect(await next).toBe('enough')
  expect(await left.promise).toBe(1000)
})

const others = await ensureAuthority({ dir, name: 'others', commonName: 'ca' }, sources)

test.each([
  ['signed by somebody else', { ...node, ca: others.certificatePem }, '127.0.0.1'],
  ['of another name', node, '127.0.0.2'],
])('a server with a certificate %s is not believed', async (_, tls, host) => {
  const url = (await serve(() => {})).replace('127.0.0.1', host)
  const error = await follow(url, { tls })
    .next()
    .catch((error) => error)
  expect(error).toBeInstanceOf(RefusedError)
  expect(error.message).toMatch(/certificate|altnames/)
})

test('whoever shows no certificate is not let in, and hears so', async () => {
  const url = await serve(() => {})
  const error = await follow(url, { tls: { ca: node.ca } })
    .next()
    .catch((error) => error)
  expect(error).toBeInstanceOf(RefusedError)
})

test('a server that sends faster than it is read has to wait', async () => {
  const piece = Buffer.alloc(64 * 1024, 'x')
  const sent = { count: 0 }
  const url: string = await serve(async (socket) => {
    for (; sent.count < COUNT; sent.count++) await socket.send(piece, true)
    void socket.close(1000, '')
  })
  const COUNT = 1000
  const stream = follow(url)
  await stream.next()
  // Until it stands still: what lies in the operating system is some megabytes at most.
  for (let before = -1; before !== sent.count; ) {
    before = sent.count
    await clock.sleep(100, never)
  }
  expect(sent.count).toBeLessThan(COUNT / 2)
  let read = 1
  for await (const text of stream) read += text.length / piece.byteLength
  expect(read).toBe(COUNT)
})

test('a peer that never answers the handshake is given up', async () => {
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  closers.push(() => listener.stop(true))
  const simulated = new SimClock()
  const first = follow(`http://127.0.0.1:${listener.port}/`, { clock: simulated }).next()
  const told = first.catch((error) => error)
  await simulated.advance(31_000)
  expect(await told).toMatchObject({ name: 'RefusedError', message: 'open stream: no answer' })
})

test('a peer that answers no ping is given up, one that does is kept', async () => {
  const simulated = new SimClock()
  const peers: { socket: WebSocketStream; raw: TLSSocket }[] = []
  const url = await serve((socket, raw) => void peers.push({ socket, raw }))
  const next = follow(url, { clock: simulated }).next()
  const ended = next.then(
    () => 'ended',
    (error) => error.message,
  )
  while (peers.length === 0) await clock.sleep(10, never)
  const { raw } = peers[0]!
  for (let i = 0; i < 4; i++) {
    const before = raw.bytesWritten
    await simulated.advance(30_000)
    while (raw.bytesWritten === before) await clock.sleep(5, never)
    await clock.sleep(20, never)
  }
  expect(await Promise.race([ended, clock.sleep(20, never)])).toBeUndefined()
  raw.pause()
  await simulated.advance(30_000)
  await simulated.advance(30_000)
  expect(await ended).toBe('read stream: the other side fell silent')
})
