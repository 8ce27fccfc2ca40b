// Statuses that the kubelet of 1.36.3 wrote for seventeen kinds of pods, taken apart into what it
// must have seen, and put together again by us. Memory limits of 8 EiB are left out: with cgroup v1
// upstream reports them for pods that have none.

import { expect, test } from 'bun:test'
import { aSeen } from '../../../test/support/pod.ts'
import type { ContainerStatus, Pod } from '../../api/schema/generated/types.ts'
import { parseTime } from '../../api/time.ts'
import type { ContainerKind, ContainerSeen } from '../../runtime/contract.ts'
import type { Health, PodPlan, Seen, Waiting } from '../plan/pod-seen.ts'
import { podStatus } from './pod-status.ts'
import recorded from './recorded.json'

const DEFAULTS = ['ContainerCreating', 'PodInitializing']

for (const [name, pod] of Object.entries(recorded as unknown as Record<string, Pod>)) {
  test(`writes the status of the pod ${name} as the kubelet does`, () => {
    const status = pod.status!
    const made = podStatus(
      { seen: seenOf(pod), plan: planOf(pod), messages: messagesOf(pod) },
      (status.hostIPs ?? []).map(({ ip }) => ip),
    )
    expect(made).toEqual(status)
  })
}

function statusesOf({ status }: Pod): [ContainerStatus, ContainerKind][] {
  const { containerStatuses = [], initContainerStatuses = [] } = status!
  return [
    ...initContainerStatuses.map((one) => [one, 'init'] as [ContainerStatus, ContainerKind]),
    ...containerStatuses.map((one) => [one, 'regular'] as [ContainerStatus, ContainerKind]),
  ]
}

function seenOf(pod: Pod): Seen {
  const status = pod.status!
  const isRejected = status.message?.startsWith('Pod was rejected: ')
  const ready = status.conditions?.find(({ type }) => type === 'PodReadyToStartContainers')
  const hasSandbox = ready?.status === 'True'
  const ips = (status.podIPs ?? []).map(({ ip }) => ip)
  const { phase: _, reason: __, message: ___, ...before } = status
  return aSeen({
    pod: { ...pod, status: {} },
    nowMs: parseTime(status.startTime!),
    rejection: isRejected
      ? { reason: status.reason!, message: status.message!.replace('Pod was rejected: ', '') }
      : undefined,
    sandbox: hasSandbox
      ? { podUid: pod.metadata.uid!, state: 'ready', ips, createdAtMs: 0 }
      : undefined,
    containers: statusesOf(pod).flatMap(([one, kind]) => attemptsOf(one, kind)),
    health: new Map(statusesOf(pod).flatMap(([one]) => healthOf(one))),
    // Of what was said before, only what the runtime cannot know: times and addresses.
    reported: {
      startTime: before.startTime!,
      ...(before.conditions ? { conditions: before.conditions } : {}),
      ...(before.podIPs ? { podIPs: before.podIPs } : {}),
    },
  })
}

function planOf({ status, spec }: Pod): PodPlan {
  const isOver = status!.phase === 'Failed' || status!.phase === 'Succeeded'
  const isLate = status!.reason === 'DeadlineExceeded'
  const waiting = (status!.containerStatuses ?? []).flatMap(({ name, state }) => {
    const { reason = '', message = '' } = state?.waiting ?? {}
    const isHeld = reason !== '' && !DEFAULTS.includes(reason)
    return isHeld ? [[name, { reason, message }] as [string, Waiting]] : []
  })
  expect(spec.containers.length).toBeGreaterThan(0)
  return {
    phase: isOver ? 'stopped' : 'running',
    actions: [],
    cancel: [],
    waiting: new Map(waiting),
    ending: isLate ? { reason: status!.reason!, message: status!.message! } : undefined,
    recheckInMs: undefined,
  }
}

/** A container that waits again shows its own end as the last one. */
function attemptsOf(status: ContainerStatus, kind: ContainerKind): ContainerSeen[] {
  const { state = {}, lastState = {} } = status
  const attempts: ContainerSeen[] = []
  const last = lastState.terminated
  const isSame = last?.containerID === status.containerID && state.waiting !== undefined
  const attempt = status.restartCount
  if (last) attempts.push(seenFrom(status, kind, isSame ? attempt : attempt - 1, last))
  if (state.running) attempts.push(seenFrom(status, kind, attempt, state.running))
  if (state.terminated) attempts.push(seenFrom(status, kind, attempt, state.terminated))
  return attempts
}

type Part = {
  startedAt?: string
  finishedAt?: string
  exitCode?: number
  reason?: string
  message?: string
  containerID?: string
}

function seenFrom(
  status: ContainerStatus,
  kind: ContainerKind,
  attempt: number,
  part: Part,
): ContainerSeen {
  const isOver = part.exitCode !== undefined
  const startedAtMs = parseTime(part.startedAt!)
  const isFailure = part.reason === 'StartError'
  const user = status.user?.linux
  return {
    id: (part.containerID ?? status.containerID!).replace('containerd://', ''),
    podUid: 'u',
    name: status.name,
    kind,
    attempt,
    state: isOver ? 'exited' : 'running',
    createdAtMs: startedAtMs,
    startedAtMs: isFailure ? undefined : startedAtMs,
    exitedAtMs: isOver ? parseTime(part.finishedAt!) : undefined,
    exitCode: part.exitCode,
    signal: undefined,
    oomKilled: false,
    image: status.image,
    imageId: status.imageID,
    failure: isFailure ? { reason: part.reason!, message: part.message! } : undefined,
    ...(user ? { user: { ...user, supplementalGroups: user.supplementalGroups ?? [] } } : {}),
  }
}

function healthOf({ containerID, started = false, ready }: ContainerStatus): [string, Health][] {
  if (containerID === undefined) return []
  return [[containerID.replace('containerd://', ''), { started, ready, failed: undefined }]]
}

function messagesOf(pod: Pod): Map<string, string> {
  const messages = new Map<string, string>()
  for (const [{ state, lastState }] of statusesOf(pod)) {
    for (const end of [state?.terminated, lastState?.terminated]) {
      if (end?.message === undefined || end.reason === 'StartError') continue
      messages.set(end.containerID!.replace('containerd://', ''), end.message)
    }
  }
  return messages
}
