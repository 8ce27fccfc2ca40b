// The phase of a pod, from the statuses of its containers. Pure; the kubelet's getPhase.

import { isSidecar } from '../../api/pod/containers.ts'
import type { Container, ContainerStatus } from '../../api/schema/generated/types.ts'
import type { Seen } from '../plan/pod-seen.ts'
import { hasStarted } from '../plan/pod-start.ts'
import { mayRestart } from '../plan/restart.ts'

type Counts = {
  initPending: number
  initFailedForGood: number
  sidecarsPending: number
  unknown: number
  running: number
  waiting: number
  stopped: number
  stoppedForGood: number
  succeeded: number
}

/** `isOver`: nothing of the pod will run again, whatever its restart policy says. */
export function phaseOf(seen: Seen, statuses: readonly ContainerStatus[], isOver: boolean): string {
  const counts = countStates(seen, statuses)
  const { running, stopped, stoppedForGood, succeeded, unknown } = counts
  if (counts.initFailedForGood > 0) return 'Failed'
  if (counts.initPending > 0 || (counts.sidecarsPending > 0 && !hasStarted(seen))) return 'Pending'
  if (counts.waiting > 0 || unknown > 0) return 'Pending'
  if (running > 0) return 'Running'
  if (stopped === 0) return 'Pending'
  if (!isOver && stopped !== stoppedForGood) return 'Running'
  return stopped === succeeded ? 'Succeeded' : 'Failed'
}

function countStates(seen: Seen, statuses: readonly ContainerStatus[]): Counts {
  const counts: Counts = {
    initPending: 0,
    initFailedForGood: 0,
    sidecarsPending: 0,
    unknown: 0,
    running: 0,
    waiting: 0,
    stopped: 0,
    stoppedForGood: 0,
    succeeded: 0,
  }
  const statusOf = (name: string) => statuses.find((status) => status.name === name)
  for (const container of seen.pod.spec.initContainers ?? []) {
    const count = isSidecar(container) ? countSidecar : countInit
    count(seen, counts, container, statusOf(container.name))
  }
  for (const container of seen.pod.spec.containers) {
    countRegular(seen, counts, container, statusOf(container.name))
  }
  return counts
}

type Count = (
  seen: Seen,
  counts: Counts,
  container: Container,
  status: ContainerStatus | undefined,
) => void

const countInit: Count = (seen, counts, container, status) => {
  const { state = {}, lastState = {} } = status ?? {}
  const end = state.terminated ?? (state.waiting ? lastState.terminated : undefined)
  if (end === undefined) counts.initPending += 1
  else if (end.exitCode !== 0 && !mayRestart(seen.pod, container, end.exitCode)) {
    counts.initFailedForGood += 1
  }
}

const countSidecar: Count = (_seen, counts, _container, status) => {
  const { state = {}, lastState = {} } = status ?? {}
  if (state.running) {
    if (status?.started !== true) counts.sidecarsPending += 1
    counts.running += 1
  } else if (state.waiting && !lastState.terminated) {
    counts.sidecarsPending += 1
    counts.waiting += 1
  }
}

const countRegular: Count = (seen, counts, container, status) => {
  const { state = {}, lastState = {} } = status ?? {}
  if (state.running) {
    counts.running += 1
    return
  }
  const end = state.terminated ?? (state.waiting ? lastState.terminated : undefined)
  if (end !== undefined) {
    counts.stopped += 1
    if (!mayRestart(seen.pod, container, end.exitCode)) counts.stoppedForGood += 1
    if (state.terminated?.exitCode === 0) counts.succeeded += 1
  } else if (state.waiting) counts.waiting += 1
  else counts.unknown += 1
}
