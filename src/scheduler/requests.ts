// What a pod asks of a node. Pure.
//
// Sum of the regular containers and sidecars, or the largest init container with the sidecars that
// run beside it, whichever is more; plus overhead (KEP-753). Pod-level resources override, and a
// resize counts until it is over.

import { isSidecar } from '../api/pod/containers.ts'
import { NUMBERS, peakOf } from '../api/pod/resources.ts'
import { milliUnits, parseQuantity, wholeUnits } from '../api/quantity.ts'
import type { Container, ContainerStatus, Pod } from '../api/schema/generated/types.ts'

/** CPU in thousandths of a core, everything else in its own unit (bytes, pieces). */
export type Amounts = ReadonlyMap<string, number>
type ResourceList = Readonly<Record<string, string>>

/** What scores count for a container that asks for nothing: 100 m of CPU and 200 MiB. */
const UNSAID: Amounts = new Map([
  ['cpu', 100],
  ['memory', 200 * 1024 * 1024],
])

export function requestsOf(pod: Pod): Amounts {
  return podAmounts(pod, (amounts) => amounts)
}

/** As `requestsOf`, but a container without a request counts as a small one. */
export function scoredRequestsOf(pod: Pod): Amounts {
  return podAmounts(pod, (amounts) => new Map([...UNSAID, ...amounts]))
}

/** Parsed `requests`, `allocatable` and the like. */
export function amountsOf(list: ResourceList | undefined): Amounts {
  const entries = Object.entries(list ?? {})
  return new Map(entries.map(([name, text]) => [name, amountOf(name, text)]))
}

function amountOf(name: string, text: string): number {
  const quantity = parseQuantity(text)
  return name === 'cpu' ? milliUnits(quantity) : wholeUnits(quantity)
}

function podAmounts(pod: Pod, counted: (amounts: Amounts) => Amounts): Amounts {
  const { spec, status } = pod
  const statuses = new Map(
    [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].map(
      (one) => [one.name, one] as const,
    ),
  )
  const total = peakOf(
    spec,
    (container) => counted(containerAmounts(pod, container, statuses.get(container.name))),
    NUMBERS,
  )
  for (const [name, amount] of podLevelAmounts(pod)) total.set(name, amount)
  add(total, amountsOf(spec.overhead))
  return total
}

function containerAmounts(
  pod: Pod,
  container: Container,
  status: ContainerStatus | undefined,
): Amounts {
  const asked = amountsOf(container.resources?.requests)
  // Only what goes on running can be resized.
  const isLasting = pod.spec.containers.includes(container) || isSidecar(container)
  if (!isLasting || status?.resources === undefined) return asked
  return inEffect(pod, asked, [status.resources.requests, status.allocatedResources])
}

function podLevelAmounts(pod: Pod): Amounts {
  const { spec, status } = pod
  const asked = amountsOf(spec.resources?.requests)
  if (status?.resources === undefined) return asked
  return inEffect(pod, asked, [status.resources.requests, status.allocatedResources])
}

/**
 * While a pod is resized (KEP-1287), the largest of what it asks for, what its node has granted and
 * what it has: unless the node has said that it will never grant more.
 */
function inEffect(pod: Pod, asked: Amounts, had: readonly (ResourceList | undefined)[]): Amounts {
  const pending = pod.status?.conditions?.find(({ type }) => type === 'PodResizePending')
  const total = new Map(pending?.reason === 'Infeasible' ? [] : asked)
  for (const list of had) {
    for (const [name, amount] of amountsOf(list)) {
      total.set(name, Math.max(total.get(name) ?? 0, amount))
    }
  }
  return total
}

export function add(total: Map<string, number>, more: Amounts): void {
  for (const [name, amount] of more) total.set(name, (total.get(name) ?? 0) + amount)
}

export function subtract(total: Map<string, number>, less: Amounts): void {
  for (const [name, amount] of less) total.set(name, (total.get(name) ?? 0) - amount)
}
