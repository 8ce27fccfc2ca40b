// Sums over the resources of a pod's containers, and the class of service that follows from them.

import { own } from '../../lib/own.ts'
import {
  addQuantity,
  compareQuantity,
  formatQuantity,
  parseQuantity,
  type Quantity,
  scaledValue,
  ZERO,
} from '../quantity.ts'
import type { Container, Pod, PodSpec, ResourceRequirements } from '../schema/generated/types.ts'
import { isSidecar } from './containers.ts'

export type ResourceList = { [name: string]: string }
type Amounts = Map<string, Quantity>

/** Finer than a thousandth is rounded up; `list` is changed. */
export function roundToMilli(list: ResourceList | undefined) {
  for (const [name, text] of Object.entries(list ?? {})) {
    const quantity = parseQuantity(text)
    if (quantity.scale >= -3) continue
    list![name] = formatQuantity({ ...quantity, unscaled: scaledValue(quantity, -3), scale: -3 })
  }
}

/** How amounts of one kind are put together. */
export type Arithmetic<T> = {
  readonly plus: (a: T, b: T) => T
  readonly isMore: (a: T, b: T) => boolean
}

export const NUMBERS: Arithmetic<number> = { plus: (a, b) => a + b, isMore: (a, b) => a > b }
export const QUANTITIES: Arithmetic<Quantity> = {
  plus: addQuantity,
  isMore: (a, b) => compareQuantity(a, b) > 0,
}

/**
 * What the containers of a pod need together (KEP-753): at any time either all regular containers
 * with all sidecars, or one init container with the sidecars before it. `of` says what one needs.
 */
export function peakOf<T>(
  spec: PodSpec,
  of: (container: Container) => ReadonlyMap<string, T>,
  arithmetic: Arithmetic<T>,
): Map<string, T> {
  const totals = new Map<string, T>()
  for (const container of spec.containers ?? []) addTo(totals, of(container), arithmetic)
  const sidecars = new Map<string, T>()
  const peak = new Map<string, T>()
  for (const container of spec.initContainers ?? []) {
    const wanted = new Map(of(container))
    if (isSidecar(container)) {
      addTo(totals, wanted, arithmetic)
      addTo(sidecars, wanted, arithmetic)
      raise(peak, sidecars, arithmetic)
    } else {
      addTo(wanted, sidecars, arithmetic)
      raise(peak, wanted, arithmetic)
    }
  }
  raise(totals, peak, arithmetic)
  return totals
}

export function containerTotals(spec: PodSpec, of: 'requests' | 'limits'): ResourceList {
  return formatAmounts(quantityPeak(spec, of))
}

/** What the pod needs in all: of its containers, or what it says for all of them; and overhead. */
export function podRequests({ spec }: Pod): ResourceList {
  return podTotals(spec, 'requests')
}

/** The sum of the limits, of the containers that have one. */
export function podLimits({ spec }: Pod): ResourceList {
  return podTotals(spec, 'limits')
}

function podTotals(spec: PodSpec, of: 'requests' | 'limits'): ResourceList {
  const totals = quantityPeak(spec, of)
  for (const [name, amount] of parsed(spec.resources?.[of])) totals.set(name, amount)
  const hasAny = totals.size > 0 || of === 'requests'
  if (hasAny) addTo(totals, parsed(spec.overhead), QUANTITIES)
  return formatAmounts(new Map([...totals].toSorted(([a], [b]) => (a < b ? -1 : 1))))
}

function quantityPeak(spec: PodSpec, of: 'requests' | 'limits'): Amounts {
  return peakOf(spec, (container) => parsed(container.resources?.[of]), QUANTITIES)
}

function formatAmounts(amounts: Amounts): ResourceList {
  return Object.fromEntries([...amounts].map(([name, amount]) => [name, formatQuantity(amount)]))
}

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort'

/** As the API server said when it made the pod, or anew. */
export function qosClassOf(pod: Pod): QosClass {
  return (pod.status?.qosClass as QosClass | undefined) || computeQosClass(pod)
}

/** From defaulted resources. KEP-2837: those of the pod, when given, alone decide. */
export function computeQosClass(pod: Pod): QosClass {
  const { resources, containers, initContainers } = pod.spec
  const parts: (ResourceRequirements | undefined)[] =
    resources === undefined
      ? [...(containers ?? []), ...(initContainers ?? [])].map((each) => each.resources)
      : [resources]
  const [requests, limits]: [Amounts, Amounts] = [new Map(), new Map()]
  let isGuaranteed = true
  for (const part of parts) {
    addTo(requests, parsed(computeOf(part?.requests)), QUANTITIES)
    const limited = computeOf(part?.limits)
    addTo(limits, parsed(limited), QUANTITIES)
    // Pod-level resources without limits fail the comparison below instead.
    const isJudged = resources === undefined || part?.limits !== undefined
    if (isJudged && Object.keys(limited).length < COMPUTE.length) isGuaranteed = false
  }
  if (requests.size === 0 && limits.size === 0) return 'BestEffort'
  const isEqual =
    requests.size === limits.size &&
    [...requests].every(([name, amount]) => {
      const limit = limits.get(name)
      return limit !== undefined && compareQuantity(limit, amount) === 0
    })
  return isGuaranteed && isEqual ? 'Guaranteed' : 'Burstable'
}

const COMPUTE = ['cpu', 'memory']

/** CPU and memory that are more than nothing. */
function computeOf(list: ResourceList | undefined): ResourceList {
  const entries = COMPUTE.flatMap((name) => {
    const text = own(list, name)
    const isSome = text !== undefined && compareQuantity(parseQuantity(text), ZERO) > 0
    return isSome ? [[name, text] as const] : []
  })
  return Object.fromEntries(entries)
}

function parsed(list: ResourceList | undefined): Amounts {
  return new Map(Object.entries(list ?? {}).map(([name, text]) => [name, parseQuantity(text)]))
}

function addTo<T>(totals: Map<string, T>, more: ReadonlyMap<string, T>, { plus }: Arithmetic<T>) {
  for (const [name, amount] of more) {
    const sum = totals.get(name)
    totals.set(name, sum === undefined ? amount : plus(sum, amount))
  }
}

function raise<T>(
  totals: Map<string, T>,
  least: ReadonlyMap<string, T>,
  { isMore }: Arithmetic<T>,
) {
  for (const [name, amount] of least) {
    const current = totals.get(name)
    if (current === undefined || isMore(amount, current)) totals.set(name, amount)
  }
}
