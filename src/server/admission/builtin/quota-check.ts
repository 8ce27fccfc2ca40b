// Whether a write fits into the quotas of its namespace, and what it leaves of them. Pure.

import {
  type Amounts,
  amountsText,
  exceeding,
  formatAmounts,
  growth,
  only,
  parseAmounts,
  plus,
  withoutZeros,
} from '../../../api/quota/amounts.ts'
import { chargeOf } from '../../../api/quota/charge.ts'
import type { Charge } from '../../../api/quota/contract.ts'
import { requirementsOf } from '../../../api/quota/scopes.ts'
import type { ResourceQuota } from '../../../api/schema/generated/types.ts'
import type { Entry } from '../../../store/store.ts'
import { asAny } from '../../storage/reader.ts'
import { type Attributes, refused } from '../chain.ts'

/** A quota while writes are charged to it, one after the other. */
export type Account = {
  readonly entry: Entry
  readonly quota: ResourceQuota
  readonly hard: Amounts
  readonly used: Amounts
}

export function accountOf(entry: Entry, quota: ResourceQuota): Account {
  const { hard, used } = quota.status ?? {}
  return { entry, quota, hard: parseAmounts(hard), used: parseAmounts(used) }
}

/** The quota as it is to be stored. */
export function chargedQuota({ quota, used }: Account): ResourceQuota {
  return { ...quota, status: { ...quota.status, used: formatAmounts(used) } }
}

/** Who says what the write costs; undefined for what costs nothing. */
export function askedCharge(attributes: Attributes): Charge | undefined {
  const { request, operation, subresource, object, old, namespace } = attributes
  const { row } = request
  const isNamespace = row.group === '' && row.plural === 'namespaces'
  if (namespace === '' || object === undefined || isNamespace) return undefined
  const charge = chargeOf(row)
  return charge?.isAsked({ operation, subresource, object, old }) ? charge : undefined
}

/**
 * The accounts after the write; the very same list when it costs nothing. Throws 403 when it does
 * not fit into one of them.
 */
export function planCharge(
  accounts: readonly Account[],
  charge: Charge,
  attributes: Attributes,
  nowMs: number,
): readonly Account[] {
  const { object, old, operation, subresource } = attributes
  const concerned = accounts.filter((account) => isConcerned(account, charge, object!))
  for (const account of concerned) checkKnown(account, charge, attributes)
  if (concerned.length === 0) return accounts
  const usage = charge.usage(object!, nowMs)
  const negative = [...usage].filter(([, { unscaled }]) => unscaled < 0n).map(([name]) => name)
  if (negative.length > 0) {
    const names = negative.toSorted().join(',')
    throw refused(attributes, `quota usage is negative for resource(s): ${names}`)
  }
  const before = operation === 'UPDATE' && old !== undefined ? old : undefined
  const more = before === undefined ? usage : growth(usage, charge.usage(before, nowMs))
  const charged = concerned.map((account) => {
    const wasCharged = before !== undefined && isConcerned(account, charge, before)
    const cost = withoutZeros(wasCharged ? more : usage)
    const requested = only(cost, (name) => account.hard.has(name))
    if (requested.size === 0) return account
    const used = plus(account.used, requested)
    if (subresource !== 'status') checkRoom({ ...account, used }, account, requested, attributes)
    return { ...account, used }
  })
  const isSame = charged.every((account, index) => account === concerned[index])
  if (isSame) return accounts
  return accounts.map((account) => charged[concerned.indexOf(account)] ?? account)
}

function isConcerned({ quota, hard }: Account, charge: Charge, object: object): boolean {
  if (![...hard.keys()].some((name) => charge.countsFor(name))) return false
  const given = object as Parameters<Charge['isInScope']>[0]
  return requirementsOf(quota).every((requirement) => charge.isInScope(given, requirement))
}

function checkKnown({ quota, hard, used }: Account, charge: Charge, attributes: Attributes) {
  const { name } = asAny(quota).metadata
  const limited = [...hard.keys()].filter((each) => charge.countsFor(each)).toSorted()
  const missing = charge.missing?.(attributes.object!, limited)
  if (missing !== undefined) throw refused(attributes, `failed quota: ${name}: ${missing}`)
  if (limited.every((each) => used.has(each))) return
  const what = `status unknown for quota: ${name}, resources: ${limited.join(',')}`
  throw refused(attributes, what)
}

function checkRoom(
  { used, hard }: Account,
  before: Account,
  requested: Amounts,
  attributes: Attributes,
) {
  const names = exceeding(
    only(used, (name) => requested.has(name)),
    hard,
  )
  if (names.size === 0) return
  const text = (amounts: Amounts) => amountsText(only(amounts, (name) => names.has(name)))
  const { name } = asAny(before.quota).metadata
  const limits = `used: ${text(before.used)}, limited: ${text(hard)}`
  throw refused(attributes, `exceeded quota: ${name}, requested: ${text(requested)}, ${limits}`)
}
