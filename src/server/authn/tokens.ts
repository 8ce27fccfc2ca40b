// Users by bearer token: service accounts, and nodes that are joining.

import { secrets } from '../../api/kinds/core/secret/row.ts'
import type { UserInfo } from '../../api/resource.ts'
import type { Secret } from '../../api/schema/generated/types.ts'
import { parseTime, TimeError } from '../../api/time.ts'
import type { Clock } from '../../lib/clock.ts'
import { own } from '../../lib/own.ts'
import { isSameSecret } from '../../pki/tokens.ts'
import type { Store } from '../../store/store.ts'
import { readObject } from '../storage/reader.ts'
import { authenticated, type CredentialCheck } from './authenticator.ts'

/** Undefined for a token that is nobody's. */
export interface TokenUsers {
  userOf(token: string): UserInfo | undefined
}

/** The header, or for browsers the sub-protocol of a WebSocket. */
export function bearerCheck(users: readonly TokenUsers[]): CredentialCheck {
  return {
    check(call) {
      const header = call.header('authorization')
      if (header === undefined) return undefined
      if (header.length < 8 || header.slice(0, 7).toLowerCase() !== 'bearer ') return undefined
      const token = header.slice(7).trim()
      for (const source of users) {
        const user = source.userOf(token)
        if (user !== undefined) return user
      }
      return undefined
    },
  }
}

const NAMESPACE = 'kube-system'
const TYPE = 'bootstrap.kubernetes.io/token'
const GROUP = 'system:bootstrappers'
const EXTRA_GROUP = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/

/** `abcdef.0123456789abcdef`: a Secret in kube-system that says what it is good for. */
export class BootstrapTokenUsers implements TokenUsers {
  readonly #store: Store
  readonly #clock: Clock

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  userOf(token: string): UserInfo | undefined {
    const match = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(token)
    if (match === null) return undefined
    const [, id, secretPart] = match as unknown as [string, string, string]
    const where = { namespace: NAMESPACE, name: `bootstrap-token-${id}` }
    const secret = readObject(this.#store, secrets, where)
    if (secret === undefined || !this.#isGood(secret, id, secretPart)) return undefined
    const extra = fieldOf(secret, 'auth-extra-groups')
    const groups = extra === '' ? [] : extra.split(',').map((group) => group.trim())
    if (!groups.every((group) => EXTRA_GROUP.test(group))) return undefined
    return authenticated({ username: `system:bootstrap:${id}`, groups: [GROUP, ...groups] })
  }

  #isGood(secret: Secret, id: string, secretPart: string): boolean {
    return (
      secret.metadata.deletionTimestamp === undefined &&
      secret.type === TYPE &&
      isSameSecret(fieldOf(secret, 'token-secret'), secretPart) &&
      fieldOf(secret, 'token-id') === id &&
      fieldOf(secret, 'usage-bootstrap-authentication') === 'true' &&
      !this.#hasExpired(fieldOf(secret, 'expiration'))
    )
  }

  #hasExpired(expiration: string): boolean {
    if (expiration === '') return false
    try {
      return parseTime(expiration) < this.#clock.nowMs()
    } catch (error) {
      // A date that cannot be read must not make a token good for ever.
      if (error instanceof TimeError) return true
      throw error
    }
  }
}

function fieldOf(secret: Secret, key: string): string {
  return Buffer.from(own(secret.data, key) ?? '', 'base64').toString()
}
