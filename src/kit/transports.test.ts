import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ADMIN, type TestServer, testServer } from '../../test/support/server.ts'
import { configMaps } from '../api/kinds/core/configmap/row.ts'
import { namespaces } from '../api/kinds/core/namespace/row.ts'
import { ApiError } from '../api/status.ts'
import { SystemClock } from '../lib/clock.ts'
import { removeIfAny } from '../lib/files.ts'
import { linesOf } from '../lib/lines.ts'
import { SeededRandom } from '../lib/random.ts'
import { ensureAuthority } from '../pki/authority.ts'
import { issueCredential } from '../pki/credential.ts'
import type { Transport, WatchEvent } from './client.ts'
import { createClient, listAll } from './client-impl.ts'
import { localTransport } from './transport-local.ts'
import { type Credentials, remoteTransport } from './transport-remote.ts'

const never = new AbortController().signal
const clock = new SystemClock()
const dir = await mkdtemp(join(tmpdir(), 'kedge-kit-'))
const sources = { clock, random: new SeededRandom(1) }
const authority = await ensureAuthority({ dir, name: 'ca', commonName: 'ca' }, sources)
const identity = await issueCredential(
  { subject: { commonName: 'server' }, names: { dns: ['localhost'], ips: ['127.0.0.1'] } },
  authority,
  sources,
)
afterAll(() => removeIfAny(dir))

/** The app behind TLS, with watches as chunks or, where asked for and allowed, over WebSocket. */
function listen(server: TestServer, options: { webSocket: boolean }) {
  type Data = { lines: AsyncGenerator<string>; stop: AbortController }
  return Bun.serve<Data>({
    port: 0,
    hostname: '127.0.0.1',
    tls: { cert: identity.certificatePem, key: identity.privateKeyPem },
    async fetch(request, listener) {
      const isUpgrade = request.headers.get('upgrade') === 'websocket'
      if (isUpgrade && !options.webSocket) return new Response('no', { status: 400 })
      const { pathname, search } = new URL(request.url)
      const body = request.body === null ? undefined : await request.text()
      const stop = new AbortController()
      const inner = new Request(`http://kedge.internal${pathname}${search}`, {
        method: request.method,
        headers: request.headers,
        signal: stop.signal,
        ...(body === undefined ? {} : { body }),
      })
      const answer = await server.app.fetch(inner, { user: ADMIN })
      if (!isUpgrade) return answer
      if (!answer.ok) return new Response(await answer.text(), { status: answer.status })
      const lines = linesOf(answer.body, stop.signal)
      return listener.upgrade(request, { data: { lines, stop } }) ? undefined : new Response()
    },
    websocket: {
      async open(socket) {
        try {
          for await (const line of socket.data.lines) socket.send(line)
          socket.close(1000)
        } catch {
          // The client left first.
        }
      },
      message() {},
      close: ({ data }) => data.stop.abort(),
    },
  })
}

const closers: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const close of closers) await close()
})

async function aTransport(kind: 'local' | 'websocket' | 'chunked'): Promise<Transport> {
  const server = await testServer()
  closers.push(() => server.close())
  if (kind === 'local') {
    return localTransport((request, env) => server.app.fetch(request, env), ADMIN, 'test/1')
  }
  const listener = listen(server, { webSocket: kind === 'websocket' })
  closers.unshift(() => listener.stop(true))
  const credentials = (): Credentials => ({ ca: authority.certificatePem })
  const url = () => `https://127.0.0.1:${listener.port}`
  return remoteTransport({ url, credentials, userAgent: 'test/1', clock })
}

describe.each(['local', 'websocket', 'chunked'] as const)('the %s transport', (kind) => {
  let transport: Transport
  const client = () => createClient(transport)
  beforeAll(async () => {
    transport = await aTransport(kind)
    const isThere = await client()
      .get(namespaces, { name: 'default' }, never)
      .catch(() => undefined)
    if (!isThere)
      await client().create(namespaces, { metadata: { name: 'default' }, spec: {} }, never)
  })

  const aMap = (name: string) => ({ metadata: { name, namespace: 'default' }, data: { a: '1' } })

  test('carries objects there and back', async () => {
    const created = await client().create(configMaps, aMap('carried'), never)
    expect(created.metadata.uid).toBeString()
    const where = { namespace: 'default', name: 'carried' }
    const changed = { ...created, data: { a: '2' } }
    expect((await client().update(configMaps, changed, never)).data).toEqual({ a: '2' })
    const patch = { type: 'merge', body: { data: { b: 'ü' } } } as const
    expect((await client().patch(configMaps, where, patch, never)).data).toEqual({ a: '2', b: 'ü' })
    await client().delete(configMaps, where, {}, never)
    expect(client().get(configMaps, where, never)).rejects.toThrow('configmaps "carried" not found')
  })

  test('makes errors what they were', async () => {
    const where = { namespace: 'default', name: 'none' }
    const error = await client()
      .get(configMaps, where, never)
      .catch((error) => error)
    expect(error).toBeInstanceOf(ApiError)
    expect(error).toMatchObject({ code: 404, reason: 'NotFound', details: { name: 'none' } })
  })

  test('lists all pages', async () => {
    for (const name of ['l1', 'l2', 'l3']) await client().create(configMaps, aMap(name), never)
    const { items } = await listAll(client(), configMaps, { namespace: 'default' }, never)
    const names = items.map(({ metadata }) => metadata.name)
    expect(names).toEqual(expect.arrayContaining(['l1', 'l2', 'l3']))
  })

  test('watches: what is there, the mark, and what comes; and stops at once', async () => {
    const stop = new AbortController()
    const seen: string[] = []
    const query = { namespace: 'default', labelSelector: 'w', sendInitialEvents: true }
    const labelled = (name: string) => {
      const map = aMap(name)
      return { ...map, metadata: { ...map.metadata, labels: { w: '' } } }
    }
    await client().create(configMaps, labelled('w1'), never)
    const watching = (async () => {
      for await (const event of client().watch(configMaps, query, stop.signal)) {
        seen.push(textOf(event))
        if (event.type === 'BOOKMARK' && event.initialEventsEnd) {
          await client().create(configMaps, labelled('w2'), never)
        }
        if (seen.length === 3) stop.abort(new Error('enough'))
      }
    })()
    expect(watching).rejects.toThrow('enough')
    await watching.catch(() => {})
    expect(seen).toEqual(['ADDED w1', 'BOOKMARK', 'ADDED w2'])
  })

  test('says why a watch was refused', async () => {
    const query = { namespace: 'default', resourceVersion: 'nonsense' }
    const watch = client().watch(configMaps, query, never)[Symbol.asyncIterator]()
    const error = await watch.next().catch((error) => error)
    expect(error).toBeInstanceOf(ApiError)
    expect(error.message).toContain('nonsense')
  })

  test('asks for metadata alone', async () => {
    await client().create(configMaps, aMap('meta'), never)
    const query = { namespace: 'default', metadataOnly: true }
    const { items } = await client().list(configMaps, query, never)
    expect(items.length).toBeGreaterThan(0)
    expect(items.every(({ data }) => data === undefined)).toBe(true)
  })
})

function textOf(event: WatchEvent<{ metadata: { name?: string } }>): string {
  return event.type === 'BOOKMARK' ? event.type : `${event.type} ${event.object.metadata.name}`
}

describe('a server that shows a certificate of somebody else', () => {
  test('is believed neither for requests nor for watches', async () => {
    const server = await testServer({ bootstrap: false })
    const listener = listen(server, { webSocket: true })
    const foreign = await ensureAuthority({ dir, name: 'foreign', commonName: 'ca' }, sources)
    const url = () => `https://127.0.0.1:${listener.port}`
    const credentials = () => ({ ca: foreign.certificatePem })
    const client = createClient(remoteTransport({ url, credentials, userAgent: 'x', clock }))
    expect(client.list(namespaces, {}, never)).rejects.toThrow('certificate')
    const watch = client.watch(namespaces, {}, never)[Symbol.asyncIterator]()
    expect(watch.next()).rejects.toThrow('certificate')
    await watch.next().catch(() => {})
    await listener.stop(true)
    await server.close()
  })
})
