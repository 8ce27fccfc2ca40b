// Who asks. Each way of saying so is tried in turn; the first that says anything decides.

import type { UserInfo } from '../../api/resource.ts'
import { unauthorized } from '../../api/status.ts'
import type { Call } from '../transport/call.ts'

/** undefined: nothing was presented that this one knows. Throws ApiError 401 for what is wrong. */
export interface CredentialCheck {
  check(call: Call): UserInfo | undefined | Promise<UserInfo | undefined>
}

export const ANONYMOUS: UserInfo = {
  username: 'system:anonymous',
  groups: ['system:unauthenticated'],
}

export class Authenticator {
  readonly #checks: readonly CredentialCheck[]

  constructor(checks: readonly CredentialCheck[]) {
    this.#checks = checks
  }

  /** Synchronous wherever it can be: most requests carry a token that was seen before. */
  authenticate(call: Call): UserInfo | Promise<UserInfo> {
    const { user } = call.env
    if (user !== undefined) return user
    for (let i = 0; i < this.#checks.length; i++) {
      const found = this.#checks[i]!.check(call)
      if (found instanceof Promise) return this.#continue(call, found, i + 1)
      if (found !== undefined) return found
    }
    return this.#nobody(call)
  }

  async #continue(call: Call, pending: Promise<UserInfo | undefined>, from: number) {
    const found = await pending
    if (found !== undefined) return found
    for (const check of this.#checks.slice(from)) {
      const user = await check.check(call)
      if (user !== undefined) return user
    }
    return this.#nobody(call)
  }

  /** A token that nobody knows is refused; nothing at all is anonymous. */
  #nobody(call: Call): UserInfo {
    if (call.header('authorization')) throw unauthorized()
    return ANONYMOUS
  }
}

/** Everybody who has shown who they are is in this group too. */
export function authenticated(user: UserInfo): UserInfo {
  const group = 'system:authenticated'
  return user.groups.includes(group) ? user : { ...user, groups: [...user.groups, group] }
}
