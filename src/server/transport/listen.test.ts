// The port itself: real TLS, with certificates of the cluster's own making.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { EventEmitter } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { request as requestHttps } from 'node:https'
import { connect as connectTcp } from 'node:net'
import { PassThrough } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { type TestServer, testServer } from '../../../test/support/server.ts'
import { SimClock, SystemClock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import { SystemRandom } from '../../lib/random.ts'
import { authorityValidity } from '../../pki/authority.ts'
import { type Authority, issueCertificate } from '../../pki/certificate.ts'
import { type Credential, issueCredential } from '../../pki/credential.ts'
import { generateKey } from '../../pki/keys.ts'
import { Connections } from './connections.ts'
import { type Listening, listen } from './listen.ts'

const sources = { clock: new SystemClock(), random: new SystemRandom() }
const MAPS = '/api/v1/namespaces/default/configmaps'

async function authority(commonName: string): Promise<Authority> {
  const key = generateKey()
  const draft = {
    subject: { commonName },
    publicKey: key.public,
    validity: authorityValidity(sources.clock.nowMs()),
    isAuthority: true,
    usages: ['digital signature', 'cert sign'],
  }
  return { certificatePem: await issueCertificate(draft, { selfKey: key }, sources.random), key }
}

const ca = await authority('cluster')
const frontProxyCa = await authority('front-proxy')
const strangers = await authority('cluster')
const names = { dns: ['localhost'], ips: ['127.0.0.1'] }
const serving = await issueCredential({ subject: { commonName: 'first' }, names }, ca, sources)
const subject = { commonName: 'ann', organizations: ['system:masters'] }
const ann = await issueCredential({ subject }, ca, sources)

let server: TestServer
let listening: Listening

beforeAll(async () => {
  server = await testServer()
  listening = await listen(optionsFor(0))
})
afterAll(async () => {
  await listening.close()
  await server.close()
})

function optionsFor(port: number) {
  return {
    app: server.app,
    host: '127.0.0.1',
    port,
    certificate: serving,
    cas: { client: ca.certificatePem, frontProxy: frontProxyCa.certificatePem },
    clock: sources.clock,
    log: silentLog,
  }
}

type Asked = {
  method?: string
  credential?: Credential
  headers?: Record<string, string>
  body?: string
  port?: number
}
type Answered = { code: number; text: string; servedBy: string }

/** One request over HTTP/1.1, on a connection of its own. */
function ask(path: string, asked: Asked = {}) {
  const { method = 'GET', credential, headers = {}, body, port = listening.port } = asked
  return new Promise<Answered>((resolve, reject) => {
    const request = requestHttps({
      host: '127.0.0.1',
      port,
      path,
      method,
      ca: ca.certificatePem,
      headers: { 'content-type': 'application/json', ...headers },
      ...(credential ? { cert: credential.certificatePem, key: credential.privateKeyPem } : {}),
      agent: false,
    })
    request.on('error', reject)
    request.on('response', (response) => {
      const socket = response.socket as import('node:tls').TLSSocket
      const servedBy = String(socket.getPeerCertificate().subject.CN)
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        resolve({ code: response.statusCode ?? 0, text, servedBy })
      })
    })
    request.end(body)
  })
}

/** Several requests over one HTTP/2 connection. */
async function askTogether(paths: readonly string[], credential: Credential): Promise<string[]> {
  const session = connectHttp2(`https://127.0.0.1:${listening.port}`, {
    ca: ca.certificatePem,
    cert: credential.certificatePem,
    key: credential.privateKeyPem,
  })
  const one = (path: string) =>
    new Promise<string>((resolve, reject) => {
      const stream = session.request({ ':path': path })
      let text = ''
      stream.setEncoding('utf8')
      stream.on('data', (part: string) => {
        text += part
      })
      stream.on('end', () => resolve(text))
      stream.on('error', reject)
      stream.end()
    })
  const texts = await Promise.all(paths.map(one))
  await new Promise<void>((resolve) => session.close(resolve))
  return texts
}

test('objects go in and out over HTTP/1.1', async () => {
  const body = JSON.stringify({ metadata: { name: 'a' }, data: { k: 'v'.repeat(100_000) } })
  const made = await ask(MAPS, { method: 'POST', credential: ann, body })
  expect(made.code).toBe(201)
  const { code, text } = await ask(`${MAPS}/a`, { credential: ann })
  expect([code, JSON.parse(text)]).toEqual([200, JSON.parse(made.text)])
})

test('requests share a connection over HTTP/2', async () => {
  const paths = ['/version', '/api/v1/namespaces/default', '/apis/apps/v1', '/readyz']
  const texts = await askTogether(paths, ann)
  expect(texts[0]).toContain('gitVersion')
  expect(JSON.parse(texts[1]!).metadata.name).toBe('default')
  expect(JSON.parse(texts[2]!).groupVersion).toBe('apps/v1')
  expect(texts[3]).toBe('ok')
})

test('a certificate counts when an authority of the cluster issued it', async () => {
  const whoAmI = async (credential?: Credential, headers = {}) => {
    const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
    const asked = { method: 'POST', body: '{}', headers, ...(credential ? { credential } : {}) }
    const { code, text } = await ask(path, asked)
    return code === 201 ? JSON.parse(text).status.userInfo.username : code
  }
  expect(await whoAmI(ann)).toBe('ann')
  expect(await whoAmI()).toBe(403)
  expect(await whoAmI(await issueCredential({ subject }, strangers, sources))).toBe(403)
  const asServer = await issueCredential({ subject, names }, ca, sources)
  expect(await whoAmI(asServer)).toBe(403)

  const proxy = await issueCredential({ subject: { commonName: 'proxy' } }, frontProxyCa, sources)
  expect(await whoAmI(proxy, { 'x-remote-user': 'ben' })).toBe('ben')
  expect(await whoAmI(proxy)).toBe(403)
  expect(await whoAmI(undefined, { 'x-remote-user': 'ben' })).toBe(403)
})

test('a watch delivers while it lasts, and its reader may leave', async () => {
  const seen = await new Promise<string>((resolve, reject) => {
    const request = requestHttps({
      host: '127.0.0.1',
      port: listening.port,
      path: `${MAPS}?watch=1`,
      agent: false,
      ca: ca.certificatePem,
      cert: ann.certificatePem,
      key: ann.privateKeyPem,
    })
    request.on('error', reject)
    request.on('response', (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => {
        text += chunk
        if (!text.includes('"name":"late"')) return
        resolve(text)
        request.destroy()
      })
    })
    request.end()
    const body = JSON.stringify({ metadata: { name: 'late' } })
    void ask(MAPS, { method: 'POST', credential: ann, body })
  })
  const last = seen.trim().split('\n').at(-1)!
  expect(JSON.parse(last)).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'late' } } })
})

test('a new certificate serves from the next connection on', async () => {
  expect((await ask('/readyz')).servedBy).toBe('first')
  const next = await issueCredential({ subject: { commonName: 'second' }, names }, ca, sources)
  listening.renew(next)
  expect((await ask('/readyz')).servedBy).toBe('second')
  listening.renew(serving)
})

test('a port that is taken is an error that says what to do', async () => {
  await expect(listen(optionsFor(listening.port))).rejects.toThrow(
    `port ${listening.port} is in use: stop the program that has it, or choose another port`,
  )
})

test('nonsense is answered, and the next request is served', async () => {
  expect((await ask('/api/v1/namespaces/%zz/pods', { credential: ann })).code).toBe(400)
  expect((await ask(`${MAPS}?labelSelector=%zz`, { credential: ann })).code).toBeLessThan(500)
  expect((await ask(MAPS, { method: 'POST', credential: ann, body: '\0' })).code).toBe(400)
  expect((await ask('/readyz')).code).toBe(200)
})

test('closing ends connections that are in use, over both protocols', async () => {
  const short = await listen(optionsFor(0))
  const credential = { cert: ann.certificatePem, key: ann.privateKeyPem }
  const ends = ['http/1.1', 'h2'].map((protocol) => watchUntilEnd(short.port, protocol, credential))
  await Promise.all(ends.map(({ begun }) => begun))
  await short.close()
  await Promise.all(ends.map(({ ended }) => ended))
})

/** A watch that nobody would end. */
function watchUntilEnd(port: number, protocol: string, credential: { cert: string; key: string }) {
  const begun = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<void>()
  const tls = { ca: ca.certificatePem, ...credential }
  const path = `${MAPS}?watch=1`
  if (protocol === 'h2') {
    const session = connectHttp2(`https://127.0.0.1:${port}`, tls)
    const stream = session.request({ ':path': path })
    session.on('error', () => {}) // A connection that is cut is what is asked for.
    stream.on('error', () => {})
    stream.on('response', () => begun.resolve())
    stream.on('close', () => ended.resolve())
  } else {
    const request = requestHttps({ host: '127.0.0.1', port, path, ...tls, agent: false })
    request.on('error', () => {})
    request.on('response', (response) => {
      begun.resolve()
      response.on('error', () => {})
      response.on('close', () => ended.resolve())
    })
    request.end()
  }
  return { begun: begun.promise, ended: ended.promise }
}

describe('whoever is slow on purpose', () => {
  const post = {
    ':method': 'POST',
    ':path': '/apis/authentication.k8s.io/v1/selfsubjectreviews',
    'content-type': 'application/json',
    'content-length': '1000',
  }
  const tlsOf = (credential: Credential) => ({
    ca: ca.certificatePem,
    cert: credential.certificatePem,
    key: credential.privateKeyPem,
  })
  const person = (commonName: string, ...organizations: string[]) =>
    issueCredential({ subject: { commonName, organizations } }, ca, sources)

  /** A port with a clock of its own, that says nothing may wait for. */
  async function slowWorld() {
    const clock = new SimClock(Date.now())
    const port = await listen({ ...optionsFor(0), clock })
    const url = `https://127.0.0.1:${port.port}`
    return { clock, ...port, url }
  }

  test('keeps nobody else from being served', async () => {
    const { url, port, close, clock } = await slowWorld()
    const mallory = connectHttp2(url, tlsOf(await person('mallory')))
    mallory.on('error', () => {})
    const codes: number[] = []
    const streams = Array.from({ length: 230 }, () => {
      const stream = mallory.request(post)
      stream.on('error', () => {})
      stream.on('response', (headers) => codes.push(headers[':status']!))
      stream.write('{')
      return stream
    })
    await new Promise((resolve) => setTimeout(resolve, 300))
    const node = await person('system:node:n', 'system:nodes')
    const body = JSON.stringify({ metadata: { name: 'n' } })
    const path = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases'
    const asked = { method: 'POST', credential: node, body, port }
    expect((await ask(path, asked)).code).toBe(201)
    expect((await ask('/healthz', { port })).code).toBe(200)
    const other = { method: 'POST', credential: await person('eve'), body: '{}', port }
    expect((await ask(post[':path'], other)).code).toBe(201)
    // Those that still have not said what they want are told so, and their seats are free again.
    await clock.advance(61_000)
    await until(() => codes.filter((code) => code === 504).length >= 25)
    for (const stream of streams) stream.destroy()
    mallory.destroy()
    await close()
  })

  test('is cut off: without a hand-shake, without a request, between two', async () => {
    const { clock, url, port, close } = await slowWorld()
    const open = { raw: 0, silent: 0, idle: 0, watching: 0 }
    const closes = (socket: EventEmitter, name: keyof typeof open) => {
      open[name]++
      socket.on('error', () => {})
      socket.on('close', () => open[name]--)
    }
    closes(connectTcp(port, '127.0.0.1'), 'raw')
    const silent = connectTls({ host: '127.0.0.1', port, ca: ca.certificatePem })
    closes(silent, 'silent')
    const idle = connectTls({ host: '127.0.0.1', port, ca: ca.certificatePem })
    closes(idle, 'idle')
    idle.resume()
    idle.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
    const watching = connectHttp2(url, tlsOf(ann))
    closes(watching, 'watching')
    const watch = watching.request({ ':path': `${MAPS}?watch=1` })
    watch.on('error', () => {})
    await new Promise<void>((resolve) => watch.once('response', () => resolve()))
    await new Promise((resolve) => setTimeout(resolve, 100))
    silent.write('GET / HTTP/1.1\r\nHos')
    await clock.advance(31_000)
    expect(open).toEqual({ raw: 1, silent: 1, idle: 1, watching: 1 })
    await clock.advance(2_000)
    await until(() => open.raw + open.silent === 0)
    expect(open).toEqual({ raw: 0, silent: 0, idle: 1, watching: 1 })
    await clock.advance(60_000)
    await until(() => open.idle === 0)
    expect(open.watching).toBe(1)
    watching.destroy()
    await close()
  })

  test('keeps no answers in memory that it does not read', async () => {
    const { clock, url, close } = await slowWorld()
    const text = 'x'.repeat(900_000)
    for (const name of ['big-a', 'big-b']) {
      const body = JSON.stringify({ metadata: { name }, data: { text } })
      expect((await ask(MAPS, { method: 'POST', credential: ann, body })).code).toBe(201)
    }
    await server.call('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      body: {
        metadata: { name: 'readers' },
        subjects: [{ kind: 'Group', name: 'readers', apiGroup: 'rbac.authorization.k8s.io' }],
        roleRef: {
          apiGroup: 'rbac.authorization.k8s.io',
          kind: 'ClusterRole',
          name: 'cluster-admin',
        },
      },
    })
    const session = connectHttp2(url, tlsOf(await person('lazy', 'readers')))
    session.on('error', () => {})
    let [begun, over] = [0, 0]
    for (let i = 0; i < 60; i++) {
      const stream = session.request({ ':path': i % 2 ? MAPS : `${MAPS}/big-a` })
      stream.pause()
      stream.on('error', () => {})
      stream.on('response', (headers) => {
        if (headers[':status'] === 200) begun++
      })
      stream.on('close', () => over++)
    }
    await new Promise((resolve) => setTimeout(resolve, 500))
    // Half of the seats of its level; the others wait, and hold nothing.
    expect(begun).toBeGreaterThan(0)
    expect(begun).toBeLessThanOrEqual(25)
    await clock.advance(200_000)
    await until(() => over === 60)
    session.destroy()
    await close()
  })
})

async function until(isSo: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !isSo(); i++) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(isSo()).toBe(true)
}

test('of too many connections the one goes that has been idle longest', () => {
  const connections = new Connections(new SimClock(), 3)
  const made = [1, 2, 3, 4, 5].map((remotePort) =>
    Object.assign(new PassThrough(), { remoteAddress: 'a', remotePort }),
  )
  for (const socket of made.slice(0, 3)) connections.opened(socket)
  const overA = connections.begin({ remoteAddress: 'a', remotePort: 1 })
  connections.opened(made[3]!)
  expect(made.map(({ destroyed }) => destroyed)).toEqual([false, true, false, false, false])
  overA()
  connections.begin({ remoteAddress: 'a', remotePort: 3 })
  connections.begin({ remoteAddress: 'a', remotePort: 4 })
  connections.begin({ remoteAddress: 'a', remotePort: 1 })
  connections.opened(made[4]!)
  expect(made.map(({ destroyed }) => destroyed)).toEqual([false, true, false, false, true])
  expect(connections.count).toBe(3)
})
