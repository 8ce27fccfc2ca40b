// What we make, as openssl and the runtime read it, and what openssl makes, as we read it.

import { afterAll, describe, expect, test } from 'bun:test'
import { X509Certificate } from 'node:crypto'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeIfAny } from '../lib/files.ts'
import { SeededRandom } from '../lib/random.ts'
import { type CertificateDraft, issueCertificate, readCertificate } from './certificate.ts'
import { formatCsr, readCsr } from './csr.ts'
import { generateKey } from './keys.ts'
import type { Subject } from './names.ts'
import { loadX509 } from './x509.ts'

const random = new SeededRandom(7)
const START_MS = Date.UTC(2026, 10, 21)
const END_MS = Date.UTC(2056, 10, 21)
const names = { dns: ['box', 'kubernetes.default.svc'], ips: ['10.43.0.1', 'fd00::7'] }
const node = { commonName: 'system:node:box', organizations: ['system:nodes'] }

const dir = await mkdtemp(join(tmpdir(), 'kedge-certificate-'))
afterAll(() => removeIfAny(dir))

async function openssl(...args: string[]): Promise<string> {
  const child = Bun.spawn(['openssl', ...args], { stdout: 'pipe', stderr: 'pipe' })
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()])
  return (await child.exited) === 0 ? out : `failed: ${out}${err}`
}

/** What openssl says of a certificate. */
async function shown(pem: string, ...options: string[]): Promise<string> {
  const path = join(dir, 'shown.crt')
  await writeFile(path, pem)
  return openssl('x509', '-in', path, '-noout', ...options)
}

const caKey = generateKey()
const draft: CertificateDraft = {
  subject: { commonName: 'kedge-ca' },
  publicKey: caKey.public,
  validity: { notBeforeMs: START_MS, notAfterMs: END_MS },
  usages: ['digital signature', 'cert sign', 'crl sign'],
  isAuthority: true,
}
const caPem = await issueCertificate(draft, { selfKey: caKey }, random)
const issue = (change: Partial<CertificateDraft>) =>
  issueCertificate(
    { ...draft, isAuthority: false, usages: ['client auth'], ...change },
    { certificatePem: caPem, key: caKey },
    random,
  )

describe('what we issue, as openssl reads it', () => {
  test('subject, issuer, validity and signature are what was asked for', async () => {
    const leaf = await issue({ subject: { ...node, organizations: ['long', 'b', 'a'] } })
    const text = await shown(leaf, '-subject', '-issuer', '-dates', '-nameopt', 'RFC2253', '-text')
    expect(text).toContain('subject=CN=system:node:box,O=long+O=b+O=a\n')
    expect(text).toContain('issuer=CN=kedge-ca\n')
    // Before 2050 and after it, times are written in two different ways.
    expect(text).toContain('notBefore=Nov 21 00:00:00 2026 GMT\n')
    expect(text).toContain('notAfter=Nov 21 00:00:00 2056 GMT\n')
    expect(text).toContain('Signature Algorithm: ecdsa-with-SHA256\n')
    expect(new X509Certificate(leaf).verify(caKey.public)).toBe(true)
    expect(new X509Certificate(leaf).verify(generateKey().public)).toBe(false)
  })

  test('the serial number is 16 bytes from the outside, and positive', async () => {
    const bytes = Uint8Array.from({ length: 16 }, () => 0xfe)
    const fixed = { next: () => 0, uuid: () => '', bytes: () => bytes }
    const pem = await issueCertificate(draft, { selfKey: caKey }, fixed)
    expect(await shown(pem, '-serial')).toBe(`serial=${'FE'.repeat(16)}\n`)
  })

  test('basic constraints and key identifiers tell an authority from the rest', async () => {
    const ca = await shown(caPem, '-ext', 'basicConstraints,keyUsage,subjectKeyIdentifier')
    expect(ca).toContain('Basic Constraints: critical\n    CA:TRUE\n')
    expect(ca).toContain('Key Usage: critical\n    Digital Signature, Certificate Sign, CRL Sign\n')
    const leaf = await shown(await issue({}), '-ext', 'basicConstraints,authorityKeyIdentifier')
    expect(leaf).toContain('Basic Constraints: critical\n    CA:FALSE\n')
    const id = /(?:[0-9A-F]{2}:){19}[0-9A-F]{2}/
    expect(id.exec(ca)?.[0]).toBeString()
    expect(id.exec(leaf)?.[0]).toBe(id.exec(ca)![0])
  })

  const words: Record<string, string> = {
    signing: 'Digital Signature',
    'digital signature': 'Digital Signature',
    'content commitment': 'Non Repudiation',
    'key encipherment': 'Key Encipherment',
    'data encipherment': 'Data Encipherment',
    'key agreement': 'Key Agreement',
    'cert sign': 'Certificate Sign',
    'crl sign': 'CRL Sign',
    'encipher only': 'Encipher Only',
    'decipher only': 'Decipher Only',
    any: 'Any Extended Key Usage',
    'server auth': 'TLS Web Server Authentication',
    'client auth': 'TLS Web Client Authentication',
    'code signing': 'Code Signing',
    'email protection': 'E-mail Protection',
    's/mime': 'E-mail Protection',
    'ipsec end system': 'IPSec End System',
    'ipsec tunnel': 'IPSec Tunnel',
    'ipsec user': 'IPSec User',
    timestamping: 'Time Stamping',
    'ocsp signing': 'OCSP Signing',
    'microsoft sgc': 'Microsoft Server Gated Crypto',
    'netscape sgc': 'Netscape Server Gated Crypto',
  }
  test('every word of the certificates API is the usage that it means', async () => {
    for (const [word, usage] of Object.entries(words)) {
      const pem = await issue({ usages: [word, 'no such usage'] })
      const text = await shown(pem, '-ext', 'keyUsage,extendedKeyUsage')
      expect(text).toMatch(new RegExp(`^X509v3 (Extended )?Key Usage: .*\n    ${usage}\n$`))
    }
  })

  test('usages and alternative names are complete', async () => {
    const usages = ['digital signature', 'decipher only', 'server auth', 'client auth', 'any']
    const pem = await issue({ usages, names })
    const text = await shown(pem, '-ext', 'keyUsage,extendedKeyUsage,subjectAltName')
    expect(text).toContain('Key Usage: critical\n    Digital Signature, Decipher Only\n')
    expect(text).toContain('TLS Web Client Authentication, Any Extended Key Usage\n')
    expect(text).toContain(
      'DNS:box, DNS:kubernetes.default.svc, IP Address:10.43.0.1, IP Address:FD00:0:0:0:0:0:0:7',
    )
    expect(readCertificate(pem).names).toEqual(names)
    expect(issue({ names: { dns: [], ips: ['10.0.0.256'] } })).rejects.toThrow('not an IP address')
  })
})

describe('who a certificate names', () => {
  const hostile: Subject[] = [
    { commonName: 'ann\nCN=system:admin', organizations: ['dev\nO=system:masters'] },
    { commonName: 'ann, CN=system:admin', organizations: ['CN=system:masters'] },
    { commonName: 'ann/O=system:masters', organizations: ['dev + O=system:masters'] },
    { commonName: 'ann\\0ACN=b\\', organizations: ['"', '\\,', ' #a '] },
    { commonName: 'ann\u0000', organizations: ['ü\r\n\t', '😀'] },
    { commonName: '__proto__', organizations: ['constructor'] },
    { commonName: '', organizations: [] },
  ]
  test('is never taken for somebody else, whatever the texts hold', async () => {
    for (const subject of hostile) {
      const pem = await issue({ subject: { organizations: [], ...subject } })
      const { commonName, organizations } = readCertificate(pem)
      expect({ commonName, organizations: organizations.toSorted() }).toEqual({
        commonName: subject.commonName,
        organizations: subject.organizations!.toSorted(),
      })
    }
  })

  test('is the last common name and all organizations, in one set or in many', async () => {
    const { Name } = await loadX509()
    const text = (value: string) => [{ utf8String: value }]
    const sets = [{ CN: text('a') }, { O: [...text('x'), ...text('y')] }, { O: text('z') }]
    const subject = new Uint8Array(new Name([...sets, { CN: text('b\nCN=c') }]).toArrayBuffer())
    expect(readCertificate(await issue({ subject }))).toMatchObject({
      commonName: 'b\nCN=c',
      organizations: ['x', 'y', 'z'],
    })
  })

  test('is read in full from a certificate of openssl', async () => {
    const path = join(dir, 'foreign.crt')
    await openssl(
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', join(dir, 'foreign.key')],
      ...['-subj', '/C=DE/O=one/O=two, CN=x/CN=elsewhere', '-days', '20000', '-out', path],
      ...['-addext', 'subjectAltName=DNS:elsewhere.test,IP:fd00::1,email:a@b.c'],
    )
    const pem = await Bun.file(path).text()
    const found = readCertificate(pem)
    expect(found).toMatchObject({ commonName: 'elsewhere', organizations: ['one', 'two, CN=x'] })
    expect(found.names).toEqual({ dns: ['elsewhere.test'], ips: ['fd00::1'] })
    expect(found.notAfterMs - found.notBeforeMs).toBe(20_000 * 24 * 3600 * 1000)
    expect(() => readCertificate('none')).toThrow('there is no certificate')
  })

  test('a name with a comma does not become two', async () => {
    const odd = { dns: ['a, DNS:b', '"c"'], ips: [] }
    expect(readCertificate(await issue({ names: odd })).names).toEqual(odd)
  })
})

describe('a request', () => {
  test('of ours is genuine for openssl and read in full', async () => {
    const key = generateKey()
    const pem = await formatCsr(key, node, names)
    const path = join(dir, 'ours.csr')
    await writeFile(path, pem)
    const text = await openssl('req', '-in', path, '-verify', '-noout', '-text')
    expect(text).toContain('Subject: O = system:nodes, CN = system:node:box\n')
    expect(text).toContain('IP Address:10.43.0.1, IP Address:FD00:0:0:0:0:0:0:7')
    const found = await readCsr(pem)
    expect(found).toMatchObject(node)
    expect(found.names).toEqual({ ...names, emailCount: 0, uriCount: 0 })
    expect(found.publicKey.equals(key.public)).toBe(true)
  })

  const kinds = [
    ...['rsa:2048 sha256', 'rsa:2048 sha384', 'rsa:2048 sha512', 'ed25519'],
    ...['P-256 sha256', 'P-384 sha384', 'P-521 sha512', 'P-384 sha256'],
  ]
  test.each(kinds)('of openssl with %s is read in full', async (kind) => {
    const [algorithm, hash] = kind.split(' ')
    const isCurve = algorithm!.startsWith('P-')
    const found = await readCsr(
      await foreignRequest(
        ...(isCurve ? ['ec', '-pkeyopt', `ec_paramgen_curve:${algorithm}`] : [algorithm!]),
        ...(hash === undefined ? [] : [`-${hash}`]),
        ...['-addext', 'subjectAltName=DNS:far,IP:192.168.1.9,email:a@b.c,URI:https://b.c/'],
      ),
    )
    expect(found).toMatchObject({ commonName: 'system:node:far', organizations: ['system:nodes'] })
    expect(found.names).toEqual({
      dns: ['far'],
      ips: ['192.168.1.9'],
      emailCount: 1,
      uriCount: 1,
    })
  })

  test('with a weak hash is refused', async () => {
    const weak = readCsr(await foreignRequest('rsa:2048', '-sha1'))
    await expect(weak).rejects.toThrow('unknown signature algorithm RSASSA-PKCS1-v1_5 with SHA-1')
  })

  async function foreignRequest(...options: string[]): Promise<string> {
    const path = join(dir, 'foreign.csr')
    await openssl(
      ...['req', '-new', '-nodes', '-keyout', join(dir, 'foreign.key'), '-out', path],
      ...['-subj', '/O=system:nodes/CN=system:node:far', '-newkey', ...options],
    )
    return Bun.file(path).text()
  }
})
