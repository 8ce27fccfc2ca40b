// Whom others need to trust: the authority of this cluster, and the issuer of its tokens.

import { openIdConfiguration } from '../../pki/service-account.ts'
import type { Admitted } from '../request/admitted.ts'
import type { Server } from '../server.ts'
import type { Answer } from '../transport/call.ts'

const KEPT_SECONDS = 3600

export function issuerConfiguration({ issuer, settings }: Server): Answer {
  const { advertiseAddress: host, advertisePort: port } = settings
  const address = host.includes(':') ? `[${host}]` : host
  const jwksUri = `https://${address}:${port}/openid/v1/jwks`
  return document('application/json', openIdConfiguration(issuer, jwksUri))
}

export function issuerKeys({ pki }: Server): Answer {
  return document('application/jwk-set+json', pki.tokens.jwks())
}

function document(type: string, value: unknown): Answer {
  const headers = { 'content-type': type, 'cache-control': `public, max-age=${KEPT_SECONDS}` }
  return { code: 200, headers, body: JSON.stringify(value) }
}

/** The authority that a joining node pins by its hash. */
export function clusterAuthority({ pki }: Server, _admitted: Admitted): Answer {
  const headers = { 'content-type': 'application/x-pem-file' }
  return { code: 200, headers, body: pki.clusterCaPem }
}
