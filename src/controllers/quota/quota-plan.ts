// The status of a quota, from what was counted and what was charged. Pure.

import { addQuantity, compareQuantity, type Quantity, ZERO } from '../../api/quantity.ts'
import { type Amounts, formatAmounts, growth, parseAmounts } from '../../api/quota/amounts.ts'
import type { ResourceQuota, ResourceQuotaStatus } from '../../api/schema/generated/types.ts'

/** Within this, an object that was charged for has been stored, or never will be. */
export const UNDERWAY_MS = 1000

/** What a quota came to be charged, at one time. */
export type Charged = { readonly atMs: number; readonly amounts: Amounts }

/** The charges that may not be counted yet; `seen` is what was used when one last looked. */
export function chargesUnderway(
  charges: readonly Charged[],
  seen: Amounts,
  used: Amounts,
  nowMs: number,
): Charged[] {
  const young = charges.filter(({ atMs }) => nowMs - atMs < UNDERWAY_MS)
  const amounts = growth(used, seen)
  return amounts.size === 0 ? young : [...young, { atMs: nowMs, amounts }]
}

export type QuotaPlan = {
  status: ResourceQuotaStatus
  /** Less is counted than charged: once nothing is underway any more, that is taken back. */
  isHeld: boolean
}

/** `counted` has what could be counted, of what the quota limits. */
export function planQuota(
  { spec, status }: ResourceQuota,
  counted: Amounts,
  underway: readonly Charged[],
): QuotaPlan {
  const { hard = {} } = spec ?? {}
  const before = parseAmounts(status?.used)
  const used = new Map<string, Quantity>()
  let isHeld = false
  for (const name of Object.keys(hard)) {
    const [count, charged] = [counted.get(name), before.get(name)]
    const amount = count === undefined ? charged : planAmount(name, count, charged, underway)
    if (amount === undefined) continue
    isHeld ||= count !== undefined && compareQuantity(amount, count) !== 0
    used.set(name, amount)
  }
  if (Object.keys(hard).length === 0) return { status: {}, isHeld }
  return { status: { hard, ...(used.size > 0 ? { used: formatAmounts(used) } : {}) }, isHeld }
}

function planAmount(
  name: string,
  count: Quantity,
  charged: Quantity | undefined,
  underway: readonly Charged[],
): Quantity {
  if (charged === undefined || compareQuantity(count, charged) >= 0) return count
  const most = underway.reduce(
    (sum, { amounts }) => addQuantity(sum, amounts.get(name) ?? ZERO),
    count,
  )
  return compareQuantity(most, charged) < 0 ? most : charged
}
