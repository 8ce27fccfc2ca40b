import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SimClock } from '../lib/clock.ts'
import { removeIfAny } from '../lib/files.ts'
import { SeededRandom } from '../lib/random.ts'
import { ensureAuthority } from './authority.ts'
import { readCertificate } from './certificate.ts'
import { formatCsr, readCsr } from './csr.ts'
import { fromPem, generateKey, importKey, SIGNING } from './keys.ts'
import type { ServerNames, Subject } from './names.ts'
import { planValidity, refusalOf, SIGNER, signCsr } from './signer.ts'
import { loadX509 } from './x509.ts'

const key = generateKey()
const sources = { clock: new SimClock(Date.UTC(2026, 10, 21)), random: new SeededRandom(1) }
const dir = await mkdtemp(join(tmpdir(), 'kedge-signer-'))
afterAll(() => removeIfAny(dir))
const signing = async () => ({
  authority: await ensureAuthority({ dir, name: 'ca', commonName: 'ca' }, sources),
  ...sources,
})
const node: Subject = { commonName: 'system:node:a', organizations: ['system:nodes'] }
const withIp: ServerNames = { dns: [], ips: ['10.0.0.1'] }
const client = ['digital signature', 'client auth']
const server = ['digital signature', 'server auth']

type Case = [signer: string, subject: Subject, names: ServerNames | undefined, usages: string[]]

const refusals: [...Case, refusal: string | undefined][] = [
  [SIGNER.kubeletClient, node, undefined, client, undefined],
  [SIGNER.kubeletClient, node, undefined, [...client, 'key encipherment'], undefined],
  [
    ...([SIGNER.kubeletClient, { commonName: 'system:node:a' }, undefined, client] as Case),
    'subject organization is not system:nodes',
  ],
  [
    SIGNER.kubeletClient,
    { commonName: 'system:node:a', organizations: ['system:nodes', 'system:masters'] },
    undefined,
    client,
    'subject organization is not system:nodes',
  ],
  [
    ...([SIGNER.kubeletClient, node, { dns: ['a'], ips: [] }, client] as Case),
    'DNS subjectAltNames are not allowed',
  ],
  [SIGNER.kubeletClient, node, withIp, client, 'IP subjectAltNames are not allowed'],
  [
    SIGNER.kubeletClient,
    { commonName: 'admin', organizations: ['system:nodes'] },
    undefined,
    client,
    'subject common name does not begin with system:node:',
  ],
  [
    ...([SIGNER.kubeletClient, node, undefined, server] as Case),
    'usages did not match [client auth digital signature key encipherment]',
  ],
  [SIGNER.kubeletServing, node, withIp, server, undefined],
  [SIGNER.kubeletServing, node, undefined, server, 'DNS or IP subjectAltName is required'],
  [
    ...([SIGNER.kubeletServing, node, withIp, client] as Case),
    'usages did not match [digital signature key encipherment server auth]',
  ],
  [SIGNER.client, { commonName: 'jane' }, undefined, ['client auth'], undefined],
  [
    ...([SIGNER.client, { commonName: 'jane' }, undefined, ['server auth']] as Case),
    'invalid usage for client certificate: server auth',
  ],
  [
    ...([SIGNER.client, { commonName: 'jane' }, undefined, ['digital signature']] as Case),
    'missing required usage for client certificate: client auth',
  ],
  ['example.com/x', node, undefined, client, 'unrecognized signerName: "example.com/x"'],
]

test('each signer accepts and refuses as upstream does', async () => {
  for (const [signerName, subject, names, usages, refusal] of refusals) {
    const requestPem = await formatCsr(key, subject, names)
    expect(await refusalOf({ requestPem, signerName, usages })).toBe(refusal)
  }
})

test('a life is kept between ten minutes and a year and ends with the authority', () => {
  const nowMs = 1_000_000_000_000
  const life = (seconds: number | undefined, authorityEndMs = Infinity) => {
    const { notBeforeMs, notAfterMs } = planValidity(seconds, nowMs, authorityEndMs)
    expect(notBeforeMs).toBe(nowMs - 300_000)
    return (notAfterMs - nowMs) / 1000
  }
  expect(life(1)).toBe(600)
  expect(life(3600)).toBe(3600)
  expect(life(8 * 3600)).toBe(8 * 3600 - 300)
  expect(life(undefined)).toBe(365 * 24 * 3600 - 300)
  expect(life(10 ** 9)).toBe(365 * 24 * 3600 - 300)
  expect(life(3600, nowMs + 60_000)).toBe(60)
})

describe('a request that is not as it should be', () => {
  const asPem = (der: Uint8Array) => {
    const lines =
      Buffer.from(der)
        .toString('base64')
        .match(/.{1,64}/g) ?? []
    const [begin, end] = ['BEGIN', 'END'].map((word) => `-----${word} CERTIFICATE REQUEST-----`)
    return `${begin}\n${lines.join('\n')}\n${end}\n`
  }
  const aRequest = async (subject: Subject, names?: ServerNames) =>
    Buffer.from(fromPem('CERTIFICATE REQUEST', await formatCsr(key, subject, names))!)

  test('is refused when it was changed after signing', async () => {
    const der = await aRequest(node)
    der.write('b', der.indexOf('system:node:a') + 'system:node:'.length)
    await expect(readCsr(asPem(der))).rejects.toThrow('the signature of the certificate request')
  })

  test('ends in an error, whatever is cut off or changed', async () => {
    const der = await aRequest(node, withIp)
    for (let at = 0; at < der.length; at++) {
      const changed = Buffer.from(der)
      changed[at]! ^= 0x55
      await expect(readCsr(asPem(changed))).rejects.toThrow(Error)
      await expect(readCsr(asPem(der.subarray(0, at)))).rejects.toThrow(Error)
    }
  })

  test('is refused when it is nested too deeply, too wide or too long', async () => {
    const deep = Buffer.alloc(40_000, Buffer.from([0x30, 0x82, 0x7f, 0x00]))
    const endless = Buffer.alloc(40_000, Buffer.from([0x30, 0x80]))
    const wide = Buffer.concat([Buffer.from([0x30, 0x82, 0x9c, 0x40]), Buffer.alloc(40_000, '0\0')])
    const long = Buffer.alloc(1_000_000, 0x30)
    for (const der of [deep, endless, wide, long]) {
      await expect(readCsr(asPem(der))).rejects.toThrow('the certificate request is malformed')
    }
  })

  test('is refused without delay when there is nothing in it', async () => {
    const blank = '-----BEGIN CERTIFICATE REQUEST-----'
    for (const text of [blank + '\n'.repeat(1_000_000), `${blank}\n`.repeat(30_000), '']) {
      const block = 'PEM block type must be CERTIFICATE REQUEST'
      await expect(readCsr(text)).rejects.toThrow(block)
    }
    await expect(readCsr(asPem(Buffer.from('text')))).rejects.toThrow('malformed')
  })

  test('is not signed when a certificate with its subject would be read otherwise', async () => {
    const { Pkcs10CertificateRequestGenerator: Generator } = await loadX509()
    const request = await Generator.create({
      // An organization that is no text: a runtime passes it over, the library does not.
      name: [{ O: ['#0403616263'] }, { CN: ['jane'] }],
      keys: await importKey(key),
      signingAlgorithm: SIGNING,
    })
    const wish = { requestPem: request.toString('pem'), signerName: SIGNER.client }
    const signed = signCsr({ ...wish, usages: ['client auth'] }, await signing())
    await expect(signed).rejects.toThrow('the subject of the certificate request is ambiguous')
  })
})

test('a subject that looks like another one is signed and read as what it is', async () => {
  const subjects: Required<Subject>[] = [
    { commonName: 'jane\nCN=system:admin', organizations: ['dev\nO=system:masters'] },
    { commonName: 'jane, O=system:masters', organizations: ['é, "x\\', 'CN=system:masters'] },
    { commonName: '#0c0161', organizations: ['"a"', ' b + CN=c '] },
    { commonName: '\u0000\ufeff\\0A', organizations: [] },
  ]
  for (const subject of subjects) {
    const requestPem = await formatCsr(key, subject)
    const { commonName, organizations } = await readCsr(requestPem)
    const wish = { requestPem, signerName: SIGNER.client, usages: ['client auth'] }
    const facts = readCertificate(await signCsr(wish, await signing()))
    expect({ commonName, organizations }).toEqual(subject)
    expect(facts).toMatchObject(subject)
  }
})
