// Tokens of service accounts: JWTs as upstream makes and checks them (pkg/serviceaccount).
//
// Only signature, issuer and times are judged here. Whether the account, pod, Secret or node that a
// token is bound to still exists, and whether the audience fits, is the caller's to ask.

import { type KeyObject, sign, verify } from 'node:crypto'
import { type Key, publicDer, sha256 } from './keys.ts'

export type BoundObject = { name: string; uid: string }

/** Times are in seconds since 1970, as on the wire. */
export type ServiceAccountClaims = {
  aud: string[]
  exp: number
  iat: number
  iss: string
  jti: string
  'kubernetes.io': {
    namespace: string
    node?: BoundObject
    pod?: BoundObject
    secret?: BoundObject
    serviceaccount: BoundObject
    warnafter?: number
  }
  nbf: number
  sub: string
}

export type TokenDraft = {
  issuer: string
  namespace: string
  serviceAccount: BoundObject
  audiences: readonly string[]
  expirationSeconds: number
  boundTo?: { pod?: BoundObject; secret?: BoundObject; node?: BoundObject }
  /** The token is meant to be renewed by then, though it lives longer. */
  warnAfterSeconds?: number
  nowMs: number
  /** A UUID, so that one token can be told from another. */
  id: string
}

/** `reason` is fit for the log and the client: it tells nothing about keys. */
export type VerifiedToken =
  | { ok: true; claims: ServiceAccountClaims }
  | { ok: false; reason: string }

/** Clocks of issuer and reader may differ by this much. */
const LEEWAY_SECONDS = 60
/** Longer than any token that is made here; a bound before the work of checking. */
const TOKEN_CHARS_MAX = 16 * 1024

export class ServiceAccountTokens {
  readonly #signer: TrustedKey
  readonly #trusted: Map<string, TrustedKey>

  /** The first key signs; tokens of the others are still good, which is how keys are replaced. */
  constructor(key: Key, older: readonly Key[] = []) {
    const keys = [key, ...older].map(trust)
    this.#signer = keys[0]!
    this.#trusted = new Map(keys.map((trusted) => [trusted.id, trusted]))
  }

  sign(draft: TokenDraft): string {
    const { id, key } = this.#signer
    const head = encodePart({ alg: 'ES256', kid: id })
    const body = encodePart(claimsOf(draft))
    const signed = `${head}.${body}`
    const signature = sign('sha256', Buffer.from(signed), {
      key: key.private,
      dsaEncoding: 'ieee-p1363',
    })
    return `${signed}.${signature.toString('base64url')}`
  }

  /** About 60 µs; callers on a hot path remember the answer. */
  verify(token: string, issuer: string, nowMs: number): VerifiedToken {
    const parts = token.split('.')
    if (parts.length !== 3 || token.length > TOKEN_CHARS_MAX) return no('it is not a JWT')
    const [head, body, signature] = parts as [string, string, string]
    const header = decodePart(head) as { alg?: unknown; kid?: unknown } | undefined
    const key = this.#trusted.get(String(header?.kid))?.key.public
    // The algorithm is ours to choose: a header that names another one is a forgery.
    if (header?.alg !== 'ES256' || key === undefined) return no('it is signed by an unknown key')
    if (!isSignedBy(key, `${head}.${body}`, signature)) return no('its signature is wrong')
    const claims = decodePart(body) as ServiceAccountClaims | undefined
    if (claims?.iss !== issuer || !hasShape(claims)) return no('it comes from another issuer')
    return judgeTimes(claims, Math.floor(nowMs / 1000))
  }

  /** The public keys, as /openid/v1/jwks serves them. */
  jwks(): { keys: Record<string, string>[] } {
    return { keys: [...this.#trusted.values()].map(jwkOf) }
  }
}

/** The document at /.well-known/openid-configuration. */
export function openIdConfiguration(issuer: string, jwksUri: string) {
  return {
    issuer,
    jwks_uri: jwksUri,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  }
}

type TrustedKey = { id: string; key: Key }

/** The id is a hash of the public key, so that nobody can take it for the key itself. */
function trust(key: Key): TrustedKey {
  return { id: sha256(publicDer(key.public)).toString('base64url'), key }
}

function jwkOf({ id, key }: TrustedKey): Record<string, string> {
  const { kty, crv, x, y } = key.public.export({ format: 'jwk' })
  return { use: 'sig', kty: kty!, kid: id, crv: crv!, alg: 'ES256', x: x!, y: y! }
}

function claimsOf(draft: TokenDraft): ServiceAccountClaims {
  const { namespace, serviceAccount, boundTo = {}, warnAfterSeconds } = draft
  const now = Math.floor(draft.nowMs / 1000)
  return {
    aud: [...draft.audiences],
    exp: now + draft.expirationSeconds,
    iat: now,
    iss: draft.issuer,
    jti: draft.id,
    'kubernetes.io': {
      namespace,
      ...(boundTo.node ? { node: boundTo.node } : {}),
      ...(boundTo.pod ? { pod: boundTo.pod } : {}),
      ...(boundTo.secret ? { secret: boundTo.secret } : {}),
      serviceaccount: serviceAccount,
      ...(warnAfterSeconds === undefined ? {} : { warnafter: now + warnAfterSeconds }),
    },
    nbf: now,
    sub: `system:serviceaccount:${namespace}:${serviceAccount.name}`,
  }
}

function judgeTimes(claims: ServiceAccountClaims, now: number): VerifiedToken {
  if (now - LEEWAY_SECONDS > claims.exp) return no('service account token has expired')
  if (now + LEEWAY_SECONDS < claims.nbf) return no('service account token is not valid yet')
  if (now + LEEWAY_SECONDS < claims.iat) {
    return no('service account token is issued in the future')
  }
  return { ok: true, claims }
}

function hasShape(claims: ServiceAccountClaims): boolean {
  const times = [claims.exp, claims.iat, claims.nbf]
  const bound = claims['kubernetes.io']
  return (
    times.every((time) => typeof time === 'number') &&
    Array.isArray(claims.aud) &&
    typeof bound?.namespace === 'string' &&
    typeof bound.serviceaccount?.name === 'string'
  )
}

function isSignedBy(key: KeyObject, signed: string, signature: string): boolean {
  const bytes = Buffer.from(signature, 'base64url')
  return verify('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }, bytes)
}

function encodePart(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function decodePart(part: string): unknown {
  try {
    const value = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    // Not JSON, so not a token; the caller says so.
    return undefined
  }
}

function no(reason: string): VerifiedToken {
  return { ok: false, reason }
}
