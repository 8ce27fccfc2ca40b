// Bodies over a real socket: whoever sends too much hears so long before all of it was sent.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { connect as connectHttp2 } from 'node:http2'
import { request as requestHttps } from 'node:https'
import type { Writable } from 'node:stream'
import { type TestServer, testServer } from '../../../test/support/server.ts'
import { SystemClock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import { SystemRandom } from '../../lib/random.ts'
import { authorityValidity } from '../../pki/authority.ts'
import { issueCertificate } from '../../pki/certificate.ts'
import { issueCredential } from '../../pki/credential.ts'
import { generateKey } from '../../pki/keys.ts'
import { type Listening, listen } from './listen.ts'

const MEGABYTE = Buffer.alloc(1024 * 1024, 'x')
const SENT_MEGABYTES_MAX = 300
/** The limit of a body, and what sockets and streams hold on the way. */
const HEARD_MEGABYTES_MAX = 60

const sources = { clock: new SystemClock(), random: new SystemRandom() }
const key = generateKey()
const draft = {
  subject: { commonName: 'cluster' },
  publicKey: key.public,
  isAuthority: true,
  validity: authorityValidity(sources.clock.nowMs()),
  usages: ['cert sign'],
}
const certificatePem = await issueCertificate(draft, { selfKey: key }, sources.random)
const ca = { certificatePem, key }
const names = { dns: ['localhost'], ips: ['127.0.0.1'] }
const serving = await issueCredential({ subject: { commonName: 'server' }, names }, ca, sources)
const subject = { commonName: 'ann', organizations: ['system:masters'] }
const ann = await issueCredential({ subject }, ca, sources)
const client = { ca: certificatePem, cert: ann.certificatePem, key: ann.privateKeyPem }

let server: TestServer
let listening: Listening
beforeAll(async () => {
  server = await testServer()
  listening = await listen({
    app: server.app,
    host: '127.0.0.1',
    port: 0,
    certificate: serving,
    cas: { client: certificatePem, frontProxy: '' },
    clock: sources.clock,
    log: silentLog,
  })
})
afterAll(async () => {
  await listening.close()
  await server.close()
})

type Heard = { code: number; megabytes: number }

/** Sends until there is an answer. */
async function sendUntil(target: Writable, isAnswered: () => boolean): Promise<number> {
  let sent = 0
  while (sent < SENT_MEGABYTES_MAX && !isAnswered()) {
    const hasRoom = target.write(MEGABYTE)
    sent++
    if (!hasRoom)
      await new Promise((resolve) => target.once('drain', resolve).once('close', resolve))
    await new Promise((resolve) => setImmediate(resolve))
  }
  return sent
}

async function overHttp1(path: string, method: string): Promise<Heard> {
  const request = requestHttps({
    ...client,
    host: '127.0.0.1',
    port: listening.port,
    path,
    method,
    agent: false,
    headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
  })
  let code = 0
  request.on('error', () => {})
  request.on('response', (response) => {
    code = response.statusCode ?? 0
    response.resume()
  })
  const megabytes = await sendUntil(request, () => code > 0)
  request.destroy()
  return { code, megabytes }
}

async function overHttp2(path: string, method: string): Promise<Heard> {
  const session = connectHttp2(`https://127.0.0.1:${listening.port}`, client)
  const stream = session.request({ ':path': path, ':method': method })
  let code = 0
  stream.on('error', () => {})
  stream.on('response', (headers) => {
    code = Number(headers[':status'])
  })
  stream.resume()
  const megabytes = await sendUntil(stream, () => code > 0)
  session.destroy()
  return { code, megabytes }
}

const PATHS = [
  ['/api/v1/namespaces/default/configmaps', 'POST', 413],
  ['/api/v1/namespaces/default/configmaps/a', 'PUT', 413],
  ['/%61pi/v1/namespaces/default/configmaps', 'POST', 413],
  ['/api/v1/n%61mespaces/default/configm%61ps', 'POST', 413],
  ['/%61pis/apps/v1/namespaces/default/deployments', 'POST', 413],
  ['/api/v1%2Fnamespaces/default/configmaps', 'POST', 413],
  ['/api/v1/namespaces/default/nothing', 'POST', 404],
  ['/%6eothing', 'POST', 404],
] as const

test.each(PATHS)(
  'an endless body to %s is answered while it comes, over HTTP/1.1',
  async (...of) => {
    const [path, method, code] = of
    const heard = await overHttp1(path, method)
    expect(heard.code).toBe(code)
    expect(heard.megabytes).toBeLessThan(HEARD_MEGABYTES_MAX)
  },
)

test.each(PATHS)('an endless body to %s is answered while it comes, over HTTP/2', async (...of) => {
  const [path, method, code] = of
  const heard = await overHttp2(path, method)
  expect(heard.code).toBe(code)
  expect(heard.megabytes).toBeLessThan(HEARD_MEGABYTES_MAX)
})

test('a body that says it is too long is refused before it comes', async () => {
  const code = await new Promise((resolve, reject) => {
    const request = requestHttps({
      ...client,
      host: '127.0.0.1',
      port: listening.port,
      agent: false,
      method: 'POST',
      path: '/api/v1/namespaces/default/configmaps',
      headers: { 'content-type': 'application/json', 'content-length': '99999999' },
    })
    request.on('error', reject)
    request.on('response', (response) => {
      resolve(response.statusCode)
      request.destroy()
    })
    request.flushHeaders()
  })
  expect(code).toBe(413)
})
