// Users by certificate: the subject itself, or whom a trusted proxy says it speaks for.

import type { UserInfo } from '../../api/resource.ts'
import { own, setOwn } from '../../lib/own.ts'
import type { Call } from '../transport/call.ts'
import { authenticated, type CredentialCheck } from './authenticator.ts'

/** Common name and organizations are user and groups. */
export const certificateUsers: CredentialCheck = {
  check(call): UserInfo | undefined {
    const certificate = call.env.clientCertificate
    if (certificate?.issuedBy !== 'client' || certificate.commonName === '') return undefined
    const { commonName, organizations, sha256 } = certificate
    return authenticated({
      username: commonName,
      groups: organizations,
      ...(sha256 === undefined ? {} : { extra: { [CREDENTIAL_ID]: [`X509SHA256=${sha256}`] } }),
    })
  },
}

export const CREDENTIAL_ID = 'authentication.kubernetes.io/credential-id'

const EXTRA = 'x-remote-extra-'

/** X-Remote-User and its like count only with a certificate of the front proxy's authority. */
export const frontProxyUsers: CredentialCheck = {
  check(call): UserInfo | undefined {
    if (call.env.clientCertificate?.issuedBy !== 'front-proxy') return undefined
    const username = call.header('x-remote-user')
    if (!username) return undefined
    const uid = call.header('x-remote-uid')
    const extra = extrasOf(call, EXTRA)
    return authenticated({
      username,
      ...(uid ? { uid } : {}),
      groups: listOf(call.header('x-remote-group')),
      ...(Object.keys(extra).length > 0 ? { extra } : {}),
    })
  },
}

/** Several lines of one header have been joined with commas. */
export function listOf(header: string | undefined): string[] {
  return header === undefined ? [] : header.split(',').map((value) => value.trim())
}

/** Keys are percent-encoded where a header name cannot hold them. */
export function extrasOf(call: Call, prefix: string): Record<string, string[]> {
  const extra: Record<string, string[]> = {}
  for (const [name, value] of call.headers()) {
    if (!name.startsWith(prefix)) continue
    const key = decoded(name.slice(prefix.length))
    setOwn(extra, key, [...(own(extra, key) ?? []), ...listOf(value)])
  }
  return extra
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // Not encoded at all, which is allowed for plain keys.
    return text
  }
}
