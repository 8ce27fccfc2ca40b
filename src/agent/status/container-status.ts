// What the API says about the containers of a pod: a pure function of what was seen, and of what
// was reported before for containers that the runtime has forgotten.

import { isSidecar } from '../../api/pod/containers.ts'
import type {
  Container,
  ContainerState,
  ContainerStateTerminated,
  ContainerStatus,
  ContainerUser,
  VolumeMountStatus,
} from '../../api/schema/generated/types.ts'
import { formatTime } from '../../api/time.ts'
import type { ContainerSeen } from '../../runtime/contract.ts'
import type { PodPlan, Seen } from '../plan/pod-seen.ts'
import { hasStarted } from '../plan/pod-start.ts'
import { mayRestart } from '../plan/restart.ts'
import { userOf } from '../resources.ts'

/** What the status of containers depends on beyond the plan's own view. */
export type StatusView = {
  readonly seen: Seen
  readonly plan: PodPlan
  /** Termination messages, by container id. */
  readonly messages: ReadonlyMap<string, string>
}

type List = 'containerStatuses' | 'initContainerStatuses' | 'ephemeralContainerStatuses'

const LOST_EXIT_CODE = 137

export function containerStatuses(
  view: StatusView,
  containers: readonly Container[],
  list: List,
): ContainerStatus[] {
  const before = new Map((view.seen.reported[list] ?? []).map((status) => [status.name, status]))
  const statuses = containers.map((container) =>
    containerStatus(view, container, list, before.get(container.name)),
  )
  // Clients rely on one order: that of the spec for init containers, names for the others.
  if (list === 'initContainerStatuses') return statuses
  return statuses.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

function containerStatus(
  view: StatusView,
  container: Container,
  list: List,
  before: ContainerStatus | undefined,
): ContainerStatus {
  const { seen, plan } = view
  const [newest, previous] = attemptsOf(view, container.name)
  const status =
    newest === undefined
      ? unseenStatus(view, container, list, before)
      : seenStatus(view, container, before, newest, previous)
  const waiting = plan.waiting.get(container.name)
  const hasEnded = status.state?.terminated !== undefined
  if (waiting !== undefined && plan.phase === 'running') {
    if (hasEnded) status.lastState = { terminated: status.state!.terminated! }
    status.state = { waiting: { reason: waiting.reason, message: waiting.message } }
  }
  return { ...status, ...readiness(seen, container, list, status) }
}

/** Newest first. While its postStart hook has not ended a container does not count as there. */
function attemptsOf({ seen, plan }: StatusView, name: string): ContainerSeen[] {
  return seen.containers
    .filter((container) => container.name === name && container.state !== 'created')
    .filter(({ id }) => plan.phase !== 'running' || seen.postStart.get(id) !== 'pending')
    .toReversed()
    .slice(0, 2)
}

function seenStatus(
  view: StatusView,
  container: Container,
  before: ContainerStatus | undefined,
  newest: ContainerSeen,
  previous: ContainerSeen | undefined,
): ContainerStatus {
  const { requests } = container.resources ?? {}
  const user = userOfContainer(view.seen, container, newest)
  return {
    name: container.name,
    state: stateOf(view, newest),
    lastState: lastStateOf(view, newest, previous, before),
    ready: false,
    restartCount: Math.max(newest.attempt, before?.restartCount ?? 0),
    image: newest.image,
    imageID: newest.imageId,
    containerID: `containerd://${newest.id}`,
    ...(requests ? { allocatedResources: requests } : {}),
    resources: container.resources ?? {},
    ...volumeMounts(container),
    ...(user === undefined ? {} : { user }),
  }
}

function stateOf(view: StatusView, seen: ContainerSeen): ContainerState {
  switch (seen.state) {
    case 'created':
      return { waiting: {} }
    case 'running':
    case 'unknown':
      return { running: { startedAt: formatTime(seen.startedAtMs ?? seen.createdAtMs) } }
    case 'exited':
      return { terminated: terminatedOf(view, seen) }
  }
}

function terminatedOf(view: StatusView, seen: ContainerSeen): ContainerStateTerminated {
  const exitCode = seen.exitCode ?? LOST_EXIT_CODE
  const written = view.messages.get(seen.id) ?? ''
  const message = [seen.failure?.message ?? '', written].filter((part) => part !== '').join(': ')
  return {
    exitCode,
    ...(seen.signal === undefined ? {} : { signal: seen.signal }),
    reason: reasonOf(seen, exitCode),
    ...(message === '' ? {} : { message }),
    // A container that never started reads as 1970, as containerd reports it.
    startedAt: formatTime(seen.startedAtMs ?? 0),
    finishedAt: formatTime(seen.exitedAtMs ?? seen.createdAtMs),
    containerID: `containerd://${seen.id}`,
  }
}

function reasonOf(seen: ContainerSeen, exitCode: number): string {
  if (seen.failure !== undefined) return seen.failure.reason
  if (seen.oomKilled) return 'OOMKilled'
  return exitCode === 0 ? 'Completed' : 'Error'
}

function lastStateOf(
  view: StatusView,
  newest: ContainerSeen,
  previous: ContainerSeen | undefined,
  before: ContainerStatus | undefined,
): ContainerState {
  if (previous?.state === 'exited') return { terminated: terminatedOf(view, previous) }
  if (before === undefined) return {}
  const isSame = before.containerID === `containerd://${newest.id}`
  const ended = isSame
    ? before.lastState?.terminated
    : (before.state?.terminated ?? before.lastState?.terminated)
  // While it waits its own end stands in lastState; once it is seen again that is its state.
  if (ended?.containerID === `containerd://${newest.id}`) return {}
  return ended === undefined ? {} : { terminated: ended }
}

/** The runtime knows nothing of it: not started yet, or taken away. */
function unseenStatus(
  { seen }: StatusView,
  container: Container,
  list: List,
  before: ContainerStatus | undefined,
): ContainerStatus {
  if (before?.state?.terminated) return before
  const hasInit = (seen.pod.spec.initContainers ?? []).length > 0
  const status: ContainerStatus = {
    name: container.name,
    state: { waiting: { reason: hasInit ? 'PodInitializing' : 'ContainerCreating' } },
    lastState: before?.lastState ?? {},
    ready: false,
    restartCount: before?.restartCount ?? 0,
    image: container.image ?? '',
    imageID: '',
    ...volumeMounts(container),
  }
  if (list === 'initContainerStatuses' && !isSidecar(container) && hasStarted(seen)) {
    return { ...status, state: { terminated: presumedCompleted() } }
  }
  const wasRunning = before?.state?.running !== undefined && before.containerID !== undefined
  const isStarting = [...seen.postStart.values()].includes('pending')
  if (!wasRunning || isStarting) return status
  return {
    ...status,
    lastState: status.lastState?.terminated ? status.lastState : { terminated: lost() },
    restartCount: status.restartCount + (seen.pod.metadata.deletionTimestamp ? 0 : 1),
  }
}

function presumedCompleted(): ContainerStateTerminated {
  return {
    exitCode: 0,
    reason: 'Completed',
    message:
      'Unable to get init container status from container runtime and pod has been initialized,' +
      ' treat it as exited normally',
  }
}

function lost(): ContainerStateTerminated {
  return {
    exitCode: LOST_EXIT_CODE,
    reason: 'ContainerStatusUnknown',
    message:
      'The container could not be located when the pod was deleted.  The container used to be Running',
  }
}

/** `started` and `ready`, as the probes and the kind of container have it. */
function readiness(
  seen: Seen,
  container: Container,
  list: List,
  status: ContainerStatus,
): Pick<ContainerStatus, 'started' | 'ready'> {
  // Ephemeral containers take part in neither.
  if (list === 'ephemeralContainerStatuses') return { ready: false }
  const isRunning = status.state?.running !== undefined
  if (list === 'initContainerStatuses' && !isSidecar(container)) {
    return { started: isRunning, ready: status.state?.terminated?.exitCode === 0 }
  }
  const id = status.containerID?.replace(/^.*:\/\//, '') ?? ''
  const health = isRunning ? seen.health.get(id) : undefined
  const started = health?.started ?? false
  return { started, ready: started && (health?.ready ?? false) }
}

function volumeMounts(container: Container): { volumeMounts?: VolumeMountStatus[] } {
  const mounts = container.volumeMounts ?? []
  if (mounts.length === 0) return {}
  return {
    volumeMounts: mounts.map(({ name, mountPath, readOnly }) => ({
      name,
      mountPath,
      ...(readOnly ? { readOnly, recursiveReadOnly: 'Disabled' } : {}),
    })),
  }
}

function userOfContainer(
  seen: Seen,
  container: Container,
  newest: ContainerSeen,
): ContainerUser | undefined {
  const linux = newest.user ?? userOf(seen.pod, container)
  return linux === undefined ? undefined : { linux }
}

/** Whether the container will run again after this end, for phases. */
export function willRestart(seen: Seen, container: Container, end: ContainerStateTerminated) {
  return mayRestart(seen.pod, container, end.exitCode)
}
