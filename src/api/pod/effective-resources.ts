// What a pod takes up while its resources may be changing: of what it asks for, what its node has
// set aside and what its containers run with, the most (KEP-1287).

import { compareQuantity, parseQuantity, type Quantity } from '../quantity.ts'
import type { Container, ContainerStatus, Pod } from '../schema/generated/types.ts'
import { isSidecar } from './containers.ts'
import { peakOf, QUANTITIES, type ResourceList } from './resources.ts'

type Amounts = Map<string, Quantity>

/** Of all containers, or what the pod says for all of them; with overhead. */
export function effectiveTotals(pod: Pod, of: 'requests' | 'limits'): Amounts {
  const { spec, status } = pod
  const statuses = new Map(
    [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].map((each) => [
      each.name,
      each,
    ]),
  )
  const isRefused = (status?.conditions ?? []).some(
    ({ type, reason }) => type === 'PodResizePending' && reason === 'Infeasible',
  )
  const inits = new Set(spec.initContainers ?? [])
  const totals = peakOf(
    spec,
    (container) => {
      // Only what keeps running can be resized.
      const isFixed = inits.has(container) && !isSidecar(container)
      const seen = isFixed ? undefined : statuses.get(container.name)
      return effective(container, seen, { of, isRefused })
    },
    QUANTITIES,
  )
  for (const [name, amount] of parsed(spec.resources?.[of])) {
    if (name === 'cpu' || name === 'memory' || name.startsWith('hugepages-')) {
      totals.set(name, amount)
    }
  }
  for (const [name, amount] of parsed(spec.overhead)) {
    const total = totals.get(name)
    const hasLimit = total !== undefined && total.unscaled !== 0n
    if (of === 'limits' && !hasLimit) continue
    totals.set(name, total === undefined ? amount : QUANTITIES.plus(total, amount))
  }
  return totals
}

type Asked = { of: 'requests' | 'limits'; isRefused: boolean }

function effective(
  { resources }: Container,
  status: ContainerStatus | undefined,
  { of, isRefused }: Asked,
): Amounts {
  const asked = parsed(resources?.[of])
  if (status?.resources === undefined) return asked
  const actual = parsed(status.resources[of])
  const allocated = of === 'requests' ? parsed(status.allocatedResources) : new Map()
  return most([...(isRefused ? [] : [asked]), actual, allocated])
}

function most(lists: readonly Amounts[]): Amounts {
  const result: Amounts = new Map()
  for (const [name, amount] of lists.flatMap((list) => [...list])) {
    const before = result.get(name)
    if (before === undefined || compareQuantity(amount, before) > 0) result.set(name, amount)
  }
  return result
}

function parsed(list: ResourceList | undefined): Amounts {
  return new Map(Object.entries(list ?? {}).map(([name, text]) => [name, parseQuantity(text)]))
}
