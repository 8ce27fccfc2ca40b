// How containers are brought to an end. Pure.
//
//   preStop of all at once ──► stop all but sidecars ──► sidecars, the last one first
//
// All of it happens within one grace period, counted from the moment the agent began with it; what
// is left of it, and never less than two seconds, is what a container gets between its stop signal
// and the kill.

import { isSidecar } from '../../api/pod/containers.ts'
import type { Container } from '../../api/schema/generated/types.ts'
import type { ContainerSeen } from '../../runtime/contract.ts'
import type { Draft } from './pod-draft.ts'
import { isAlive, type Seen, type StopReason } from './pod-seen.ts'

const GRACE_SECONDS_DEFAULT = 30
/** So that a container with no grace at all is not killed before it could hear of it. */
const GRACE_SECONDS_MIN = 2

/** Stops everything that runs, in order. */
export function planEnds(draft: Draft): void {
  const { pod, containers } = draft.seen
  const alive = containers.filter(isAlive)
  const sidecars = (pod.spec.initContainers ?? []).filter(isSidecar).map(({ name }) => name)
  for (const container of alive) {
    const place = sidecars.indexOf(container.name)
    const blockers = alive.filter((other) => {
      if (place < 0 || other.id === container.id) return false
      const otherPlace = sidecars.indexOf(other.name)
      return otherPlace < 0 || otherPlace > place
    })
    planEnd(draft, container, {
      message: `Stopping container ${container.name}`,
      mayStop: blockers.length === 0,
    })
  }
}

export type End = StopReason & {
  /** Replaces the pod's own grace period. */
  graceSeconds?: number | undefined
  /** False while others have to end first. */
  mayStop?: boolean
}

/** One step towards the end of one container. */
export function planEnd(draft: Draft, container: ContainerSeen, end: End): void {
  const { seen } = draft
  const { id, name } = container
  const begun = seen.stopping.get(id)
  const graceSeconds = end.graceSeconds ?? graceSecondsOf(seen)
  const sinceMs = begun?.sinceMs ?? seen.nowMs
  const endMs = sinceMs + graceSeconds * 1000
  const why = { message: begun === undefined ? end.message : undefined }
  const spec = specOf(seen, name)
  const hasHook = spec?.lifecycle?.preStop !== undefined && container.state === 'running'
  if (hasHook && graceSeconds > 0 && (begun === undefined || begun.hook === 'none')) {
    draft.want({ do: 'pre-stop', id, container: spec, graceSeconds, why })
    draft.recheckAt(endMs)
    return
  }
  const isOutOfTime = endMs <= seen.nowMs
  if (begun?.hook === 'running' && !isOutOfTime) return draft.recheckAt(endMs)
  if (begun?.hook === 'running') draft.stopWork(`pre-stop/${id}`)
  if (end.mayStop === false && !isOutOfTime) return draft.recheckAt(endMs)
  const stopKey = `stop/${id}`
  // The pod was deleted again with less grace: begin anew with what is left.
  if (begun !== undefined && begun.graceSeconds > graceSeconds) draft.stopWork(stopKey)
  const leftSeconds = Math.floor((endMs - seen.nowMs) / 1000)
  draft.want({
    do: 'stop',
    id,
    name,
    graceSeconds: Math.max(leftSeconds, GRACE_SECONDS_MIN),
    totalSeconds: graceSeconds,
    why,
  })
}

/** The grace that the deletion asks for, else the pod's own. */
function graceSecondsOf({ pod }: Pick<Seen, 'pod'>): number {
  const { deletionGracePeriodSeconds } = pod.metadata
  const { terminationGracePeriodSeconds } = pod.spec
  return deletionGracePeriodSeconds ?? terminationGracePeriodSeconds ?? GRACE_SECONDS_DEFAULT
}

export function specOf({ pod }: Pick<Seen, 'pod'>, name: string): Container | undefined {
  const { containers, initContainers = [], ephemeralContainers = [] } = pod.spec
  return [...containers, ...initContainers, ...ephemeralContainers].find(
    (container) => container.name === name,
  )
}
