// What a worker remembers of its pod between two looks. It decides nothing: results of actions are
// noted here, and the plan reads them.

import { ContainerError } from '../../api/pod/container-error.ts'
import type { Pod, PodStatus } from '../../api/schema/generated/types.ts'
import type { Clock } from '../../lib/clock.ts'
import type { ContainerSeen, ImageSeen, PodSeen, SandboxSeen } from '../../runtime/contract.ts'
import {
  type Action,
  keyOf,
  type RestartSeen,
  type Seen,
  type StoppingSeen,
  type Trouble,
} from '../plan/pod-seen.ts'
import { specOf } from '../plan/pod-stop.ts'
import { noteRestart } from '../plan/restart.ts'
import type { ContainerProbes } from '../probes/container-probes.ts'

export type Work = { readonly action: Action; readonly stop: AbortController }
export type Result = SandboxSeen | ContainerSeen | ImageSeen | undefined

const NOTHING: PodSeen = { sandbox: undefined, containers: [] }

export class PodMemory {
  runtime: PodSeen = NOTHING
  volumes: Seen['volumes'] = 'unknown'
  rejection: Seen['rejection']
  isForgotten = false
  reported: PodStatus
  readonly busy = new Map<string, Work>()
  /** Termination messages by container id. */
  readonly messages = new Map<string, string>()
  readonly probes = new Map<string, ContainerProbes>()
  /** It changed while it was being written. */
  #isStaleAgain = false
  readonly #images = new Map<string, ImageSeen>()
  readonly #troubles = new Map<string, Trouble>()
  readonly #postStart = new Map<string, 'pending' | 'failed'>()
  readonly #stopping = new Map<string, StoppingSeen>()
  readonly #restarts = new Map<string, RestartSeen>()
  readonly #clock: Clock

  constructor(clock: Clock, reported: PodStatus) {
    this.#clock = clock
    this.reported = reported
  }

  see(pod: Pod): Seen {
    const { sandbox, containers } = this.runtime
    const health = [...this.probes].map(([id, probes]) => [id, probes.health] as const)
    return {
      nowMs: this.#clock.nowMs(),
      pod,
      isForgotten: this.isForgotten,
      rejection: this.rejection,
      sandbox,
      containers: containers.filter((container) => !this.#isBeingStarted(container)),
      volumes: this.volumes,
      images: this.#images,
      busy: new Map([...this.busy].map(([key, { action }]) => [key, action])),
      troubles: this.#troubles,
      health: new Map(health),
      postStart: this.#postStart,
      stopping: this.#stopping,
      restarts: this.#restarts,
      reported: this.reported,
    }
  }

  /** What its files and variables are made from has changed. */
  noteStale(): void {
    if (this.busy.has('volumes')) this.#isStaleAgain = true
    else if (this.volumes === 'ready') this.volumes = 'stale'
  }

  /** Before the work on `action` begins. */
  noteBegin(action: Action): void {
    if (action.do === 'pre-stop' || action.do === 'stop') this.#noteStopping(action)
    if (action.do === 'start') this.#noteStart(action)
    if (action.do === 'prepare-volumes') this.#isStaleAgain = false
  }

  noteDone(action: Action, result: Result): void {
    this.#troubles.delete(keyOf(action))
    switch (action.do) {
      case 'prepare-volumes':
        this.volumes = this.#isStaleAgain ? 'stale' : 'ready'
        break
      case 'remove-volumes':
        this.volumes = 'gone'
        break
      case 'create-sandbox':
        this.runtime = { ...this.runtime, sandbox: result as SandboxSeen }
        break
      case 'remove-sandbox':
        this.noteObserved(NOTHING)
        break
      case 'find-image':
        this.#images.set(action.container.name, result as ImageSeen)
        break
      case 'start':
        this.#noteStarted(action, result as ContainerSeen)
        break
      case 'post-start':
        this.#postStart.delete(action.id)
        break
      case 'pre-stop':
        this.#noteHookDone(action.id)
        break
      case 'remove':
        this.#drop(action.id)
    }
  }

  noteFailed(action: Action, error: unknown): void {
    if (action.do === 'post-start') {
      this.#postStart.set(action.id, 'failed')
      return
    }
    if (action.do === 'pre-stop') return this.#noteHookDone(action.id)
    if (action.do === 'start') this.#images.delete(action.container.name)
    const key = keyOf(action)
    const count = (this.#troubles.get(key)?.count ?? 0) + 1
    const reason = error instanceof ContainerError ? error.reason : reasonOf(action)
    const message = error instanceof Error ? error.message : String(error)
    this.#troubles.set(key, { reason, message, atMs: this.#clock.nowMs(), count })
  }

  /** The trouble is over for another reason: what was missing has come. */
  forgetTroubles(which: (action: string) => boolean): void {
    for (const key of this.#troubles.keys()) if (which(key)) this.#troubles.delete(key)
  }

  /**
   * What runs since before the agent started. A start that nobody was told of had not ended: its
   * hook runs, or runs again.
   */
  noteAdopted(pod: Pod, runtime: PodSeen): void {
    this.noteObserved(runtime)
    const { containerStatuses = [], initContainerStatuses = [] } = this.reported
    const told = new Set(
      [...containerStatuses, ...initContainerStatuses].map(({ containerID }) => containerID),
    )
    for (const { id, name, state } of runtime.containers) {
      const hook = specOf({ pod }, name)?.lifecycle?.postStart
      if (hook === undefined || state !== 'running' || told.has(`containerd://${id}`)) continue
      this.#postStart.set(id, 'pending')
    }
  }

  /** What the runtime says by itself. Containers that are gone are forgotten altogether. */
  noteObserved(runtime: PodSeen): void {
    this.runtime = runtime
    const there = new Set(runtime.containers.map(({ id }) => id))
    for (const map of [this.#postStart, this.#stopping, this.messages]) {
      for (const id of map.keys()) if (!there.has(id)) map.delete(id)
    }
    // A start that failed and left a container behind is that container's failure, not a trouble.
    for (const { name, failure, attempt } of runtime.containers) {
      if (failure === undefined) continue
      const newest = runtime.containers.findLast((container) => container.name === name)
      if (newest?.attempt === attempt) this.#troubles.delete(`start/${name}`)
    }
  }

  /** Seen by the runtime, but not all of its start is done. */
  #isBeingStarted({ name, attempt }: ContainerSeen): boolean {
    const action = this.busy.get(`start/${name}`)?.action
    return action?.do === 'start' && action.attempt === attempt
  }

  #noteStart({ container, attempt }: Extract<Action, { do: 'start' }>): void {
    if (attempt === 0) return
    const { name } = container
    const last = this.runtime.containers.findLast((one) => one.name === name)
    const nowMs = this.#clock.nowMs()
    const exitedAtMs = last?.exitedAtMs ?? nowMs
    this.#restarts.set(name, noteRestart(this.#restarts.get(name), exitedAtMs, nowMs))
  }

  #noteStarted({ container }: Extract<Action, { do: 'start' }>, seen: ContainerSeen): void {
    this.#images.delete(container.name)
    if (container.lifecycle?.postStart) this.#postStart.set(seen.id, 'pending')
    const others = this.runtime.containers.filter(({ id }) => id !== seen.id)
    this.runtime = { ...this.runtime, containers: [...others, seen] }
  }

  #noteStopping(action: Extract<Action, { do: 'pre-stop' | 'stop' }>): void {
    const begun = this.#stopping.get(action.id)
    const total = action.do === 'stop' ? action.totalSeconds : action.graceSeconds
    this.#stopping.set(action.id, {
      sinceMs: begun?.sinceMs ?? this.#clock.nowMs(),
      graceSeconds: total,
      hook: action.do === 'pre-stop' ? 'running' : (begun?.hook ?? 'none'),
    })
  }

  #noteHookDone(id: string): void {
    const begun = this.#stopping.get(id)
    if (begun !== undefined) this.#stopping.set(id, { ...begun, hook: 'done' })
  }

  #drop(id: string): void {
    const containers = this.runtime.containers.filter((container) => container.id !== id)
    this.noteObserved({ ...this.runtime, containers })
  }
}

/** What a container waits for when the failure has no reason of its own. */
function reasonOf(action: Action): string {
  switch (action.do) {
    case 'find-image':
      return 'ErrImagePull'
    case 'start':
      return 'CreateContainerError'
    default:
      return 'FailedSync'
  }
}
