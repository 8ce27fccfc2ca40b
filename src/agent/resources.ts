// Classes of service, cgroup paths, OOM scores and users: what a pod's resources mean. Pure.

import {
  addQuantity,
  compareQuantity,
  formatQuantity,
  parseQuantity,
  type Quantity,
  wholeUnits,
  ZERO,
} from '../api/quantity.ts'
import type { Container, LinuxContainerUser, Pod } from '../api/schema/generated/types.ts'
import { own } from '../lib/own.ts'
import { isSidecar } from './plan/pod-seen.ts'

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort'
type Amounts = Readonly<Record<string, string>>
type Sums = Map<string, Quantity>

const NODE_CRITICAL_PRIORITY = 2_000_000_000

/** As the API server computed it, or anew from the containers. */
export function qosClassOf(pod: Pod): QosClass {
  const known = pod.status?.qosClass
  if (known !== undefined) return known as QosClass
  const shared = pod.spec.resources
  const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]
  const all = shared === undefined ? containers.map(({ resources }) => resources) : [shared]
  const counts = ['cpu', 'memory']
  const asks = (list: Amounts | undefined) => counts.some((name) => !isZero(own(list, name) ?? '0'))
  if (!all.some((one) => asks(one?.requests) || asks(one?.limits))) return 'BestEffort'
  const isExact = all.every((one) =>
    counts.every((name) => {
      const limit = own(one?.limits, name)
      const request = own(one?.requests, name) ?? limit
      return limit !== undefined && !isZero(limit) && isEqual(limit, request)
    }),
  )
  return isExact ? 'Guaranteed' : 'Burstable'
}

/** kubepods[/burstable|/besteffort]/pod<uid>, below the cgroup root. */
export function cgroupParentOf(pod: Pod): string {
  const qos = qosClassOf(pod)
  const tier = qos === 'Guaranteed' ? '' : `/${qos.toLowerCase()}`
  return `kubepods${tier}/pod${pod.metadata.uid}`
}

/**
 * Who dies first when memory runs out. A container that asks for most of the memory is nearly as
 * safe as a guaranteed one; the kubelet's qos policy.
 */
export function oomScoreAdjOf(pod: Pod, container: Container, memoryBytes: number): number {
  if ((pod.spec.priority ?? 0) >= NODE_CRITICAL_PRIORITY) return -997
  const qos = qosClassOf(pod)
  if (qos === 'Guaranteed') return -997
  if (qos === 'BestEffort') return 1000
  const own = burstableScore(container, memoryBytes)
  if (!isSidecar(container)) return own
  // A sidecar must not die before those that it serves.
  const others = pod.spec.containers.map((other) => burstableScore(other, memoryBytes))
  return Math.min(own, ...others)
}

function burstableScore({ resources }: Container, memoryBytes: number): number {
  const text = resources?.requests?.memory
  const requested = text === undefined ? 0 : wholeUnits(parseQuantity(text))
  const score = 1000 - Math.trunc((1000 * requested) / memoryBytes)
  return Math.min(Math.max(score, 3), 999)
}

/** What the pod needs in all: the larger of all together and each init container in its turn. */
export function podRequests(pod: Pod): Record<string, string> {
  return podTotals(pod, 'requests')
}

/** The sum of the limits, of the containers that have one. */
export function podLimits(pod: Pod): Record<string, string> {
  return podTotals(pod, 'limits')
}

function podTotals(pod: Pod, kind: 'requests' | 'limits'): Record<string, string> {
  const amountsOf = (container: Container) => container.resources?.[kind] ?? {}
  const together: Sums = new Map()
  const peak: Sums = new Map()
  for (const container of pod.spec.containers) add(together, amountsOf(container))
  const sidecars: Sums = new Map()
  for (const container of pod.spec.initContainers ?? []) {
    if (isSidecar(container)) {
      add(together, amountsOf(container))
      add(sidecars, amountsOf(container))
      raise(peak, sidecars)
      continue
    }
    const alone = new Map(sidecars)
    add(alone, amountsOf(container))
    raise(peak, alone)
  }
  raise(together, peak)
  for (const [name, text] of Object.entries(pod.spec.resources?.[kind] ?? {})) {
    together.set(name, parseQuantity(text))
  }
  const hasAny = together.size > 0 || kind === 'requests'
  if (hasAny && pod.spec.overhead) add(together, pod.spec.overhead)
  const sorted = [...together].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(sorted.map(([name, amount]) => [name, formatQuantity(amount)]))
}

function add(sums: Sums, amounts: Amounts): void {
  for (const [name, text] of Object.entries(amounts)) {
    sums.set(name, addQuantity(sums.get(name) ?? ZERO, parseQuantity(text)))
  }
}

function raise(sums: Sums, to: Sums): void {
  for (const [name, amount] of to) {
    const now = sums.get(name)
    if (now === undefined || compareQuantity(amount, now) > 0) sums.set(name, amount)
  }
}

/** Known from the pod alone, without a look into the image; undefined when it is not. */
export function userOf(pod: Pod, container: Container): LinuxContainerUser | undefined {
  const shared = pod.spec.securityContext
  const own = container.securityContext
  const uid = own?.runAsUser ?? shared?.runAsUser
  const gid = own?.runAsGroup ?? shared?.runAsGroup
  if (uid === undefined || gid === undefined) return undefined
  const groups = new Set([gid, ...volumeGroupsOf(pod), ...(shared?.supplementalGroups ?? [])])
  return { uid, gid, supplementalGroups: [...groups].toSorted((a, b) => a - b) }
}

/** Groups that let a container into the pod's volumes. */
export function volumeGroupsOf(pod: Pod): number[] {
  const fsGroup = pod.spec.securityContext?.fsGroup
  return fsGroup === undefined ? [] : [fsGroup]
}

function isZero(text: string | undefined): boolean {
  return text !== undefined && parseQuantity(text).unscaled === 0n
}

function isEqual(a: string, b: string | undefined): boolean {
  return b !== undefined && compareQuantity(parseQuantity(a), parseQuantity(b)) === 0
}
