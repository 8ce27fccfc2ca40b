// Tokens of service accounts: signed by us, and good as long as what they are bound to is there.

import { nodes } from '../../api/kinds/core/node/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import { secrets } from '../../api/kinds/core/secret/row.ts'
import { serviceAccounts } from '../../api/kinds/core/serviceaccount/row.ts'
import type { KubeObject } from '../../api/object.ts'
import type { ResourceRow, UserInfo } from '../../api/resource.ts'
import type { ObjectMeta } from '../../api/schema/generated/types.ts'
import { parseTime } from '../../api/time.ts'
import type { Clock } from '../../lib/clock.ts'
import type {
  BoundObject,
  ServiceAccountClaims,
  ServiceAccountTokens,
} from '../../pki/service-account.ts'
import type { Store } from '../../store/store.ts'
import { readObject, type Where } from '../storage/reader.ts'
import { authenticated } from './authenticator.ts'
import { CREDENTIAL_ID } from './certificates.ts'
import type { TokenUsers } from './tokens.ts'

/** A token that was good is not looked at again for this long; upstream's number. */
const REMEMBERED_MS = 10_000
/** Tokens that are remembered at once; one more and the oldest is forgotten. */
const REMEMBERED_MAX = 4096
/** A bound object that is being deleted keeps its tokens good for so long. */
const DELETED_LEEWAY_MS = 60_000

type Remembered = { user: UserInfo; audiences: readonly string[]; untilMs: number }

export type ServiceAccountDeps = {
  store: Store
  clock: Clock
  tokens: ServiceAccountTokens
  issuer: string
  /** Audiences of this server; a token must be meant for one of them. */
  audiences: readonly string[]
}

export class ServiceAccountUsers implements TokenUsers {
  readonly #deps: ServiceAccountDeps
  readonly #remembered = new Map<string, Remembered>()

  constructor(deps: ServiceAccountDeps) {
    this.#deps = deps
  }

  userOf(token: string): UserInfo | undefined {
    return this.identify(token, this.#deps.audiences)?.user
  }

  /** With those of `audiences` that the token is meant for; undefined when it is for none. */
  identify(
    token: string,
    audiences: readonly string[],
  ): { user: UserInfo; audiences: readonly string[] } | undefined {
    const known = this.#remembered.get(token)
    const fresh = known !== undefined && known.untilMs > this.#deps.clock.monotonicMs()
    const found = fresh ? known : this.#verify(token)
    if (found === undefined) return undefined
    const common = found.audiences.filter((audience) => audiences.includes(audience))
    return common.length === 0 ? undefined : { user: found.user, audiences: common }
  }

  #verify(token: string): Remembered | undefined {
    this.#remembered.delete(token)
    const { tokens, issuer, clock } = this.#deps
    const nowMs = clock.nowMs()
    const verified = tokens.verify(token, issuer, nowMs)
    if (!verified.ok || !this.#isLive(verified.claims, nowMs)) return undefined
    const { claims } = verified
    const leftMs = claims.exp * 1000 - nowMs
    const untilMs = clock.monotonicMs() + Math.min(REMEMBERED_MS, Math.max(leftMs, 0))
    const remembered = { user: userFrom(claims), audiences: claims.aud, untilMs }
    if (this.#remembered.size >= REMEMBERED_MAX) {
      this.#remembered.delete(this.#remembered.keys().next().value!)
    }
    this.#remembered.set(token, remembered)
    return remembered
  }

  #isLive(claims: ServiceAccountClaims, nowMs: number): boolean {
    const { namespace, serviceaccount, pod, secret, node } = claims['kubernetes.io']
    const stands = <O extends KubeObject>(row: ResourceRow<O>, bound: BoundObject, where: Where) =>
      isStanding(readObject(this.#deps.store, row, where)?.metadata, bound, nowMs)
    const here = (bound: BoundObject) => ({ namespace, name: bound.name })
    if (!stands(serviceAccounts, serviceaccount, here(serviceaccount))) return false
    if (secret && !stands(secrets, secret, here(secret))) return false
    if (pod) return stands(pods, pod, here(pod))
    return node === undefined || stands(nodes, node, { name: node.name })
  }
}

function isStanding(meta: ObjectMeta | undefined, bound: BoundObject, nowMs: number): boolean {
  if (meta === undefined || meta.uid !== bound.uid) return false
  const { deletionTimestamp } = meta
  return deletionTimestamp === undefined || parseTime(deletionTimestamp) > nowMs - DELETED_LEEWAY_MS
}

const POD_NAME = 'authentication.kubernetes.io/pod-name'
const POD_UID = 'authentication.kubernetes.io/pod-uid'
const NODE_NAME = 'authentication.kubernetes.io/node-name'
const NODE_UID = 'authentication.kubernetes.io/node-uid'

function userFrom(claims: ServiceAccountClaims): UserInfo {
  const { namespace, serviceaccount, pod, node } = claims['kubernetes.io']
  const extra: Record<string, string[]> = { [CREDENTIAL_ID]: [`JTI=${claims.jti}`] }
  if (node) {
    extra[NODE_NAME] = [node.name]
    if (node.uid) extra[NODE_UID] = [node.uid]
  }
  if (pod) {
    extra[POD_NAME] = [pod.name]
    extra[POD_UID] = [pod.uid]
  }
  return authenticated({
    username: `system:serviceaccount:${namespace}:${serviceaccount.name}`,
    uid: serviceaccount.uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
    extra,
  })
}
