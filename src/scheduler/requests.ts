// What a pod asks of a node. Pure.
//
// Sum of the regular containers and sidecars, or the largest init container with the sidecars that
// run beside it, whichever is more; plus overhead (KEP-753). Pod-level resources override.

import { NUMBERS, peakOf } from '../api/pod/resources.ts'
import { milliUnits, parseQuantity, wholeUnits } from '../api/quantity.ts'
import type { Container, Pod } from '../api/schema/generated/types.ts'

/** CPU in thousandths of a core, everything else in its own unit (bytes, pieces). */
export type Amounts = ReadonlyMap<string, number>

/** What scores count for a container that asks for nothing: 100 m of CPU and 200 MiB. */
const UNSAID: Amounts = new Map([
  ['cpu', 100],
  ['memory', 200 * 1024 * 1024],
])

export function requestsOf(pod: Pod): Amounts {
  return podAmounts(pod, (container) => amountsOf(container.resources?.requests))
}

/** As `requestsOf`, but a container without a request counts as a small one. */
export function scoredRequestsOf(pod: Pod): Amounts {
  return podAmounts(pod, (container) => {
    const asked = amountsOf(container.resources?.requests)
    return new Map([...UNSAID, ...asked])
  })
}

/** Parsed `requests`, `allocatable` and the like. */
export function amountsOf(list: Readonly<Record<string, string>> | undefined): Amounts {
  const entries = Object.entries(list ?? {})
  return new Map(entries.map(([name, text]) => [name, amountOf(name, text)]))
}

function amountOf(name: string, text: string): number {
  const quantity = parseQuantity(text)
  return name === 'cpu' ? milliUnits(quantity) : wholeUnits(quantity)
}

function podAmounts({ spec }: Pod, of: (container: Container) => Amounts): Amounts {
  const total = peakOf(spec, of, NUMBERS)
  for (const [name, amount] of amountsOf(spec.resources?.requests)) total.set(name, amount)
  add(total, amountsOf(spec.overhead))
  return total
}

export function add(total: Map<string, number>, more: Amounts): void {
  for (const [name, amount] of more) total.set(name, (total.get(name) ?? 0) + amount)
}

export function subtract(total: Map<string, number>, less: Amounts): void {
  for (const [name, amount] of less) total.set(name, (total.get(name) ?? 0) - amount)
}
