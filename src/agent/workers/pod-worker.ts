// One loop per pod: see, plan, report, begin what is missing, and see again when anything happens.
//
// It never waits for an action: a deletion is heard in the middle of a pull, and a container that
// takes its whole grace period holds up nothing else. All judgement is in pod-plan.ts.

import { ContainerError } from '../../api/pod/container-error.ts'
import type { Container, Pod, PodStatus } from '../../api/schema/generated/types.ts'
import type { Recorder } from '../../kit/events.ts'
import { isAbort } from '../../lib/abort.ts'
import { Backoff } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { Mailbox } from '../../lib/mailbox.ts'
import { withTasks } from '../../lib/tasks.ts'
import type { ContainerSeen, PodSeen } from '../../runtime/contract.ts'
import { planPod } from '../plan/pod-plan.ts'
import { type Action, keyOf, type PodPlan, type Waiting } from '../plan/pod-seen.ts'
import { specOf } from '../plan/pod-stop.ts'
import { isReplacing } from '../plan/replacement.ts'
import { formatPod } from '../pod-text.ts'
import type { Adopted, ContainerProbes } from '../probes/container-probes.ts'
import { podStatus } from '../status/pod-status.ts'
import { type PodEvents, podEvents } from './pod-events.ts'
import { PodMemory, type Result } from './pod-worker-state.ts'

export type WorkerDeps = {
  readonly clock: Clock
  readonly log: Log
  readonly recorder: Recorder
  readonly hostIps: readonly string[]
  readonly observe: (podUid: string, signal: AbortSignal) => Promise<PodSeen>
  /** Carries out one action. */
  readonly perform: (job: Job, signal: AbortSignal) => Promise<Result>
  readonly probes: (job: ProbeJob) => ContainerProbes
  readonly terminationMessage: (
    pod: Pod,
    container: Container,
    seen: ContainerSeen,
  ) => Promise<string>
  /** `isOver`: nothing of the pod is left on this node. Called after every look. */
  readonly report: (pod: Pod, status: PodStatus, isOver: boolean) => void
}

export type Job = {
  readonly pod: Pod
  readonly action: Action
  readonly events: PodEvents
  readonly podIps: readonly string[]
}

export type ProbeJob = {
  readonly pod: Pod
  readonly container: Container
  readonly seen: ContainerSeen
  /** What was reported of this very container before the agent started. */
  readonly adopted: Adopted | undefined
  readonly podIp: () => string
  readonly events: PodEvents
  readonly changed: () => void
}

/** After a look that failed: the runtime does not answer, or we are wrong. */
const RETRY = { firstMs: 1_000, maxMs: 60_000 }

export class PodWorker {
  readonly #deps: WorkerDeps
  readonly #inbox: Mailbox<Pod>
  readonly #memory: PodMemory
  #mustObserve = true
  #waiting: ReadonlyMap<string, Waiting> = new Map()
  #ending: PodPlan['ending']

  /** `runtime`: what ran of this pod before the agent started. */
  constructor(deps: WorkerDeps, pod: Pod, runtime: PodSeen | undefined) {
    this.#deps = deps
    this.#inbox = new Mailbox(deps.clock)
    this.#memory = new PodMemory(deps.clock, pod.status ?? {})
    if (runtime !== undefined) this.#memory.noteAdopted(pod, runtime)
    this.#mustObserve = runtime === undefined
    this.#inbox.put(pod)
  }

  get pod(): Pod {
    return this.#inbox.peek()!
  }

  /** The status as this node sees it now. */
  get status(): PodStatus {
    return this.#memory.reported
  }

  /** It is being deleted, or has gone from the API: what it holds will be free. */
  get isEnding(): boolean {
    return this.#memory.isForgotten || this.pod.metadata.deletionTimestamp !== undefined
  }

  /** A newer version of the pod. */
  update(pod: Pod): void {
    this.#inbox.put(pod)
  }

  /** Nothing of it may run: the node has no place for it. */
  reject(rejection: Waiting): void {
    this.#memory.rejection = rejection
    podEvents(this.#deps.recorder, this.pod).warning(rejection.reason, rejection.message)
    this.#inbox.nudge()
  }

  /** The pod has gone from the API: the worker ends when nothing of it is left. */
  forget(pod: Pod): void {
    this.#memory.isForgotten = true
    this.#inbox.put(pod)
  }

  /** The runtime has news of its containers. */
  runtimeChanged(): void {
    this.#mustObserve = true
    this.#inbox.nudge()
  }

  /** What it wants, or what its volumes and variables are made from, is another one: try again. */
  objectsChanged(): void {
    this.#memory.noteStale()
    this.#memory.forgetTroubles((key) => key === 'volumes' || /^(start|image)\//.test(key))
    this.#inbox.nudge()
  }

  /** Returns when a forgotten pod has left the node, or when `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const loop = (start: Start) => this.#loop(start, signal)
    try {
      await withTasks(loop, signal)
    } finally {
      for (const probes of this.#memory.probes.values()) probes.close()
      this.#inbox.close()
    }
  }

  async #loop(start: Start, signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(this.#deps.clock, RETRY)
    for (;;) {
      const pod = await this.#inbox.newest(signal)
      try {
        await this.#look(pod, signal)
        if (this.#step(pod, start) === 'left') return
        backoff.reset('')
      } catch (error) {
        signal.throwIfAborted()
        const waitMs = backoff.next('')
        const stack = error instanceof Error ? error.stack : undefined
        this.#deps.log.error('look at pod failed', { pod: formatPod(pod), waitMs, error, stack })
        this.#mustObserve = true
        this.#inbox.nudgeIn(waitMs)
      }
    }
  }

  #step(pod: Pod, start: Start): 'stays' | 'left' {
    const seen = this.#memory.see(pod)
    const plan = planPod(seen)
    const view = { seen, plan, messages: this.#memory.messages }
    const status = podStatus(view, this.#deps.hostIps)
    this.#memory.reported = status
    if (!isReplacing(seen)) this.#deps.report(pod, status, plan.phase === 'stopped')
    this.#tell(pod, plan)
    if (plan.phase === 'stopped' && this.#memory.isForgotten) return 'left'
    for (const key of plan.cancel) this.#memory.busy.get(key)?.stop.abort()
    for (const action of plan.actions) this.#begin(action, pod, plan, start)
    if (plan.recheckInMs !== undefined) this.#inbox.nudgeIn(plan.recheckInMs)
    return 'stays'
  }

  /** Brings what is remembered up to date with the runtime. */
  async #look(pod: Pod, signal: AbortSignal): Promise<void> {
    if (this.#mustObserve) {
      this.#mustObserve = false
      this.#memory.noteObserved(await this.#deps.observe(pod.metadata.uid!, signal))
    }
    for (const seen of this.#memory.runtime.containers) {
      const container = specOf({ pod }, seen.name)
      if (container === undefined) continue
      if (seen.state === 'exited' && !this.#memory.messages.has(seen.id)) {
        this.#memory.messages.set(
          seen.id,
          await this.#deps.terminationMessage(pod, container, seen),
        )
      }
      this.#watchOver(pod, container, seen)
    }
    this.#endProbes(pod)
  }

  #watchOver(pod: Pod, container: Container, seen: ContainerSeen): void {
    if (seen.state !== 'running' || this.#memory.probes.has(seen.id)) return
    if (pod.spec.ephemeralContainers?.some(({ name }) => name === seen.name)) return
    const probes = this.#deps.probes({
      pod,
      container,
      seen,
      adopted: adoptedFrom(this.#memory.reported, seen),
      podIp: () => this.#memory.reported.podIP ?? '',
      events: podEvents(this.#deps.recorder, pod),
      changed: () => this.#inbox.nudge(),
    })
    this.#memory.probes.set(seen.id, probes)
  }

  #endProbes(pod: Pod): void {
    const { probes, runtime } = this.#memory
    for (const [id, one] of probes) {
      const isRunning = runtime.containers.some(
        (seen) => seen.id === id && seen.state === 'running',
      )
      if (pod.metadata.deletionTimestamp) one.end()
      if (isRunning) continue
      one.close()
      probes.delete(id)
    }
  }

  #begin(action: Action, pod: Pod, plan: PodPlan, start: Start): void {
    const events = podEvents(this.#deps.recorder, pod)
    const stop = new AbortController()
    this.#memory.busy.set(keyOf(action), { action, stop })
    this.#memory.noteBegin(action)
    tellBegin(action, events, plan.phase !== 'running')
    const podIps = (this.#memory.reported.podIPs ?? []).map(({ ip }) => ip)
    start((signal) =>
      this.#work({ pod, action, events, podIps }, AbortSignal.any([signal, stop.signal])),
    )
  }

  /** Never rejects: what fails is remembered, and the plan decides when to try again. */
  async #work(job: Job, signal: AbortSignal): Promise<void> {
    const { action } = job
    try {
      const result = await this.#deps.perform(job, signal)
      this.#memory.noteDone(action, result)
      // It may have ended meanwhile.
      if (action.do === 'stop' || action.do === 'start') this.#mustObserve = true
    } catch (error) {
      if (!isAbort(error, signal)) {
        this.#memory.noteFailed(action, error)
        tellFailed(job, error)
        this.#log(job, error)
      }
      // Half of it may have happened.
      this.#mustObserve = true
    }
    this.#memory.busy.delete(keyOf(action))
    this.#inbox.nudge()
  }

  /** What the pod's author can mend is an event; the log is for whoever looks after the node. */
  #log({ pod, action }: Job, error: unknown): void {
    const { log } = this.#deps
    const what = { pod: formatPod(pod), action: action.do, error }
    const isAuthors = error instanceof ContainerError || action.do === 'post-start'
    if (isAuthors) log.debug('pod action failed', what)
    else log.warn('pod action failed', what)
  }

  /** Waiting and ending are told when they begin. */
  #tell(pod: Pod, plan: PodPlan): void {
    const events = podEvents(this.#deps.recorder, pod)
    for (const [name, { reason }] of plan.waiting) {
      if (this.#waiting.get(name)?.reason !== reason) tellWaiting(pod, name, reason, events)
    }
    this.#waiting = plan.waiting
    const { ending } = plan
    if (ending?.reason === 'DeadlineExceeded' && this.#ending === undefined) {
      events.normal(ending.reason, ending.message)
    }
    this.#ending = ending
  }
}

type Start = (task: (signal: AbortSignal) => Promise<void>) => void

/** Probes of a container that was healthy go on from there. */
function adoptedFrom(reported: PodStatus, seen: ContainerSeen): Adopted | undefined {
  const { containerStatuses = [], initContainerStatuses = [] } = reported
  const status = [...containerStatuses, ...initContainerStatuses].find(
    ({ containerID }) => containerID === `containerd://${seen.id}`,
  )
  if (status?.state?.running === undefined) return undefined
  return { started: status.started ?? false, ready: status.ready }
}

function tellWaiting(pod: Pod, name: string, reason: string, events: PodEvents): void {
  if (reason === 'CrashLoopBackOff') {
    const message = `Back-off restarting failed container ${name} in pod ${formatPod(pod)}`
    events.warning('BackOff', message, name)
  }
  if (reason === 'ImagePullBackOff') {
    const image = specOf({ pod }, name)?.image
    events.normal('BackOff', `Back-off pulling image "${image}"`, name)
    events.warning('Failed', 'Error: ImagePullBackOff', name)
  }
}

function tellBegin(action: Action, events: PodEvents, isEnding: boolean): void {
  if (action.do === 'remove-sandbox' && !isEnding) {
    events.normal('SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.')
  }
  if (action.do !== 'pre-stop' && action.do !== 'stop') return
  const name = action.do === 'stop' ? action.name : action.container.name
  if (action.why.message) events.normal('Killing', action.why.message, name)
}

function tellFailed({ action, events }: Job, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  switch (action.do) {
    case 'prepare-volumes':
      return events.warning('FailedMount', message)
    case 'create-sandbox':
      return events.warning('FailedCreatePodSandBox', `Failed to create pod sandbox: ${message}`)
    case 'start':
      // It was made, but its first process could not be run.
      if (error instanceof ContainerError && error.reason === 'RunContainerError') {
        events.normal('Created', 'Container created', action.container.name)
      }
      return events.warning('Failed', `Error: ${message}`, action.container.name)
    case 'post-start':
      return events.warning('FailedPostStartHook', 'PostStartHook failed', action.container.name)
    case 'pre-stop':
      return events.warning('FailedPreStopHook', 'PreStopHook failed', action.container.name)
    case 'stop':
    case 'remove-sandbox':
      return events.warning('FailedKillPod', `error killing pod: ${message}`)
  }
}
