// CPU shares, quotas and memory limits: from the quantities of a pod to what cgroups take. Pure.

import { NUMBERS, peakOf } from '../../api/pod/resources.ts'
import { milliUnits, parseQuantity, wholeUnits } from '../../api/quantity.ts'
import type { Container, Pod, ResourceRequirements } from '../../api/schema/generated/types.ts'
import { own } from '../../lib/own.ts'
import type { OciResources } from './oci.ts'

export type CpuAndMemory = {
  /** Thousandths of a CPU. */
  readonly cpuRequest: number | undefined
  readonly cpuLimit: number | undefined
  readonly memoryRequestBytes: number | undefined
  readonly memoryLimitBytes: number | undefined
}

export type CgroupLimits = {
  readonly cpuShares: number
  /** Microseconds in each period; undefined for no limit. */
  readonly cpuQuota: number | undefined
  readonly memoryLimitBytes: number | undefined
}

export const CPU_PERIOD_US = 100_000
const SHARES_MIN = 2
const SHARES_MAX = 262_144
const QUOTA_US_MIN = 1000

function cpuAndMemory(resources: ResourceRequirements | undefined): CpuAndMemory {
  const amount = (list: Record<string, string> | undefined, name: string) => {
    const text = own(list, name)
    return text === undefined ? undefined : parseQuantity(text)
  }
  const cpuRequest = amount(resources?.requests, 'cpu')
  const cpuLimit = amount(resources?.limits, 'cpu')
  const memoryRequest = amount(resources?.requests, 'memory')
  const memoryLimit = amount(resources?.limits, 'memory')
  return {
    cpuRequest: cpuRequest && milliUnits(cpuRequest),
    cpuLimit: cpuLimit && milliUnits(cpuLimit),
    memoryRequestBytes: memoryRequest && wholeUnits(memoryRequest),
    memoryLimitBytes: memoryLimit && wholeUnits(memoryLimit),
  }
}

/** Shares follow the request, or the limit where nothing is requested. */
function cgroupLimits(amounts: CpuAndMemory): CgroupLimits {
  return {
    cpuShares: sharesOf(amounts.cpuRequest ?? amounts.cpuLimit ?? 0),
    cpuQuota: quotaOf(amounts.cpuLimit),
    memoryLimitBytes: amounts.memoryLimitBytes || undefined,
  }
}

/** The resources of one container as runc takes them; limits of the pod apply where it has none. */
export function containerResources(
  pod: Pod,
  container: Container,
  allowAllDevices: boolean,
): OciResources {
  const own = cpuAndMemory(container.resources)
  const shared = cpuAndMemory(pod.spec?.resources)
  const limits = cgroupLimits({
    ...own,
    cpuLimit: own.cpuLimit || shared.cpuLimit,
    memoryLimitBytes: own.memoryLimitBytes || shared.memoryLimitBytes,
  })
  return {
    devices: [{ allow: allowAllDevices, access: 'rwm' }],
    cpu: {
      shares: limits.cpuShares,
      ...(limits.cpuQuota === undefined ? {} : { quota: limits.cpuQuota, period: CPU_PERIOD_US }),
    },
    ...(limits.memoryLimitBytes === undefined
      ? {}
      : { memory: { limit: limits.memoryLimitBytes } }),
  }
}

/**
 * What the cgroup of a whole pod gets: sums over its containers, or its pod-level resources. A
 * limit applies only if every container has one.
 */
export function podLimits(pod: Pod): CgroupLimits {
  const shared = cpuAndMemory(pod.spec?.resources)
  const sum = (pick: (amounts: CpuAndMemory) => number | undefined) => podSum(pod, pick)
  const isBounded = (pick: (amounts: CpuAndMemory) => number | undefined) =>
    everyContainer(pod).every((one) => (pick(cpuAndMemory(one.resources)) ?? 0) > 0)
  const cpuLimit = (one: CpuAndMemory) => one.cpuLimit
  const memoryLimit = (one: CpuAndMemory) => one.memoryLimitBytes
  return cgroupLimits({
    cpuRequest: shared.cpuRequest ?? sum((one) => one.cpuRequest),
    cpuLimit: shared.cpuLimit ?? (isBounded(cpuLimit) ? sum(cpuLimit) : undefined),
    memoryRequestBytes: shared.memoryRequestBytes,
    memoryLimitBytes:
      shared.memoryLimitBytes ?? (isBounded(memoryLimit) ? sum(memoryLimit) : undefined),
  })
}

function everyContainer(pod: Pod): readonly Container[] {
  return [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])]
}

function podSum({ spec }: Pod, pick: (amounts: CpuAndMemory) => number | undefined): number {
  const amount = (one: Container) => new Map([['', pick(cpuAndMemory(one.resources)) ?? 0]])
  const overhead = pick(cpuAndMemory({ requests: spec.overhead ?? {} })) ?? 0
  return (peakOf(spec, amount, NUMBERS).get('') ?? 0) + overhead
}

function sharesOf(milli: number): number {
  return Math.min(Math.max(Math.floor((milli * 1024) / 1000), SHARES_MIN), SHARES_MAX)
}

function quotaOf(milli: number | undefined): number | undefined {
  if (!milli) return undefined
  return Math.max(Math.floor((milli * CPU_PERIOD_US) / 1000), QUOTA_US_MIN)
}
