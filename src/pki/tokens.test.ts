import { expect, test } from 'bun:test'
import { importJWK, jwtVerify, SignJWT } from 'jose'
import { SeededRandom } from '../lib/random.ts'
import { generateKey } from './keys.ts'
import { ServiceAccountTokens } from './service-account.ts'
import {
  createJoinToken,
  formatBootstrapToken,
  formatJoinToken,
  hashOfCa,
  isSameSecret,
  parseBootstrapToken,
  parseJoinToken,
} from './tokens.ts'

const caHash = hashOfCa('certificate')

test('a join token reads back as it was written', () => {
  const token = createJoinToken(new SeededRandom(7), 'certificate')
  expect(token.caHash).toBe(caHash)
  expect(parseJoinToken(formatJoinToken(token))).toEqual(token)
  expect(parseBootstrapToken(formatBootstrapToken(token))).toEqual({
    id: token.id,
    secret: token.secret,
  })
})

test('a join token that is not one says what is wrong with it', () => {
  const parsing = (text: string) => expect(() => parseJoinToken(text))
  parsing('abc').toThrow('"K10"')
  parsing(`K10${caHash}:abcdef:0123456789abcdef`).toThrow('"::"')
  parsing(`K10${caHash.slice(1)}::abcdef:0123456789abcdef`).toThrow('64 hexadecimal')
  parsing(`K10${caHash}::abcdef`).toThrow('<id>:<secret>')
  parsing(`K10${caHash}::ABCDEF:0123456789abcdef`).toThrow('6 of a-z')
  parsing(`K10${caHash}::abcdef:0123`).toThrow('16 of a-z')
})

test('secrets of any lengths can be compared', () => {
  expect(isSameSecret('abc', 'abc')).toBe(true)
  expect(isSameSecret('abc', 'abcd')).toBe(false)
  expect(isSameSecret('', 'x')).toBe(false)
})

const nowMs = 1_700_000_000_000
const draft = {
  issuer: 'https://kubernetes.default.svc.cluster.local',
  namespace: 'default',
  serviceAccount: { name: 'builder', uid: 'u1' },
  audiences: ['api'],
  expirationSeconds: 3607,
  boundTo: { pod: { name: 'web', uid: 'u2' }, node: { name: 'box', uid: 'u3' } },
  warnAfterSeconds: 3600,
  nowMs,
  id: '7d0ab7d5-1111-4111-8111-0123456789ab',
}
const key = generateKey()
const tokens = new ServiceAccountTokens(key)

test('a token of a service account carries what upstream puts into it', () => {
  const verified = tokens.verify(tokens.sign(draft), draft.issuer, nowMs)
  const seconds = nowMs / 1000
  expect(verified).toEqual({
    ok: true,
    claims: {
      aud: ['api'],
      exp: seconds + 3607,
      iat: seconds,
      iss: draft.issuer,
      jti: draft.id,
      'kubernetes.io': {
        namespace: 'default',
        node: { name: 'box', uid: 'u3' },
        pod: { name: 'web', uid: 'u2' },
        serviceaccount: { name: 'builder', uid: 'u1' },
        warnafter: seconds + 3600,
      },
      nbf: seconds,
      sub: 'system:serviceaccount:default:builder',
    },
  })
})

test('anyone can verify a token with the published keys', async () => {
  const [jwk] = tokens.jwks().keys
  const verified = await jwtVerify(tokens.sign(draft), await importJWK(jwk!), {
    issuer: draft.issuer,
    audience: 'api',
    currentDate: new Date(nowMs),
  })
  expect(verified.protectedHeader).toEqual({ alg: 'ES256', kid: jwk!.kid! })
  expect(verified.payload.sub).toBe('system:serviceaccount:default:builder')
})

test('a token is good from a minute before its start to a minute after its end', () => {
  const token = tokens.sign(draft)
  const reasonAt = (seconds: number) => {
    const verified = tokens.verify(token, draft.issuer, nowMs + seconds * 1000)
    return verified.ok ? undefined : verified.reason
  }
  expect(reasonAt(-60)).toBeUndefined()
  expect(reasonAt(-61)).toContain('not valid yet')
  expect(reasonAt(3667)).toBeUndefined()
  expect(reasonAt(3668)).toContain('has expired')
})

test('forged tokens are refused', async () => {
  const token = tokens.sign(draft)
  const [head, body, signature] = token.split('.') as [string, string, string]
  const other = Buffer.from(JSON.stringify({ ...claims(body), sub: 'system:admin' }))
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const kid = tokens.jwks().keys[0]!.kid
  const foreign = await new SignJWT(claims(body))
    .setProtectedHeader({ alg: 'ES256', kid: kid! })
    .sign(generateKey().private)
  const hmac = await new SignJWT(claims(body))
    .setProtectedHeader({ alg: 'HS256', kid: kid! })
    .sign(Buffer.from(key.public.export({ type: 'spki', format: 'pem' })))
  const forgeries = [
    ...['', 'a', 'a.b', 'a.b.c', '..', `${head}.${body}.`, `${token}x`, `${token}.x`],
    `${head}.${other.toString('base64url')}.${signature}`,
    `${part({ alg: 'none', kid })}.${body}.`,
    `${part({ alg: 'ES256', kid: 'unknown' })}.${body}.${signature}`,
    `${part({ alg: 'ES256', kid: '__proto__' })}.${body}.${signature}`,
    ...[foreign, hmac, 'x'.repeat(20_000)],
  ]
  for (const forgery of forgeries) {
    expect([forgery, tokens.verify(forgery, draft.issuer, nowMs).ok]).toEqual([forgery, false])
  }
  expect(tokens.verify(token, 'https://elsewhere', nowMs).ok).toBe(false)
})

test('a token of a replaced key is good as long as the key is kept', () => {
  const token = tokens.sign(draft)
  const next = generateKey()
  const after = new ServiceAccountTokens(next, [key])
  expect(after.verify(token, draft.issuer, nowMs).ok).toBe(true)
  expect(after.jwks().keys).toHaveLength(2)
  expect(new ServiceAccountTokens(next).verify(token, draft.issuer, nowMs).ok).toBe(false)
  expect(tokens.verify(after.sign(draft), draft.issuer, nowMs).ok).toBe(false)
})

function claims(body: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(body, 'base64url').toString())
}
