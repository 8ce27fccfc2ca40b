// Requests through the server to a node that has dialled in, and to a pod, without a network.

import { expect, test } from 'bun:test'
import { Duplex } from 'node:stream'
import { ApiError } from '../../api/status.ts'
import type { ByteStream } from '../../lib/byte-stream.ts'
import { SimClock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import { ByteReader } from '../../lib/net/byte-reader.ts'
import { headerOf, readHead } from '../../lib/net/http1.ts'
import { streamPair } from '../../lib/net/pipe.ts'
import { Query } from '../request/query.ts'
import { requestInfo } from '../request/request-info.ts'
import type { Call } from '../transport/call.ts'
import { answerStream } from './answer.ts'
import type { StreamDeps } from './contract.ts'
import { relayUpgrade } from './relay.ts'
import { Tunnels } from './tunnels.ts'

const POD = {
  metadata: { namespace: 'd', name: 'p' },
  spec: { nodeName: 'n', containers: [{ name: 'c', image: 'i' }] },
  status: { podIP: '10.42.0.5' },
}

type Sent = { line: string; headers: string[]; body: string }

/** Answers what it is told, and remembers what it was asked. */
function world(answer: string, { isConnected = true } = {}) {
  const asked: Sent[] = []
  const serve = async (stream: ByteStream) => {
    const reader = new ByteReader(stream.readable)
    const head = (await readHead(reader))!
    const sent: Sent = {
      line: head.line,
      headers: head.headers.map(([n, v]) => `${n}: ${v}`),
      body: '',
    }
    asked.push(sent)
    if (/^(POST|PUT)/.test(head.line)) sent.body = (await reader.until('0\r\n\r\n', 1000)) ?? ''
    await stream.write(Buffer.from(answer.replaceAll('\n', '\r\n')))
    if (answer.includes(' 101 ')) {
      for (;;) {
        const bytes = await reader.some()
        if (bytes === undefined) break
        await stream.write(Buffer.from(`echo ${Buffer.from(bytes)}`))
      }
    }
    await stream.end()
  }
  const dial = async () => {
    const [near, far] = streamPair()
    void serve(far).catch(() => {})
    return near
  }
  const clock = new SimClock()
  const tunnels = new Tunnels({ clock, log: silentLog })
  if (isConnected) tunnels.setLocal({ name: 'n', dial, dialAddress: dial })
  const deps = {
    nodes: tunnels,
    clock,
    log: silentLog,
    random: () => 0,
    objects: { pod: () => POD, node: () => ({}) },
  } as unknown as StreamDeps
  return { deps, asked, clock }
}

type Fields = { headers?: Record<string, string>; body?: string; signal?: AbortSignal }

function callOf(method: string, url: string, fields: Fields = {}): Call {
  const [rawPath = '', raw = ''] = url.split('?')
  const headers: Record<string, string> = { authorization: 'secret', ...fields.headers }
  return {
    method,
    rawPath,
    path: decodeURIComponent(rawPath),
    query: new Query(raw),
    env: {},
    header: (name: string) => headers[name],
    headers: () => Object.entries(headers),
    body: async () => Buffer.from(fields.body ?? ''),
    bodyStream: () => (fields.body ? (new Response(fields.body).body as never) : undefined),
    signal: fields.signal ?? new AbortController().signal,
  }
}

const pods = (rest: string) => `/api/v1/namespaces/d/pods/${rest}`
const infoOf = ({ method, path, query }: Call) => requestInfo(method, path, query)
const ask = (deps: StreamDeps, call: Call) => answerStream(deps, call, infoOf(call))
const textOf = (body: unknown) => new Response(body as never).text()

test('a log is passed on as it comes', async () => {
  const { deps, asked } = world('HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n')
  const answer = await ask(deps, callOf('GET', pods('p/log?tailLines=1')))
  expect(answer).toMatchObject({ code: 200, headers: { 'content-type': 'text/plain' } })
  expect(await textOf(answer.body)).toBe('hello')
  expect(asked[0]!.line).toBe('GET /containerLogs/d/p/c?tailLines=1&stream=All HTTP/1.1')
})

test.each([
  [400, 'BadRequest', 'why'],
  [500, 'InternalError', 'Internal error occurred: why'],
])('a node that answers %d to a log is answered as %s', async (code, reason, message) => {
  const { deps } = world(`HTTP/1.1 ${code} X\nContent-Length: 3\n\nwhy`)
  const refused = await ask(deps, callOf('GET', pods('p/log'))).catch((error) => error)
  expect(refused).toBeInstanceOf(ApiError)
  expect(refused).toMatchObject({ code, reason, message })
})

test('a node that is not connected is an error at once', async () => {
  const { deps, clock } = world('', { isConnected: false })
  await clock.advance(10_000)
  const refused = await ask(deps, callOf('GET', pods('p/log'))).catch((error) => error)
  expect(refused.message).toBe('error dialing backend: node "n" is not connected')
})

test('a node is waited for while it is expected back, and no longer', async () => {
  const { deps, clock } = world('', { isConnected: false })
  await clock.advance(5_000)
  const asked = ask(deps, callOf('GET', pods('p/log'))).catch((error) => error.message)
  await clock.advance(2_900)
  expect(await Promise.race([asked, Bun.sleep(5).then(() => 'waits')])).toBe('waits')
  await clock.advance(200)
  expect(await asked).toBe('error dialing backend: node "n" is not connected')
})

test('who has left already does not wait for a node', async () => {
  const { deps } = world('', { isConnected: false })
  const signal = AbortSignal.abort(new Error('gone'))
  const asked = ask(deps, callOf('GET', pods('p/log'), { signal })).catch((error) => error.message)
  expect(await asked).toBe('error dialing backend: node "n" is not connected')
})

test('a request to a pod goes on without what is between the caller and us', async () => {
  const { deps, asked } = world(
    'HTTP/1.1 201 Created\nX-A: 1\nAccess-Control-Allow-Origin: *\n\nok',
  )
  const headers = {
    'x-mine': '1',
    'impersonate-user': 'x',
    'x-remote-user': 'x',
    connection: 'close',
  }
  const call = callOf('POST', pods('p:8080/proxy/a%2Fb?q=1'), { headers, body: 'data' })
  const answer = await ask(deps, call)
  expect(answer.code).toBe(201)
  expect(answer.headers).toEqual({ 'x-a': '1' })
  expect(await textOf(answer.body)).toBe('ok')
  expect(asked[0]).toEqual({
    line: 'POST /a%2Fb?q=1 HTTP/1.1',
    headers: [
      'Host: 10.42.0.5:8080',
      'x-mine: 1',
      'Connection: close',
      'Transfer-Encoding: chunked',
    ],
    body: '4\r\ndata\r\n',
  })
})

test('pages and redirects of a pod lead back through the proxy', async () => {
  const page = '<a href="/x">x</a>'
  const html = `HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Length: ${page.length}\n\n${page}`
  const answer = await ask(world(html).deps, callOf('GET', pods('p/proxy/y/')))
  expect(await textOf(answer.body)).toBe(`<a href="${pods('p/proxy/x')}">x</a>`)
  const moved = world('HTTP/1.1 302 Found\nLocation: /login\nContent-Length: 0\n\n')
  const redirect = await ask(moved.deps, callOf('GET', pods('p/proxy/')))
  expect(redirect.headers.location).toBe(pods('p/proxy/login'))
})

test('the root of a pod has a slash at its end', async () => {
  const answer = await ask(world('').deps, callOf('GET', pods('p/proxy?q=1')))
  expect(answer).toMatchObject({ code: 301, headers: { location: `${pods('p/proxy/')}?q=1` } })
})

/** A socket of node:net, as far as we use one, and its other end. */
function socketPair(): { socket: Duplex; far: ByteStream } {
  const [near, far] = streamPair()
  const reader = near.readable.getReader()
  const socket = new Duplex({
    read() {
      reader.read().then(
        ({ done, value }) => this.push(done ? null : value),
        (error) => this.destroy(error),
      )
    },
    write: (chunk, _, done) => void near.write(chunk).then(() => done(), done),
    final: (done) => void near.end().then(() => done(), done),
  })
  return { socket, far }
}

const upgradeTo = (deps: StreamDeps, url: string, headers: Record<string, string>) => {
  const { socket, far } = socketPair()
  const call = callOf('GET', url, { headers })
  const relayed = relayUpgrade(deps, call, infoOf(call), socket, Buffer.from('early '))
  return { far, relayed, reader: new ByteReader(far.readable) }
}

test('after 101 bytes go both ways, those that came with the request first', async () => {
  const { deps, asked } = world('HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nX-A: b\n\n')
  const headers = { upgrade: 'websocket', 'sec-websocket-key': 'k', cookie: 'c', 'user-agent': 'u' }
  const { far, relayed, reader } = upgradeTo(deps, pods('p/exec?command=a&stdout=1'), headers)
  const head = (await readHead(reader))!
  expect(head.line).toBe('HTTP/1.1 101 Switching Protocols')
  expect(headerOf(head, 'x-a')).toBe('b')
  expect(await reader.until('early ', 100)).toBe('echo ')
  await far.write(Buffer.from('more'))
  expect(await reader.until('more', 100)).toBe('echo ')
  await far.end()
  await relayed
  expect(await reader.some()).toBeUndefined()
  expect(asked[0]!.line).toBe('GET /exec/d/p/c?output=1&command=a HTTP/1.1')
  expect(asked[0]!.headers).toEqual([
    ...['Host: n', 'sec-websocket-key: k', 'Connection: Upgrade', 'Upgrade: websocket'],
  ])
})

test('the refusal of a node reaches the client in its own words', async () => {
  const { deps } = world('HTTP/1.1 404 Not Found\nContent-Length: 18\n\npod does not exist')
  const { reader, relayed } = upgradeTo(deps, pods('p/attach?stdout=1'), { upgrade: 'SPDY/3.1' })
  expect((await readHead(reader))!.line).toBe('HTTP/1.1 404 Not Found')
  expect(Buffer.from((await reader.some())!).toString()).toBe('pod does not exist')
  await relayed
})

test('what the server itself refuses is a Status', async () => {
  const { deps, clock } = world('', { isConnected: false })
  await clock.advance(10_000)
  const { reader, relayed } = upgradeTo(deps, pods('p/portforward'), { upgrade: 'SPDY/3.1' })
  expect((await readHead(reader))!.line).toStartWith('HTTP/1.1 500 ')
  const status = JSON.parse(Buffer.from((await reader.some())!).toString())
  expect(status.message).toBe('error dialing backend: node "n" is not connected')
  await relayed
})

test('a log over WebSocket is one message for each piece', async () => {
  const { deps } = world(
    'HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nhello\n6\n world\n0\n\n',
  )
  const headers = {
    upgrade: 'websocket',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'sec-websocket-version': '13',
    'sec-websocket-protocol': 'base64.binary.k8s.io,binary.k8s.io',
  }
  const { socket: near, far } = socketPair()
  const call = callOf('GET', pods('p/log'), { headers })
  const relayed = relayUpgrade(deps, call, infoOf(call), near, new Uint8Array(0))
  const reader = new ByteReader(far.readable)
  const head = (await readHead(reader))!
  expect(headerOf(head, 'sec-websocket-protocol')).toBe('base64.binary.k8s.io')
  const frames = ['\x81\x08aGVsbG8=', '\x81\x08IHdvcmxk', '\x88\x02\x03\xe8']
  const expected = Buffer.from(frames.join(''), 'latin1')
  expect(Buffer.compare((await reader.exactly(expected.byteLength))!, expected)).toBe(0)
  await far.end()
  await relayed
})
