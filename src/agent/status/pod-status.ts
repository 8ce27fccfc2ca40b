// The status of a pod, as the kubelet of 1.36 writes it. Pure.

import { podLimits, podRequests, qosClassOf } from '../../api/pod/resources.ts'
import type { Container, ContainerStatus, PodStatus } from '../../api/schema/generated/types.ts'
import { formatTime } from '../../api/time.ts'
import { type Action, isAlive, type Seen } from '../plan/pod-seen.ts'
import { conditionsOf } from './conditions.ts'
import { containerStatuses, type StatusView } from './container-status.ts'
import { phaseOf } from './phase.ts'

/** All termination messages of a pod together. */
const MESSAGE_BYTES_MAX = 12 * 1024

const SANDBOX = 'PodReadyToStartContainers'

export type NodeIps = readonly string[]

export function podStatus(view: StatusView, hostIps: NodeIps): PodStatus {
  const { seen, plan } = view
  if (seen.rejection !== undefined) return rejectedStatus(seen)
  if (isEndTold(seen)) return endedStatus(view)
  const { spec } = seen.pod
  const ephemeral: Container[] = spec.ephemeralContainers ?? []
  const regular = containerStatuses(view, spec.containers, 'containerStatuses')
  const init = containerStatuses(view, spec.initContainers ?? [], 'initContainerStatuses')
  const extra = containerStatuses(view, ephemeral, 'ephemeralContainerStatuses')
  const status: Lists = {
    containerStatuses: regular,
    ...(init.length > 0 ? { initContainerStatuses: init } : {}),
    ...(extra.length > 0 ? { ephemeralContainerStatuses: extra } : {}),
  }
  if (plan.phase === 'stopped') endAll(status, seen)
  limitMessages(seen, [...regular, ...init, ...extra])
  const all = [...init, ...regular]
  const { phase, reason, message } = phaseAndReason(view, all)
  const requests = podRequests(seen.pod)
  const { generation } = seen.pod.metadata
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    phase,
    conditions: conditionsOf({
      seen,
      phase,
      statuses: all,
      hasSandbox: seen.sandbox?.state === 'ready',
    }),
    ...(message === undefined ? {} : { message }),
    ...(reason === undefined ? {} : { reason }),
    ...addresses(seen, hostIps),
    startTime: seen.reported.startTime ?? formatTime(seen.nowMs),
    ...status,
    qosClass: qosClassOf(seen.pod),
    ...(Object.keys(requests).length > 0 ? { allocatedResources: requests } : {}),
    resources: podResources(seen, requests),
  }
}

/**
 * The API has the pod as Succeeded or Failed: nothing it says of its containers changes any more.
 */
function isEndTold({ pod, reported }: Seen): boolean {
  const phase = pod.status?.phase
  return (phase === 'Succeeded' || phase === 'Failed') && reported.phase === phase
}

function endedStatus({ seen, plan }: StatusView): PodStatus {
  const { conditions, containerStatuses, initContainerStatuses = [] } = seen.reported
  // Refused, and never more than that.
  if (containerStatuses === undefined || conditions === undefined) return seen.reported
  const lists: Lists = { containerStatuses, initContainerStatuses }
  if (plan.phase === 'stopped') endAll(lists, seen)
  if (initContainerStatuses.length === 0) delete lists.initContainerStatuses
  const gone = { status: 'False', lastTransitionTime: formatTime(seen.nowMs) }
  const closed = conditions.map((one) =>
    one.type === SANDBOX && one.status === 'True' && seen.sandbox?.state !== 'ready'
      ? { ...one, ...gone }
      : one,
  )
  return { ...seen.reported, ...lists, conditions: closed }
}

function rejectedStatus({ pod, rejection, reported, nowMs }: Seen): PodStatus {
  const { generation } = pod.metadata
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    phase: 'Failed',
    message: `Pod was rejected: ${rejection!.message}`,
    reason: rejection!.reason,
    qosClass: qosClassOf(pod),
    startTime: reported.startTime ?? formatTime(nowMs),
  }
}

/**
 * A pod becomes Succeeded or Failed only when nothing of it runs any more: others may take that as
 * the sign that what it held is free.
 */
function phaseAndReason(
  { seen, plan }: StatusView,
  statuses: readonly ContainerStatus[],
): { phase: string; reason?: string; message?: string } {
  const { reported, containers, busy } = seen
  const isRunning = containers.some(isAlive) || [...busy.values()].some(isStirring)
  const before = reported.phase ?? 'Pending'
  const wasTerminal = before === 'Succeeded' || before === 'Failed'
  if (wasTerminal) return pick(reported, before)
  if (plan.ending !== undefined) {
    return isRunning ? pick(reported, before) : { phase: 'Failed', ...plan.ending }
  }
  const isOver = plan.phase !== 'running' && !isRunning
  let phase = phaseOf(seen, statuses, isOver)
  const isTerminal = phase === 'Succeeded' || phase === 'Failed'
  if (isTerminal && isRunning) return pick(reported, before)
  // What is deleted before it could end by itself has failed.
  if (plan.phase === 'stopped' && !isTerminal) phase = 'Failed'
  return phase === before ? pick(reported, phase) : { phase }
}

/** Under way, and a container may run because of it. */
function isStirring(action: Action): boolean {
  return action.do === 'start' || action.do === 'stop' || action.do === 'pre-stop'
}

function pick({ reason, message }: PodStatus, phase: string) {
  return {
    phase,
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
  }
}

type Lists = {
  containerStatuses: ContainerStatus[]
  initContainerStatuses?: ContainerStatus[]
  ephemeralContainerStatuses?: ContainerStatus[]
}

/** When a pod is over, a container without a known end counts as failed, never as well. */
function endAll(lists: Lists, seen: Seen): void {
  const { initContainerStatuses: init = [], containerStatuses: regular } = lists
  if (isInitialised(seen, init, regular)) {
    lists.containerStatuses = regular.map(ended)
  }
  const lastTried = init.findLastIndex(
    ({ state, lastState }) => !state?.waiting || lastState?.terminated,
  )
  const tried = Math.max(lastTried + 1, 1)
  if (init.length > 0) {
    lists.initContainerStatuses = init.map((status, i) => (i < tried ? ended(status) : status))
  }
}

function isInitialised(
  { pod }: Seen,
  init: readonly ContainerStatus[],
  regular: readonly ContainerStatus[],
): boolean {
  if ((pod.spec.initContainers ?? []).length === 0) return true
  if (regular.some(({ state, lastState }) => !state?.waiting || lastState?.terminated)) return true
  const last = init.at(-1)
  const end = last?.state?.terminated ?? last?.lastState?.terminated
  return end?.exitCode === 0 || (last?.started === true && last.state?.running !== undefined)
}

function ended(status: ContainerStatus): ContainerStatus {
  if (status.state?.terminated) return status
  const terminated = {
    exitCode: 137,
    reason: 'ContainerStatusUnknown',
    message: 'The container could not be located when the pod was terminated',
  }
  return { ...status, state: { terminated }, ready: false, started: false }
}

function limitMessages({ pod }: Seen, statuses: readonly ContainerStatus[]): void {
  const { containers, initContainers = [], ephemeralContainers = [] } = pod.spec
  const count = containers.length + initContainers.length + ephemeralContainers.length
  const bytesMax = Math.floor(MESSAGE_BYTES_MAX / count)
  for (const { state, lastState } of statuses) {
    for (const end of [state?.terminated, lastState?.terminated]) {
      if (end?.message === undefined || Buffer.byteLength(end.message) <= bytesMax) continue
      end.message = Buffer.from(end.message).subarray(0, bytesMax).toString()
    }
  }
}

function addresses(seen: Seen, hostIps: NodeIps) {
  const hostIPs = hostIps.map((ip) => ({ ip }))
  const podIPs = podIpsOf(seen, hostIps).map((ip) => ({ ip }))
  return {
    ...(hostIPs[0] ? { hostIP: hostIPs[0].ip, hostIPs } : {}),
    ...(podIPs[0] ? { podIP: podIPs[0].ip, podIPs } : {}),
  }
}

/** The pod's own addresses, or the node's on its network; kept after the sandbox has gone. */
function podIpsOf(seen: Seen, hostIps: NodeIps): readonly string[] {
  if (seen.pod.spec.hostNetwork) return hostIps
  const ips = seen.sandbox?.ips ?? []
  return ips.length > 0 ? ips : (seen.reported.podIPs ?? []).map(({ ip }) => ip)
}

function podResources({ pod }: Seen, requests: Record<string, string>) {
  const limits = podLimits(pod)
  return {
    ...(Object.keys(limits).length > 0 ? { limits } : {}),
    ...(Object.keys(requests).length > 0 ? { requests } : {}),
  }
}
