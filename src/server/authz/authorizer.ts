// May they? Authorizers are asked in turn; the first that allows decides.

import type { UserInfo } from '../../api/resource.ts'
import { AUTHORITY_PATH } from '../../protocol/paths.ts'

/** What is to be done, as rules speak of it. */
export type Access = {
  user: UserInfo
  /** get, list, create, …, or the method in lower case for other paths. */
  verb: string
} & (ResourceAccess | PathAccess)

export type ResourceAccess = {
  isResource: true
  group: string
  version: string
  resource: string
  subresource: string
  namespace: string
  name: string
  fieldSelector?: string
  labelSelector?: string
}

export type PathAccess = { isResource: false; path: string }

export type Decision = {
  allowed: boolean
  /** Nobody else is asked. */
  denied?: boolean
  reason: string
}

export interface AccessCheck {
  /** Upstream's name of it, where upstream has one. */
  readonly type?: string
  decide(access: Access): Decision
}

/** Is told which check decided. */
export interface DecisionObserver {
  decided(authorizer: string, isAllowed: boolean): void
}

/** What everybody may see, whatever the roles say. */
const OPEN_PATHS = new Set(['/healthz', '/livez', '/readyz', AUTHORITY_PATH])

export const openPaths: AccessCheck = {
  decide: (access) => ({ allowed: !access.isResource && OPEN_PATHS.has(access.path), reason: '' }),
}

const MASTERS = 'system:masters'

export class Authorizer {
  readonly #checks: readonly AccessCheck[]
  readonly #observer: DecisionObserver

  constructor(checks: readonly AccessCheck[], observer: DecisionObserver) {
    this.#checks = checks
    this.#observer = observer
  }

  decide(access: Access): Decision {
    if (access.user.groups.includes(MASTERS)) return { allowed: true, reason: '' }
    const reasons: string[] = []
    for (const check of this.#checks) {
      const decision = check.decide(access)
      if (decision.allowed || decision.denied) {
        if (check.type !== undefined) this.#observer.decided(check.type, decision.allowed)
        return decision
      }
      if (decision.reason !== '') reasons.push(decision.reason)
    }
    return { allowed: false, reason: reasons.join('\n') }
  }
}
