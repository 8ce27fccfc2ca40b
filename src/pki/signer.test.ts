import { expect, test } from 'bun:test'
import { formatCsr, readCsr } from './csr.ts'
import { fromPem, generateKey, toPem } from './keys.ts'
import type { ServerNames, Subject } from './names.ts'
import { planValidity, refusalOf, SIGNER } from './signer.ts'

const key = generateKey()
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

test('each signer accepts and refuses as upstream does', () => {
  for (const [signerName, subject, names, usages, refusal] of refusals) {
    const requestPem = formatCsr(key, subject, names)
    expect(refusalOf({ requestPem, signerName, usages })).toBe(refusal)
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

test('a request that was changed after signing is refused', () => {
  const der = Buffer.from(fromPem('CERTIFICATE REQUEST', formatCsr(key, node))!)
  const at = der.indexOf('system:node:a')
  der.write('b', at + 'system:node:'.length)
  expect(() => readCsr(toPem('CERTIFICATE REQUEST', der))).toThrow('signature')
})

test('whatever is cut off or changed in a request, reading it ends in an error', () => {
  const der = Buffer.from(fromPem('CERTIFICATE REQUEST', formatCsr(key, node, withIp))!)
  for (let at = 0; at < der.length; at++) {
    const changed = Buffer.from(der)
    changed[at]! ^= 0x55
    expect(() => readCsr(toPem('CERTIFICATE REQUEST', changed))).toThrow(Error)
    expect(() => readCsr(toPem('CERTIFICATE REQUEST', der.subarray(0, at)))).toThrow(Error)
  }
})

test('deep nesting is refused before it can exhaust the stack', () => {
  const deep = Buffer.alloc(40_000, Buffer.from([0x30, 0x82, 0x7f, 0x00]))
  expect(() => readCsr(toPem('CERTIFICATE REQUEST', deep))).toThrow('malformed')
})
