// Who asked, and when something was decided, is written by the server
// (pkg/registry/certificates/certificates/strategy.go).

import type { RequestContext } from '../../../resource.ts'
import type {
  CertificateSigningRequest,
  CertificateSigningRequestCondition,
} from '../../../schema/generated/types.ts'
import { formatTime } from '../../../time.ts'

type Condition = CertificateSigningRequestCondition

/** Users cannot say that they are somebody else, nor make approved requests. */
export function injectRequester(request: CertificateSigningRequest, { user }: RequestContext) {
  const { username: _name, uid: _uid, groups: _groups, extra: _extra, ...spec } = request.spec
  request.spec = {
    ...spec,
    ...(user.username === '' ? {} : { username: user.username }),
    ...(user.uid ? { uid: user.uid } : {}),
    ...(user.groups.length === 0 ? {} : { groups: [...user.groups] }),
    ...(isEmpty(user.extra) ? {} : { extra: copyLists(user.extra!) }),
  }
  request.status = {}
}

/** A signer writes the certificate; decisions that were made stay as they are. */
export function mergeCertificate(
  sent: CertificateSigningRequest,
  stored: CertificateSigningRequest,
  { nowMs }: RequestContext,
): CertificateSigningRequest {
  const old = stored.status?.conditions ?? []
  let conditions = [...(sent.status?.conditions ?? [])]
  for (const type of ['Approved', 'Denied']) conditions = keepConditions(conditions, old, type)
  const status = withConditions(sent.status ?? {}, datedConditions(conditions, old, nowMs))
  return { ...sent, spec: stored.spec, status }
}

/** An approver writes conditions and nothing else. */
export function mergeApproval(
  sent: CertificateSigningRequest,
  stored: CertificateSigningRequest,
  { nowMs }: RequestContext,
): CertificateSigningRequest {
  const old = stored.status?.conditions ?? []
  const conditions = datedConditions(sent.status?.conditions ?? [], old, nowMs)
  return { ...sent, spec: stored.spec, status: withConditions(stored.status ?? {}, conditions) }
}

/** Where as many are sent as are stored, the stored ones stand; else validation will complain. */
function keepConditions(sent: Condition[], old: readonly Condition[], type: string): Condition[] {
  const kept = old.filter((condition) => condition.type === type)
  if (sent.filter((condition) => condition.type === type).length !== kept.length) return sent
  return sent.map((condition) => (condition.type === type ? kept.shift()! : condition))
}

function datedConditions(
  conditions: readonly Condition[],
  old: readonly Condition[],
  nowMs: number,
): Condition[] {
  const now = formatTime(nowMs)
  return conditions.map((condition) => {
    const same = old.find(
      ({ type, status, lastTransitionTime }) =>
        type === condition.type && status === condition.status && lastTransitionTime !== undefined,
    )
    return {
      ...condition,
      lastUpdateTime: condition.lastUpdateTime ?? now,
      lastTransitionTime: condition.lastTransitionTime ?? same?.lastTransitionTime ?? now,
    }
  })
}

function withConditions(
  { conditions: _old, ...status }: NonNullable<CertificateSigningRequest['status']>,
  conditions: Condition[],
) {
  return conditions.length === 0 ? status : { ...status, conditions }
}

function copyLists(lists: Readonly<Record<string, readonly string[]>>) {
  return Object.fromEntries(Object.entries(lists).map(([key, values]) => [key, [...values]]))
}

function isEmpty(map: object | undefined): boolean {
  return Object.keys(map ?? {}).length === 0
}
