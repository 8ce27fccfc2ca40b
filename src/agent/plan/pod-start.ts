// Which containers of a pod to start, restart or kill next. Pure.
//
//   ephemeral (any time)      init 1 ──► init 2 ──► … ──► regular, in their order
//
// A plain init container is passed when it has ended with 0, a sidecar when it has started. At most
// one start is under way in a pod: postStart of one container delays the start of the next. A
// container that has to wait (back-off, image) delays nobody after initialisation.

import { formatDuration } from '../../api/duration.ts'
import { isSidecar } from '../../api/pod/containers.ts'
import type { Container, Pod } from '../../api/schema/generated/types.ts'
import type { ContainerKind, ContainerSeen } from '../../runtime/contract.ts'
import { formatPod } from '../pod-text.ts'
import { type Draft, retryAtMs } from './pod-draft.ts'
import { isAlive, newestOf, type Seen, type Trouble } from './pod-seen.ts'
import { planEnd } from './pod-stop.ts'
import { mayRestart, restartAtMs } from './restart.ts'

/** An error of a pull is shown for so long before it reads as waiting. */
const SHOW_ERROR_MS = 3_000

export function planContainers(draft: Draft): void {
  const { pod } = draft.seen
  for (const container of pod.spec.ephemeralContainers ?? []) {
    // They are never restarted, whatever became of them.
    if (endOf(draft.seen, container) === undefined && !isThere(draft, container)) {
      planStart(draft, container, 'ephemeral')
    }
  }
  const isPassed = planInit(draft)
  if (!isPassed) return
  for (const container of pod.spec.containers) planOne(draft, container, 'regular')
}

function isThere({ seen }: Draft, container: Container): boolean {
  return newestOf(seen, container.name) !== undefined
}

/** True when the regular containers may run. */
function planInit(draft: Draft): boolean {
  const { seen } = draft
  const containers = seen.pod.spec.initContainers ?? []
  const wasPassed = hasStarted(seen)
  for (const container of containers) {
    if (isSidecar(container)) planOne(draft, container, 'init')
    else if (!wasPassed && planOne(draft, container, 'init')) continue
    const isPassed = wasPassed || isInitialised(seen, container)
    if (!isPassed) return false
  }
  return true
}

function isInitialised(seen: Seen, container: Container): boolean {
  const newest = newestOf(seen, container.name)
  if (isSidecar(container)) {
    return newest?.state === 'running' && seen.health.get(newest.id)?.started === true
  }
  return newest?.state === 'exited' && newest.exitCode === 0
}

/** A regular container of this sandbox has been started: initialisation is behind us. */
export function hasStarted(seen: Seen): boolean {
  return seen.pod.spec.containers.some(({ name }) => newestOf(seen, name) !== undefined)
}

/** Starts, restarts or kills one container. True when it has ended well and needs nothing more. */
function planOne(draft: Draft, container: Container, kind: ContainerKind): boolean {
  const { seen } = draft
  const newest = newestOf(seen, container.name)
  if (newest === undefined) {
    const end = endOf(seen, container)
    // A regular container that ended well in an earlier sandbox stays ended.
    const isOver = kind === 'regular' && end !== undefined && isDone(seen.pod, container, end)
    if (!isOver) planStart(draft, container, kind)
    return isOver
  }
  if (isAlive(newest)) {
    planAlive(draft, container, newest)
    return false
  }
  if (seen.busy.has(`start/${container.name}`)) return false
  if (seen.postStart.get(newest.id) === 'pending') {
    // It has ended before its hook was run: the hook is tried all the same, fails and says so.
    draft.want({ do: 'post-start', id: newest.id, container })
    return false
  }
  if (newest.state === 'created') planStart(draft, container, kind)
  const end = endOf(seen, container)
  if (end === undefined) return false
  if (kind === 'init' && !isSidecar(container) && end.exitCode === 0) return true
  const isChanged = newest.image !== container.image
  if (!isChanged && isDone(seen.pod, container, end)) return true
  planRestart(draft, container, newest, kind)
  return false
}

function isDone(pod: Pod, container: Container, end: { exitCode: number }): boolean {
  return !isSidecar(container) && !mayRestart(pod, container, end.exitCode)
}

/** A container that runs, or may run. */
function planAlive(draft: Draft, container: Container, newest: ContainerSeen): void {
  const { seen } = draft
  const what = isSidecar(container) ? 'Init container' : 'Container'
  const kill = (why: string, graceSeconds?: number) => {
    const willRestart = isSidecar(container) || container.restartPolicy !== 'Never'
    const again = willRestart && seen.pod.spec.restartPolicy !== 'Never'
    const message = again ? `${why}, will be restarted` : why
    planEnd(draft, newest, { message, graceSeconds })
  }
  if (newest.state === 'unknown') {
    return kill(`${what} is in "unknown" state, try killing it before restart`)
  }
  const begun = seen.stopping.get(newest.id)
  if (begun !== undefined) return kill('', begun.graceSeconds)
  if (seen.postStart.get(newest.id) === 'failed') {
    return planEnd(draft, newest, { message: 'FailedPostStartHook' })
  }
  if (seen.postStart.get(newest.id) === 'pending') {
    return draft.want({ do: 'post-start', id: newest.id, container })
  }
  if (newest.image !== container.image) {
    return kill(`${what} ${container.name} definition changed`)
  }
  const failed = seen.health.get(newest.id)?.failed
  if (failed === undefined) return
  const probe = failed === 'startup' ? container.startupProbe : container.livenessProbe
  kill(`${what} ${container.name} failed ${failed} probe`, probe?.terminationGracePeriodSeconds)
}

function planRestart(
  draft: Draft,
  container: Container,
  newest: ContainerSeen,
  kind: ContainerKind,
): void {
  const { seen } = draft
  const last = newest.image === container.image ? seen.restarts.get(container.name) : undefined
  const atMs = restartAtMs(last, newest)
  if (atMs <= seen.nowMs) return planStart(draft, container, kind)
  draft.recheckAt(atMs)
  const shownUntilMs = (newest.exitedAtMs ?? 0) + SHOW_ERROR_MS
  if (newest.failure !== undefined && seen.nowMs < shownUntilMs) {
    const { reason, message } = newest.failure
    draft.recheckAt(shownUntilMs)
    const shown = reason === 'StartError' ? 'RunContainerError' : reason
    draft.waiting.set(container.name, { reason: shown, message })
    return
  }
  const delay = formatDuration(last?.delayMs ?? 0)
  const pod = formatPod(seen.pod)
  draft.waiting.set(container.name, {
    reason: 'CrashLoopBackOff',
    message: `back-off ${delay} restarting failed container=${container.name} pod=${pod}`,
  })
}

function planStart(draft: Draft, container: Container, kind: ContainerKind): void {
  const { seen } = draft
  const { name } = container
  const image = seen.images.get(name)
  if (image === undefined) {
    const trouble = seen.troubles.get(`image/${name}`)
    if (trouble !== undefined) sayWaiting(draft, container, trouble)
    draft.want({ do: 'find-image', container, kind })
    return
  }
  const trouble = seen.troubles.get(`start/${name}`)
  if (trouble !== undefined) draft.waiting.set(name, trouble)
  const hasVolumes = seen.volumes === 'ready' || seen.volumes === 'stale'
  const isPlaceReady = seen.sandbox?.state === 'ready' && hasVolumes
  if (!isPlaceReady || isStarting(draft)) return
  draft.want({ do: 'start', container, kind, attempt: nextAttempt(seen, name), image })
}

/** Another start of this pod is under way, or its postStart hook has not ended. */
function isStarting({ seen, actions }: Draft): boolean {
  if (actions.some((action) => action.do === 'start' || action.do === 'post-start')) return true
  for (const action of seen.busy.values()) {
    if (action.do === 'start' || action.do === 'post-start') return true
  }
  return [...seen.postStart.values()].includes('pending')
}

/** A pull that failed is an error first, and a wait after a while. */
function sayWaiting(draft: Draft, { name, image }: Container, trouble: Trouble): void {
  const { seen } = draft
  const isFresh = seen.nowMs < trouble.atMs + SHOW_ERROR_MS
  if (isFresh) draft.recheckAt(trouble.atMs + SHOW_ERROR_MS)
  const isHeld = trouble.reason === 'ErrImagePull' || trouble.reason === 'RegistryUnavailable'
  if (isFresh || !isHeld || retryAtMs('find-image', trouble) <= seen.nowMs) {
    draft.waiting.set(name, { reason: trouble.reason, message: trouble.message })
    return
  }
  draft.waiting.set(name, {
    reason: 'ImagePullBackOff',
    message: `Back-off pulling image "${image}": ${trouble.reason}: ${trouble.message}`,
  })
}

/** Counted on over a new sandbox, and over a runtime that has lost its memory. */
function nextAttempt(seen: Seen, name: string): number {
  const newest = newestOf(seen, name)
  if (newest !== undefined) return newest.attempt + 1
  const reported = reportedOf(seen, name)
  return reported?.containerID === undefined ? 0 : reported.restartCount + 1
}

/** How the last attempt of a container ended, as far as anybody remembers. */
export function endOf(seen: Seen, { name }: Container): { exitCode: number } | undefined {
  const newest = newestOf(seen, name)
  if (newest !== undefined) {
    return newest.state === 'exited' ? { exitCode: newest.exitCode ?? LOST } : undefined
  }
  const reported = reportedOf(seen, name)
  if (reported === undefined) return undefined
  const { state = {}, lastState = {} } = reported
  if (state.terminated) return state.terminated
  if (state.running && !seen.busy.has(`start/${name}`)) return { exitCode: LOST }
  return state.waiting && lastState.terminated ? lastState.terminated : undefined
}

/** What is reported for a container that ended while nobody looked. */
const LOST = 137

function reportedOf({ reported }: Seen, name: string) {
  const { containerStatuses, initContainerStatuses, ephemeralContainerStatuses } = reported
  return [containerStatuses, initContainerStatuses, ephemeralContainerStatuses]
    .flatMap((statuses) => statuses ?? [])
    .find((status) => status.name === name)
}
