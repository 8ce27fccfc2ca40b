// Judged by openssl and by the runtime's own TLS, not by our own reader.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { X509Certificate } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, SimClock } from '../lib/clock.ts'
import { silentLog } from '../lib/log.ts'
import { SeededRandom } from '../lib/random.ts'
import { type ClusterPki, ensureClusterPki, pkiRenewal } from './cluster.ts'
import { CREDENTIAL_LIFE_MS } from './credential.ts'
import { formatCsr } from './csr.ts'
import { generateKey } from './keys.ts'
import { formatKubeconfig } from './kubeconfig.ts'
import { SIGNER, signCsr } from './signer.ts'

const DAY_MS = 24 * 3600 * 1000
const START_MS = Date.UTC(2026, 10, 21)
const base = {
  random: new SeededRandom(1),
  names: { dns: ['box'], ips: ['192.168.1.7', 'fd00::7'] },
  serviceIp: '10.43.0.1',
}

let root: string
let clock: SimClock
let pki: ClusterPki
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'pki-'))
  clock = new SimClock(START_MS)
  pki = await ensureClusterPki({ ...base, dir: join(root, 'pki'), clock })
})
afterAll(() => rm(root, { recursive: true }))

async function openssl(...args: string[]): Promise<string> {
  const child = Bun.spawn(['openssl', ...args], { stdout: 'pipe', stderr: 'pipe' })
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()])
  return (await child.exited) === 0 ? out : `failed: ${out}${err}`
}

/** As of the day that the certificates were made, whatever day it is when this runs. */
const VERIFY = ['verify', '-attime', String(START_MS / 1000), '-x509_strict']

async function file(name: string, text: string): Promise<string> {
  const path = join(root, name)
  await writeFile(path, text)
  return path
}

describe('the certificates of a new cluster', () => {
  test('openssl finds the chain of the server sound', async () => {
    const ca = await file('ca.crt', pki.ca.certificatePem)
    const server = await file('server.crt', pki.credential('server').certificatePem)
    const verify = [...VERIFY, '-CAfile', ca, '-purpose', 'sslserver']
    expect(await openssl(...verify, server)).toBe(`${server}: OK\n`)
    expect(
      await openssl(...verify, '-verify_hostname', 'kubernetes.default.svc', server),
    ).toContain('OK')
    expect(await openssl(...verify, '-verify_ip', 'fd00::7', server)).toContain('OK')
    expect(await openssl(...verify, '-verify_ip', '192.168.1.8', server)).toContain('mismatch')
  })

  test('openssl finds the chain of the admin sound for clients only', async () => {
    const ca = await file('ca.crt', pki.ca.certificatePem)
    const admin = await file('admin.crt', pki.credential('admin').certificatePem)
    const verify = (purpose: string) =>
      openssl(...VERIFY, '-CAfile', ca, '-purpose', purpose, admin)
    expect(await verify('sslclient')).toContain('OK')
    expect(await verify('sslserver')).toContain('failed')
    const subject = await openssl('x509', '-in', admin, '-noout', '-subject')
    expect(subject).toBe('subject=O = system:masters, CN = system:admin\n')
  })

  test('the front proxy has an authority of its own', async () => {
    const proxy = new X509Certificate(pki.credential('front-proxy-client').certificatePem)
    expect(proxy.verify(pki.frontProxyCa.key.public)).toBe(true)
    expect(proxy.verify(pki.ca.key.public)).toBe(false)
  })

  test('the server answers to the names every cluster has and to its own', () => {
    const { subjectAltName } = new X509Certificate(pki.credential('server').certificatePem)
    const names = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc']
    for (const name of [...names, 'kubernetes.default.svc.cluster.local', 'localhost', 'box']) {
      expect(subjectAltName).toContain(`DNS:${name}`)
    }
    for (const ip of ['127.0.0.1', '10.43.0.1', '192.168.1.7']) {
      expect(subjectAltName).toContain(`IP Address:${ip}`)
    }
  })

  test('all files are for their owner only', async () => {
    const names = await readdir(join(root, 'pki'))
    expect(names).toHaveLength(11)
    for (const name of names) {
      expect((await stat(join(root, 'pki', name))).mode & 0o777).toBe(0o600)
    }
  })

  test('a second start finds the same and makes nothing', async () => {
    const before = await contents()
    await ensureClusterPki({ ...base, dir: join(root, 'pki'), clock })
    expect(await contents()).toEqual(before)
  })

  test('a start that finds all of them does not load the library that makes them', async () => {
    const source = `
      import { SystemClock } from '${import.meta.dir}/../lib/clock.ts'
      import { SystemRandom } from '${import.meta.dir}/../lib/random.ts'
      import { ensureClusterPki } from '${import.meta.dir}/cluster.ts'
      // Loading it brings the polyfill for metadata, which shows.
      const isLoaded = () => 'getMetadata' in Reflect
      const sources = { clock: new SystemClock(), random: new SystemRandom() }
      const options = { ...sources, names: { dns: [], ips: [] }, serviceIp: '10.43.0.1' }
      await ensureClusterPki({ ...options, dir: process.argv[2] })
      console.log(isLoaded())`
    const script = await file('start.ts', source)
    const start = () => Bun.spawn([process.execPath, script, join(root, 'lazy')]).stdout.text()
    expect(await start()).toBe('true\n')
    expect(await start()).toBe('false\n')
  })

  test('a box whose clock is in the past makes certificates that are good in the present', async () => {
    const early = new SimClock(Date.UTC(1970, 0, 1, 0, 1))
    const made = await ensureClusterPki({ ...base, dir: join(root, 'early'), clock: early })
    const ca = await file('early.crt', made.ca.certificatePem)
    const server = await file('early-server.crt', made.credential('server').certificatePem)
    const atMs = Date.UTC(2026, 10, 21) / 1000
    expect(await openssl('verify', '-attime', `${atMs}`, '-CAfile', ca, server)).toContain('OK')
  })

  async function contents() {
    const names = (await readdir(join(root, 'pki'))).toSorted()
    return Promise.all(names.map((name) => readFile(join(root, 'pki', name), 'utf8')))
  }
})

describe('what is on disk and does not fit', () => {
  async function copyOf(name: string): Promise<string> {
    const dir = join(root, name)
    await ensureClusterPki({ ...base, dir, clock })
    return dir
  }

  test('a missing key of the authority is an error and nothing is made anew', async () => {
    const dir = await copyOf('no-key')
    await rm(join(dir, 'ca.key'))
    const again = ensureClusterPki({ ...base, dir, clock })
    await expect(again).rejects.toThrow('ca.key is missing: restore it from a backup')
  })

  test('a foreign key of the authority is an error', async () => {
    const dir = await copyOf('foreign-key')
    await writeFile(join(dir, 'ca.key'), generateKey().privatePem)
    const again = ensureClusterPki({ ...base, dir, clock })
    await expect(again).rejects.toThrow('do not belong together')
  })

  test('an authority whose making was cut short after its key is finished', async () => {
    const dir = await copyOf('half')
    await rm(join(dir, 'ca.crt'))
    const again = await ensureClusterPki({ ...base, dir, clock })
    const server = new X509Certificate(again.credential('server').certificatePem)
    expect(server.verify(again.ca.key.public)).toBe(true)
  })

  test('a damaged server certificate is replaced', async () => {
    const dir = await copyOf('damaged')
    await writeFile(join(dir, 'server.crt'), 'garbage')
    const again = await ensureClusterPki({ ...base, dir, clock })
    const server = new X509Certificate(again.credential('server').certificatePem)
    expect(server.verify(again.ca.key.public)).toBe(true)
  })
})

describe('renewal', () => {
  test('happens in the running process with a third of the life left', async () => {
    const sim = new SimClock(START_MS)
    let jumpedMs = 0
    const clock: Clock = {
      nowMs: () => sim.nowMs() + jumpedMs,
      monotonicMs: () => sim.monotonicMs(),
      sleep: (ms, signal) => sim.sleep(ms, signal),
      after: (ms, run) => sim.after(ms, run),
    }
    const pki = await ensureClusterPki({ ...base, dir: join(root, 'renewal'), clock })
    const renewed: string[] = []
    const stop = new AbortController()
    const component = pkiRenewal(pki, {
      clock,
      random: base.random,
      log: silentLog,
      onRenewed: (name) => void renewed.push(name),
    })
    const { done } = await component.start(stop.signal)
    const first = pki.credential('server')
    jumpedMs = (CREDENTIAL_LIFE_MS * 2) / 3 - DAY_MS
    await sim.advance(60_000)
    expect(renewed).toEqual([])
    jumpedMs += DAY_MS
    await sim.advance(60_000)
    while (renewed.length < 3) await new Promise((resolve) => setImmediate(resolve))
    expect(renewed.toSorted()).toEqual(['admin', 'front-proxy-client', 'server'])
    expect(pki.credential('server')).not.toEqual(first)
    stop.abort()
    await done
  })

  test('gives the server a certificate for its new address and leaves the rest alone', async () => {
    const pki = await ensureClusterPki({ ...base, dir: join(root, 'moved'), clock })
    expect(await pki.renew({ dns: ['box'], ips: ['192.168.1.9'] })).toEqual(['server'])
    const { subjectAltName } = new X509Certificate(pki.credential('server').certificatePem)
    expect(subjectAltName).toContain('192.168.1.9')
    expect(subjectAltName).not.toContain('192.168.1.7')
    expect(await pki.renew({ dns: ['box'], ips: ['192.168.1.9'] })).toEqual([])
  })
})

describe('requests of nodes', () => {
  const subject = { commonName: 'system:node:box', organizations: ['system:nodes'] }
  const usages = ['digital signature', 'client auth']

  test('what is signed is sound for openssl and carries the requested subject', async () => {
    const requestPem = await formatCsr(generateKey(), subject)
    const wish = { requestPem, signerName: SIGNER.kubeletClient, usages, expirationSeconds: 3600 }
    const signed = await signCsr(wish, { authority: pki.ca, clock, random: base.random })
    const ca = await file('ca.crt', pki.ca.certificatePem)
    const node = await file('node.crt', signed)
    const verify = ['verify', '-x509_strict', '-attime', `${START_MS / 1000}`, '-CAfile', ca]
    expect(await openssl(...verify, '-purpose', 'sslclient', node)).toBe(`${node}: OK\n`)
    const certificate = new X509Certificate(signed)
    expect(certificate.subject).toBe('O=system:nodes\nCN=system:node:box')
    expect(Date.parse(certificate.validTo) - START_MS).toBe(3_600_000)
  })

  test('our request is one that openssl accepts', async () => {
    const names = { dns: ['box'], ips: ['10.0.0.1'] }
    const path = await file('box.csr', await formatCsr(generateKey(), subject, names))
    expect(await openssl('req', '-in', path, '-verify', '-noout', '-text')).toContain(
      'DNS:box, IP Address:10.0.0.1',
    )
  })

  for (const algorithm of ['rsa:2048', 'ed25519']) {
    test(`a request of openssl with ${algorithm} is signed`, async () => {
      const path = join(root, 'foreign.csr')
      await openssl(
        ...['req', '-new', '-nodes', '-newkey', algorithm, '-keyout', join(root, 'foreign.key')],
        ...['-subj', '/O=system:nodes/CN=system:node:box', '-out', path],
      )
      const requestPem = await readFile(path, 'utf8')
      const wish = { requestPem, signerName: SIGNER.kubeletClient, usages }
      const signed = await signCsr(wish, { authority: pki.ca, clock, random: base.random })
      expect(new X509Certificate(signed).subject).toContain('system:node:box')
    })
  }
})

test('the kubeconfig logs in with the embedded certificate', () => {
  const text = formatKubeconfig({
    server: 'https://127.0.0.1:6443',
    caPem: pki.ca.certificatePem,
    name: 'default',
    user: pki.credential('admin'),
  })
  const config = Bun.YAML.parse(text) as {
    clusters: { cluster: Record<string, string> }[]
    users: { user: Record<string, string> }[]
  }
  const embedded = config.users[0]!.user['client-certificate-data']!
  expect(Buffer.from(embedded, 'base64').toString()).toBe(pki.credential('admin').certificatePem)
  expect(config.clusters[0]!.cluster.server).toBe('https://127.0.0.1:6443')
})
