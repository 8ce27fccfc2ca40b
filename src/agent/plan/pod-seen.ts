// What a plan for a pod may look at, and what it may ask for. Data only.
//
// A worker never waits for an action: it starts it, and looks again when it has ended or anything
// else has happened. So every action has a key, `busy` holds those under way, and a plan that asks
// for one that is under way changes nothing.

import type { Container, Pod, PodStatus } from '../../api/schema/generated/types.ts'
import type {
  ContainerKind,
  ContainerSeen,
  ImageSeen,
  SandboxSeen,
} from '../../runtime/contract.ts'

export type Action =
  | { do: 'prepare-volumes' }
  | { do: 'create-sandbox' }
  | { do: 'find-image'; container: Container; kind: ContainerKind }
  | { do: 'start'; container: Container; kind: ContainerKind; attempt: number; image: ImageSeen }
  | { do: 'post-start'; id: string; container: Container }
  | { do: 'pre-stop'; id: string; container: Container; graceSeconds: number; why: StopReason }
  /** `totalSeconds`: the whole grace, of which `graceSeconds` are left. */
  | {
      do: 'stop'
      id: string
      name: string
      graceSeconds: number
      totalSeconds: number
      why: StopReason
    }
  /** Takes an old attempt away, without its log when a newer one needs the room. */
  | { do: 'remove'; id: string; logs: boolean }
  | { do: 'remove-sandbox' }
  | { do: 'remove-volumes' }

/** `message` is the Killing event's; undefined when it has been told already. */
export type StopReason = { message: string | undefined }

/** Why something could not be done, and when. `count` failures in a row. */
export type Trouble = { reason: string; message: string; atMs: number; count: number }

/** What the probes say about one running container. */
export type Health = {
  /** The startup probe has succeeded, or there is none. */
  readonly started: boolean
  readonly ready: boolean
  readonly failed: 'startup' | 'liveness' | undefined
}

/** The last restart of a container: its successor has to wait. */
export type RestartSeen = { readonly delayMs: number; readonly atMs: number }

/** A container that is being stopped. */
export type StoppingSeen = {
  readonly sinceMs: number
  readonly graceSeconds: number
  readonly hook: 'none' | 'running' | 'done'
}

/** Everything the plan of one pod depends on, as it was at `nowMs`. */
export type Seen = {
  readonly nowMs: number
  readonly pod: Pod
  /** The object is gone from the API: only what runs is left to clear away. */
  readonly isForgotten: boolean
  /** Refused at the door: nothing of it may run. */
  readonly rejection: { readonly reason: string; readonly message: string } | undefined
  readonly sandbox: SandboxSeen | undefined
  /** Newest attempt of a container last. */
  readonly containers: readonly ContainerSeen[]
  /**
   * 'unknown' after a start of the agent: something may be there from before. 'stale': usable, but
   * what it is made from has changed.
   */
  readonly volumes: 'unknown' | 'ready' | 'stale' | 'gone'
  /** Found and fit to start from, by container name. */
  readonly images: ReadonlyMap<string, ImageSeen>
  /** Keys of actions under way. */
  readonly busy: ReadonlyMap<string, Action>
  /** By key of the action that failed last time. */
  readonly troubles: ReadonlyMap<string, Trouble>
  /** By container id. */
  readonly health: ReadonlyMap<string, Health>
  /** Ids of containers whose postStart hook has not ended, and of those where it failed. */
  readonly postStart: ReadonlyMap<string, 'pending' | 'failed'>
  readonly stopping: ReadonlyMap<string, StoppingSeen>
  /** By container name. */
  readonly restarts: ReadonlyMap<string, RestartSeen>
  /** What was reported last: for what the runtime has forgotten. */
  readonly reported: PodStatus
}

export type Waiting = { readonly reason: string; readonly message: string }

export type PodPlan = {
  readonly phase: 'running' | 'stopping' | 'stopped'
  /** Independent of one another: all may be under way at once. */
  readonly actions: readonly Action[]
  /** Keys of actions under way that must not go on. */
  readonly cancel: readonly string[]
  /** Containers that are held back, by name, and what to say about them. */
  readonly waiting: ReadonlyMap<string, Waiting>
  /** Set when the kubelet itself ends the pod: deadline, refusal. */
  readonly ending: { readonly reason: string; readonly message: string } | undefined
  readonly recheckInMs: number | undefined
}

/** One name for the same work, so that it is never under way twice. */
export function keyOf(action: Action): string {
  switch (action.do) {
    case 'prepare-volumes':
    case 'remove-volumes':
      return 'volumes'
    case 'create-sandbox':
    case 'remove-sandbox':
      return 'sandbox'
    case 'find-image':
      return `image/${action.container.name}`
    case 'start':
      return `start/${action.container.name}`
    case 'post-start':
    case 'pre-stop':
    case 'stop':
    case 'remove':
      return `${action.do}/${action.id}`
  }
}

/** Newest attempt of the container with this name. */
export function newestOf(seen: Pick<Seen, 'containers'>, name: string): ContainerSeen | undefined {
  return seen.containers.findLast((container) => container.name === name)
}

export function isAlive(container: ContainerSeen): boolean {
  return container.state === 'running' || container.state === 'unknown'
}
