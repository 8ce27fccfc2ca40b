// What registries.yaml says, tried on real registries: mirrors, rewrites, certificates, accounts,
// plain HTTP. Run by images.test.ts in namespaces of its own.

import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { SystemClock } from '../../src/lib/clock.ts'
import { systemPty } from '../../src/lib/linux/pty.ts'
import type { PullCredentials } from '../../src/runtime/contract.ts'
import { CtrImages } from '../../src/runtime/images/ctr-images.ts'
import { imageArchitecture } from '../../src/runtime/images/image-content.ts'
import { parseRegistries } from '../../src/runtime/images/registries-file.ts'
import type { Image } from '../images/image.ts'
import { testImages } from '../images/recipes.ts'
import { type Registry, type RegistryOptions, startRegistry } from '../images/registry.ts'
import { ok } from '../support/machines.ts'
import { type RealRuntime, startRealRuntime } from '../support/real-runtime.ts'

const signal = new AbortController().signal
/** No registry of this machine by its address: what goes there by itself, goes over TLS. */
const ADDRESS = '192.0.2.1'
const account = { username: 'me', password: 'not on a command line' }
const stranger = { username: 'pod', password: 'of a pod' }

let world: RealRuntime
let at: (name: string) => string
const running: Registry[] = []
let images: Image[]
let moved: Image[]

beforeAll(async () => {
  Bun.spawnSync(['ip', 'link', 'set', 'lo', 'up'])
  await ok(['ip', 'address', 'add', `${ADDRESS}/32`, 'dev', 'lo'])
  world = await startRealRuntime()
  at = (name) => join(world.folder, name)
  images = (await testImages()).slice(0, 1)
  moved = images.map((image) => ({ ...image, name: `mirrored/${image.name}` }))
  const days = ['-days', '30', '-nodes']
  const request = ['req', '-x509', '-newkey', 'rsa:2048', ...days]
  for (const name of ['server', 'client']) {
    const names = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=IP:${ADDRESS}`]
    const use = ['-addext', 'extendedKeyUsage=serverAuth,clientAuth']
    const files = ['-keyout', at(`${name}.key`), '-out', at(`${name}.crt`)]
    await ok(['openssl', ...request, ...names, ...use, ...files])
  }
}, 60_000)
beforeEach(async () => {
  for (const { name } of await world.images.list(signal)) {
    if (!name.startsWith('docker.io/kedge-test/')) await world.images.remove(name, signal)
  }
})
afterAll(async () => {
  for (const registry of running) await registry.stop()
  await world.close()
}, 60_000)

async function registry(name: string, more: Partial<RegistryOptions> = {}, has = images) {
  mkdirSync(at(name), { recursive: true })
  const started = await startRegistry({ folder: at(name), address: ADDRESS, ...more }, has)
  running.push(started)
  return started
}

function pull(file: unknown, name: string, credentials: PullCredentials[] = []) {
  const store = new CtrImages({
    ctr: world.containerd.ctr,
    pty: systemPty(new SystemClock()),
    architecture: imageArchitecture(process.arch),
    registries: parseRegistries(file),
    hostsDir: at('registries'),
  })
  return store.pull(name, credentials, signal)
}

const serverTls = () => ({ cert: at('server.crt'), key: at('server.key') })

test('a mirror stands in for a registry that nobody reaches, and the image keeps its name', async () => {
  const { host } = await registry('mirror')
  const mirrors = { 'registry.example.com': { endpoint: [`http://${host}`] } }
  const name = 'registry.example.com/kedge-test/busybox:1'
  expect((await pull({ mirrors }, name)).name).toBe(name)
})

test('the mirror of all registries stands in for those that have none, docker.io too', async () => {
  const { host } = await registry('all')
  const mirrors = { '*': { endpoint: [`http://${host}`] }, 'one.example.com': {} }
  const name = 'docker.io/kedge-test/busybox:1'
  await world.images.remove(name, signal)
  expect((await pull({ mirrors }, 'kedge-test/busybox:1')).name).toBe(name)
  await expect(pull({ mirrors }, 'one.example.com/kedge-test/busybox:1')).rejects.toThrow(
    'one.example.com',
  )
})

test('endpoints are tried in order, and the registry itself last', async () => {
  const own = await registry('own', { tls: serverTls() })
  const [down, empty] = ['http://192.0.2.1:1', `http://${(await registry('empty', {}, [])).host}`]
  const mirrors = { [own.host]: { endpoint: [down, empty] } }
  const configs = { [own.host]: { tls: { ca_file: at('server.crt') } } }
  const name = `${own.host}/kedge-test/busybox:1`
  expect((await pull({ mirrors, configs }, name)).name).toBe(name)
  // When none has it, each says why.
  const missing = pull({ mirrors, configs }, `${own.host}/kedge-test/none:1`)
  await expect(missing).rejects.toThrow(
    new RegExp(`${down}: .*connection refused.*; ${empty}: .*not found; ${own.host}: .*not found`),
  )
})

test('a rewrite asks the mirror for another name, and leaves no trace of it', async () => {
  const { host } = await registry('rewrite', {}, moved)
  const rewrite = { '^kedge-test/(.*)$': 'mirrored/kedge-test/$1' }
  const mirrors = { 'registry.example.com': { endpoint: [`http://${host}`], rewrite } }
  const name = 'registry.example.com/kedge-test/busybox:1'
  const digest = images[0]!.manifest.digest
  for (const wanted of [name, `registry.example.com/kedge-test/busybox@${digest}`]) {
    expect((await pull({ mirrors }, wanted)).name).toBe(wanted)
  }
  expect(await world.containerd.ctr.run(['images', 'ls', '-q'], signal)).not.toContain('mirrored')
})

test('an endpoint may lie on a path of its own', async () => {
  const { host } = await registry('path', {}, moved)
  const mirrors = { 'registry.example.com': { endpoint: [`http://${host}/v2/mirrored`] } }
  const name = 'registry.example.com/kedge-test/busybox:1'
  expect((await pull({ mirrors }, name)).name).toBe(name)
})

test('a certificate is believed by its authority, or not looked at, as the file says', async () => {
  const { host } = await registry('tls', { tls: serverTls() })
  const name = `${host}/kedge-test/busybox:1`
  await expect(pull({}, name)).rejects.toThrow('certificate')
  for (const tls of [{ ca_file: at('server.crt') }, { insecure_skip_verify: true }]) {
    expect((await pull({ configs: { [host]: { tls } } }, name)).name).toBe(name)
    expect((await pull({ configs: { '*': { tls } } }, name)).name).toBe(name)
  }
})

test('a registry that wants a certificate of its clients gets it', async () => {
  const client = { cert: at('client.crt'), key: at('client.key') }
  const { host } = await registry('mutual', {
    tls: { ...serverTls(), clientCa: at('client.crt'), client },
  })
  const name = `${host}/kedge-test/busybox:1`
  const ca = { ca_file: at('server.crt') }
  await expect(pull({ configs: { [host]: { tls: ca } } }, name)).rejects.toThrow('certificate')
  const tls = { ...ca, cert_file: client.cert, key_file: client.key }
  expect((await pull({ configs: { [host]: { tls } } }, name)).name).toBe(name)
})

test('a registry gets the account that the file has for it, unless a pod brings its own', async () => {
  const { host } = await registry('closed', { account, tls: serverTls() })
  const name = `${host}/kedge-test/busybox:1`
  const tls = { ca_file: at('server.crt') }
  const auth = { auth: btoa(`${account.username}:${account.password}`) }
  await expect(pull({ configs: { [host]: { tls } } }, name)).rejects.toThrow('401')
  for (const one of [account, auth]) {
    expect((await pull({ configs: { [host]: { tls, auth: one } } }, name)).name).toBe(name)
  }
  await world.images.remove(name, signal)
  const configs = { [host]: { tls, auth: account } }
  await expect(pull({ configs }, name, [stranger])).rejects.toThrow('401')
})

test('a mirror gets its own account, and never one that was meant for another', async () => {
  const seen: string[] = []
  const { host } = await registry('behind')
  // A mirror that writes down who comes, and wants to be told.
  using spy: Bun.Server<undefined> = Bun.serve({
    hostname: ADDRESS,
    port: 0,
    fetch(request): Response | Promise<Response> {
      const authorization = request.headers.get('authorization')
      if (authorization === null) {
        const headers = { 'www-authenticate': 'Basic realm="spy"' }
        seen.push('nobody')
        return new Response('', { status: 401, headers })
      }
      seen.push(atob(authorization.replace('Basic ', '')))
      const headers = { accept: request.headers.get('accept') ?? '*/*' }
      const { method } = request
      return fetch(request.url.replace(spy.url.host, host), { method, headers })
    },
  })
  const mirrors = { 'registry.example.com': { endpoint: [spy.url.origin] } }
  const name = 'registry.example.com/kedge-test/busybox:1'
  const configs = { 'registry.example.com': { auth: stranger } }
  await expect(pull({ mirrors, configs }, name, [stranger])).rejects.toThrow('401')
  expect(new Set(seen)).toEqual(new Set(['nobody']))
  const known = { ...configs, [spy.url.host]: { auth: account } }
  expect((await pull({ mirrors, configs: known }, name, [stranger])).name).toBe(name)
  expect(new Set(seen)).toEqual(new Set(['nobody', `${account.username}:${account.password}`]))
})
