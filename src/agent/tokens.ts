// Tokens of service accounts for projected volumes: bound to the pod, asked for when they are
// needed, renewed when 80 % of their life or a day has passed.
//
// The only memory is the volume itself: what lies there is good until it is due, so a restart of
// the agent asks for nothing.

import { serviceAccounts } from '../api/kinds/core/serviceaccount/row.ts'
import type {
  Pod,
  ServiceAccountTokenProjection,
  TokenRequest,
} from '../api/schema/generated/types.ts'
import { ApiError } from '../api/status.ts'
import type { Client } from '../kit/client.ts'
import type { Clock } from '../lib/clock.ts'
import type { TokenSource } from '../volumes/contract.ts'

export type TokenDeps = {
  client: Client
  clock: Clock
  /** What lies in the volume now. */
  current: (pod: Pod, volume: string, path: string) => Promise<string | undefined>
  /** The agent knew the pod before it started: its containers must run without a server too. */
  mayMiss: (pod: Pod) => boolean
  /** The token at hand has to be renewed at this time. */
  due: (pod: Pod, atMs: number) => void
}

const EXPIRATION_SECONDS_DEFAULT = 3600
const LIFE_SHARE = 0.8
const AGE_MS_MAX = 24 * 60 * 60 * 1000
/** Without a server in reach, ask again after this time. */
const RETRY_MS = 30_000

export function createTokens(deps: TokenDeps): TokenSource {
  return {
    async get(pod, volume, wish, signal) {
      const current = await deps.current(pod, volume, wish.path)
      const dueMs = current === undefined ? 0 : dueAtMs(current)
      if (current !== undefined && dueMs > deps.clock.nowMs()) {
        deps.due(pod, dueMs)
        return current
      }
      try {
        const token = await requestToken(deps.client, pod, wish, signal)
        deps.due(pod, dueAtMs(token))
        return token
      } catch (error) {
        signal.throwIfAborted()
        const isRefused = error instanceof ApiError
        if (isRefused || (current === undefined && !deps.mayMiss(pod))) throw error
        deps.due(pod, deps.clock.nowMs() + RETRY_MS)
        return current
      }
    },
  }
}

async function requestToken(
  client: Client,
  pod: Pod,
  { audience, expirationSeconds }: ServiceAccountTokenProjection,
  signal: AbortSignal,
): Promise<string> {
  const { name = '', namespace, uid } = pod.metadata
  const body: TokenRequest = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    metadata: {},
    spec: {
      audiences: audience ? [audience] : [],
      expirationSeconds: expirationSeconds ?? EXPIRATION_SECONDS_DEFAULT,
      boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, ...(uid ? { uid } : {}) },
    },
  }
  const account = pod.spec.serviceAccountName || 'default'
  const where = { namespace, name: account, subresource: 'token' }
  const answer = await client.post<TokenRequest>(serviceAccounts, where, body, signal)
  const token = answer.status?.token
  if (!token) throw new Error(`the server answered no token for ${namespace}/${account}`)
  return token
}

/** When a token has to be renewed, by its own claims; 0 for one that cannot be read. Pure. */
export function dueAtMs(token: string): number {
  const claims = claimsOf(token)
  if (claims === undefined) return 0
  const { iat, exp } = claims
  const shareMs = (iat + (exp - iat) * LIFE_SHARE) * 1000
  return Math.min(shareMs, iat * 1000 + AGE_MS_MAX)
}

function claimsOf(token: string): { iat: number; exp: number } | undefined {
  try {
    const { iat, exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    return Number.isFinite(iat) && Number.isFinite(exp) ? { iat, exp } : undefined
  } catch {
    // Not a JWT: somebody else's file, or half of one. It is replaced.
    return undefined
  }
}
