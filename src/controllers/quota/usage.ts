// What a namespace uses of what a quota limits. Pure.

import type { KubeObject } from '../../api/object.ts'
import { type Quantity, quantityOf } from '../../api/quantity.ts'
import { type Amounts, parseAmounts, plus } from '../../api/quota/amounts.ts'
import { chargeOf, looksInside } from '../../api/quota/charge.ts'
import type { Charge } from '../../api/quota/contract.ts'
import { requirementsOf } from '../../api/quota/scopes.ts'
import { type AnyRow, qualifiedResource } from '../../api/resource.ts'
import type { ResourceQuota } from '../../api/schema/generated/types.ts'

/** The objects of a kind in the namespace; undefined when they are not known. */
export type ObjectsOf = (row: AnyRow) => readonly KubeObject[] | undefined

/** What could be counted, of all that `hard` names. */
export function countUsage(
  quota: ResourceQuota,
  rows: readonly AnyRow[],
  objectsOf: ObjectsOf,
  nowMs: number,
): Amounts {
  const names = Object.keys(quota.spec?.hard ?? {})
  let total = new Map<string, Quantity>()
  for (const { row, charge } of charged(rows)) {
    const wanted = names.filter((name) => charge.countsFor(name))
    const objects = wanted.length === 0 ? undefined : objectsOf(row)
    if (objects === undefined) continue
    total = plus(total, new Map(wanted.map((name) => [name, quantityOf(0)])))
    total = plus(total, usageOf(quota, { row, charge, objects, nowMs }))
  }
  return new Map([...total].filter(([name]) => names.includes(name)))
}

/** Each resource once, whatever versions of it are served. */
function charged(rows: readonly AnyRow[]): { row: AnyRow; charge: Charge }[] {
  const seen = new Set<string>()
  return rows.flatMap((row) => {
    const charge = row.scope === 'Namespaced' ? chargeOf(row) : undefined
    const name = qualifiedResource(row)
    if (charge === undefined || seen.has(name)) return []
    seen.add(name)
    return [{ row, charge }]
  })
}

type Counted = { row: AnyRow; charge: Charge; objects: readonly KubeObject[]; nowMs: number }

function usageOf(quota: ResourceQuota, { row, charge, objects, nowMs }: Counted): Amounts {
  const requirements = requirementsOf(quota)
  if (looksInside(row)) {
    const mine = objects.filter((object) =>
      requirements.every((requirement) => charge.isInScope(object, requirement)),
    )
    return mine.reduce<Amounts>((sum, object) => plus(sum, charge.usage(object, nowMs)), new Map())
  }
  const [first] = objects
  if (first === undefined || requirements.length > 0) return new Map()
  const names = [...charge.usage(first, nowMs).keys()]
  return new Map(names.map((name) => [name, quantityOf(objects.length)]))
}

/** Whether the status lacks what the quota limits, or something that could be counted. */
export function isIncomplete({ spec, status }: ResourceQuota, rows: readonly AnyRow[]): boolean {
  const [wanted, hard] = [parseAmounts(spec?.hard), parseAmounts(status?.hard)]
  const used = parseAmounts(status?.used)
  if (!Bun.deepEquals(wanted, hard)) return true
  const missing = [...wanted.keys()].filter((name) => !used.has(name))
  return missing.some((name) => charged(rows).some(({ charge }) => charge.countsFor(name)))
}
