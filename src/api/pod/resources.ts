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

/**
 * What the containers of a pod need together: at any time either all regular containers with all
 * sidecars, or one init container with the sidecars before it.
 */
export function containerTotals(spec: PodSpec, of: 'requests' | 'limits'): ResourceList {
  const totals: Amounts = new Map()
  for (const container of spec.containers ?? []) add(totals, container.resources?.[of])
  const sidecars: Amounts = new Map()
  const peak: Amounts = new Map()
  for (const container of spec.initContainers ?? []) {
    const wanted: Amounts = new Map()
    add(wanted, container.resources?.[of])
    if (isSidecar(container)) {
      merge(totals, wanted)
      merge(sidecars, wanted)
      raise(peak, sidecars)
    } else {
      merge(wanted, sidecars)
      raise(peak, wanted)
    }
  }
  raise(totals, peak)
  return Object.fromEntries([...totals].map(([name, quantity]) => [name, formatQuantity(quantity)]))
}

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort'

/** KEP of pod-level resources: when those are given, they alone decide. */
export function qosClassOf(pod: Pod): QosClass {
  const { resources, containers, initContainers } = pod.spec
  const parts: (ResourceRequirements | undefined)[] =
    resources === undefined
      ? [...(containers ?? []), ...(initContainers ?? [])].map((each) => each.resources)
      : [resources]
  const [requests, limits]: [Amounts, Amounts] = [new Map(), new Map()]
  let isGuaranteed = true
  for (const part of parts) {
    add(requests, computeOf(part?.requests))
    const limited = computeOf(part?.limits)
    add(limits, limited)
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

function isSidecar(container: Container): boolean {
  return container.restartPolicy === 'Always'
}

function add(totals: Amounts, list: ResourceList | undefined) {
  merge(totals, new Map(Object.entries(list ?? {}).map(([name, q]) => [name, parseQuantity(q)])))
}

function merge(totals: Amounts, more: Amounts) {
  for (const [name, amount] of more) {
    const sum = totals.get(name)
    totals.set(name, sum === undefined ? amount : addQuantity(sum, amount))
  }
}

function raise(totals: Amounts, least: Amounts) {
  for (const [name, amount] of least) {
    const current = totals.get(name)
    if (current === undefined || compareQuantity(amount, current) > 0) totals.set(name, amount)
  }
}
