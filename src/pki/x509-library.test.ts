// Our X.509 against @peculiar/x509, in both directions: it reads what we make, we read what it
// makes. The library needs the metadata polyfill, so only tests load it.

import 'reflect-metadata'
import { describe, expect, test } from 'bun:test'
import { X509Certificate as NodeCertificate } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import { SeededRandom } from '../lib/random.ts'
import { issueCertificate, readCertificate } from './certificate.ts'
import { createCsr, readCsr } from './csr.ts'
import { generateKey } from './keys.ts'
import { encodeSubject } from './names.ts'

const random = new SeededRandom(7)
const START_MS = Date.UTC(2026, 10, 21)
const END_MS = Date.UTC(2056, 10, 21)
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const names = { dns: ['box', 'kubernetes.default.svc'], ips: ['10.43.0.1', 'fd00::7'] }

const caKey = generateKey()
const caPem = issueCertificate(
  {
    subject: encodeSubject({ commonName: 'kedge-ca' }),
    publicKey: caKey.public,
    validity: { notBeforeMs: START_MS, notAfterMs: END_MS },
    usages: ['digital signature', 'cert sign', 'crl sign'],
    isAuthority: true,
  },
  { selfKey: caKey },
  random,
)
const leafPem = issueCertificate(
  {
    subject: encodeSubject({ commonName: 'system:node:box', organizations: ['system:nodes'] }),
    publicKey: generateKey().public,
    validity: { notBeforeMs: START_MS, notAfterMs: END_MS },
    usages: ['digital signature', 'key encipherment', 'server auth', 'client auth'],
    names,
  },
  { certificatePem: caPem, key: caKey },
  random,
)
const ca = new x509.X509Certificate(caPem)
const leaf = new x509.X509Certificate(leafPem)

describe('what we issue, as the library reads it', () => {
  test('subject, issuer and validity are what was asked for', () => {
    expect(leaf.subjectName.getField('CN')).toEqual(['system:node:box'])
    expect(leaf.subjectName.getField('O')).toEqual(['system:nodes'])
    expect(leaf.issuer).toBe('CN=kedge-ca')
    // Before 2050 and after it, times are written in two different ways.
    expect(leaf.notBefore.getTime()).toBe(START_MS)
    expect(leaf.notAfter.getTime()).toBe(END_MS)
  })

  test('the alternative names are complete', () => {
    const found = leaf.getExtension(x509.SubjectAlternativeNameExtension)!
    expect(found.names.toJSON()).toEqual([
      { type: 'dns', value: 'box' },
      { type: 'dns', value: 'kubernetes.default.svc' },
      { type: 'ip', value: '10.43.0.1' },
      { type: 'ip', value: 'fd00::7' },
    ])
  })

  test('usages and basic constraints tell an authority from the rest', () => {
    const { KeyUsageFlags } = x509
    expect(ca.getExtension(x509.BasicConstraintsExtension)).toMatchObject({
      ...{ ca: true, critical: true },
    })
    expect(ca.getExtension(x509.KeyUsagesExtension)!.usages).toBe(
      KeyUsageFlags.digitalSignature | KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign,
    )
    expect(leaf.getExtension(x509.BasicConstraintsExtension)).toMatchObject({
      ...{ ca: false, critical: true },
    })
    expect(leaf.getExtension(x509.KeyUsagesExtension)!.usages).toBe(
      KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment,
    )
    expect(leaf.getExtension(x509.ExtendedKeyUsageExtension)!.usages).toEqual([
      ...[x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth],
    ])
  })

  test('the chain holds, and does not hold with another authority', async () => {
    const date = new Date(START_MS + 1000)
    expect(await leaf.verify({ publicKey: ca, date })).toBe(true)
    expect(await ca.isSelfSigned()).toBe(true)
    const chain = await new x509.X509ChainBuilder({ certificates: [ca] }).build(leaf)
    expect(chain.map(({ subject }) => subject)).toEqual([leaf.subject, ca.subject])
    const other = await foreignAuthority()
    expect(await leaf.verify({ publicKey: other, date })).toBe(false)
    expect(await leaf.verify({ publicKey: ca, date: new Date(START_MS - 1000) })).toBe(false)
  })

  test('the key identifiers of authority and leaf are the same', () => {
    const own = ca.getExtension(x509.SubjectKeyIdentifierExtension)!
    const ofIssuer = leaf.getExtension(x509.AuthorityKeyIdentifierExtension)!
    expect(ofIssuer.keyId).toBe(own.keyId)
  })
})

test('our request is one that the library finds genuine', async () => {
  const { csr } = createCsr({ commonName: 'system:node:box', organizations: ['o'] }, names)
  const request = new x509.Pkcs10CertificateRequest(csr)
  expect(await request.verify()).toBe(true)
  expect(request.subjectName.getField('CN')).toEqual(['system:node:box'])
  const found = request.getExtension('2.5.29.17') as x509.SubjectAlternativeNameExtension
  expect(found.names.toJSON()).toHaveLength(4)
})

test('a request of the library is read in full', async () => {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'O=system:nodes,CN=system:node:far',
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.SubjectAlternativeNameExtension([
        { type: 'dns', value: 'far' },
        { type: 'ip', value: '192.168.1.9' },
        { type: 'email', value: 'a@b.c' },
        { type: 'url', value: 'https://b.c/' },
      ]),
    ],
  })
  const found = readCsr(request.toString('pem'))
  expect(found.commonName).toBe('system:node:far')
  expect(found.organizations).toEqual(['system:nodes'])
  expect(found.names).toEqual({
    ...{ dns: ['far'], ips: ['192.168.1.9'], emailCount: 1, uriCount: 1 },
  })
  const spki = await crypto.subtle.exportKey('spki', keys.publicKey)
  expect(found.publicKey.export({ type: 'spki', format: 'der' })).toEqual(Buffer.from(spki))
})

test('a certificate of the library is read in full', async () => {
  const made = await foreignAuthority()
  const found = readCertificate(made.toString('pem'))
  expect(found.commonName).toBe('elsewhere')
  expect(found.organizations).toEqual(['one', 'two'])
  expect([found.notBeforeMs, found.notAfterMs]).toEqual([START_MS, END_MS])
  expect(found.names.dns).toEqual(['elsewhere.test'])
  expect(new NodeCertificate(made.toString('pem')).ca).toBe(true)
})

async function foreignAuthority(): Promise<x509.X509Certificate> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  return x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: 'O=one,O=two,CN=elsewhere',
    notBefore: new Date(START_MS),
    notAfter: new Date(END_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'elsewhere.test' }]),
    ],
  })
}
