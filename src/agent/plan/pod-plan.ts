// Decides what to do next for one pod. Pure: no clock, no runtime, no awaits.
//
//   running ──(deleted, refused, past its deadline, finished)──► stopping ──(nothing left)──►
// stopped
//
// A pod only ever moves right. The executor starts the actions and looks again after each; whatever
// fails appears again in a later plan, after a while. There is no partial-failure code.

import { isSidecar } from '../../api/pod/containers.ts'
import type { Pod } from '../../api/schema/generated/types.ts'
import { parseTime } from '../../api/time.ts'
import { Draft } from './pod-draft.ts'
import { isAlive, type PodPlan, type Seen } from './pod-seen.ts'
import { endOf, hasStarted, planContainers } from './pod-start.ts'
import { planEnd, planEnds } from './pod-stop.ts'
import { mayRestart } from './restart.ts'

const PAST_DEADLINE = {
  reason: 'DeadlineExceeded',
  message: 'Pod was active on the node longer than the specified deadline',
}

export function planPod(seen: Seen): PodPlan {
  const { pod } = seen
  const draft = new Draft(seen)
  if (seen.isForgotten || pod.metadata.deletionTimestamp) return planStop(draft)
  if (seen.rejection !== undefined) return planStop(draft, seen.rejection)
  const deadlineMs = deadlineAtMs(seen)
  if (deadlineMs <= seen.nowMs) return planStop(draft, PAST_DEADLINE)
  if (isFinished(seen) && !owesHook(seen)) return planStop(draft)
  planRun(draft)
  if (deadlineMs !== Infinity) draft.recheckAt(deadlineMs)
  return draft.plan('running')
}

function planRun(draft: Draft): void {
  const { sandbox, containers, volumes } = draft.seen
  if (volumes !== 'ready') draft.want({ do: 'prepare-volumes' })
  if (sandbox?.state === 'ready') {
    planContainers(draft)
    planRemovals(draft)
    return
  }
  // What is left of an earlier sandbox cannot be joined: it goes, and all containers begin anew.
  if (sandbox !== undefined || containers.length > 0) planTeardown(draft)
  else {
    draft.want({ do: 'create-sandbox' })
    planContainers(draft)
  }
}

/** Containers first, then what they live in. True when neither is there any more. */
function planTeardown(draft: Draft): boolean {
  const { containers, sandbox } = draft.seen
  if (containers.some(isAlive)) {
    planEnds(draft)
    return false
  }
  if (containers.length === 0 && sandbox === undefined) return true
  draft.want({ do: 'remove-sandbox' })
  return false
}

function planStop(draft: Draft, ending?: PodPlan['ending']): PodPlan {
  const { busy, volumes } = draft.seen
  for (const [key, action] of busy) {
    switch (action.do) {
      case 'prepare-volumes':
      case 'create-sandbox':
      case 'find-image':
      case 'start':
      case 'post-start':
        draft.stopWork(key)
    }
  }
  const isTornDown = draft.cancel.length === 0 && planTeardown(draft)
  if (!isTornDown) return draft.plan('stopping', ending)
  if (volumes !== 'gone') draft.want({ do: 'remove-volumes' })
  const isOver = volumes === 'gone' && busy.size === 0
  return draft.plan(isOver ? 'stopped' : 'stopping', ending)
}

/** A container has ended whose postStart hook has neither succeeded nor failed. */
function owesHook({ containers, postStart, sandbox }: Seen): boolean {
  if (sandbox?.state !== 'ready') return false
  return containers.some(({ id, state }) => state === 'exited' && postStart.get(id) === 'pending')
}

/** All regular containers have ended for good, or an init container has failed for good. */
export function isFinished(seen: Seen): boolean {
  const { pod, reported } = seen
  if (reported.phase === 'Succeeded' || reported.phase === 'Failed') return true
  const isOver = (container: Pod['spec']['containers'][number]) => {
    const end = endOf(seen, container)
    return end !== undefined && !mayRestart(pod, container, end.exitCode)
  }
  if (pod.spec.containers.every(isOver)) return true
  if (hasStarted(seen)) return false
  return (pod.spec.initContainers ?? []).some((container) => {
    if (isSidecar(container)) return false
    const end = endOf(seen, container)
    return end !== undefined && end.exitCode !== 0 && !mayRestart(pod, container, end.exitCode)
  })
}

/** Wall time at which the pod's time is up; Infinity when it has no limit. */
function deadlineAtMs({ pod, reported }: Seen): number {
  const seconds = pod.spec.activeDeadlineSeconds
  const startTime = reported.startTime ?? pod.status?.startTime
  if (seconds === undefined || startTime === undefined) return Infinity
  return parseTime(startTime) + seconds * 1000
}

/** Of each container the newest attempt stays, and the one before it for its log and last state. */
function planRemovals(draft: Draft): void {
  const { seen } = draft
  for (const name of new Set(seen.containers.map((container) => container.name))) {
    const attempts = seen.containers.filter((container) => container.name === name)
    for (const old of attempts.slice(0, -2)) {
      if (isAlive(old)) planEnd(draft, old, { message: `Stopping container ${name}` })
      else draft.want({ do: 'remove', id: old.id, logs: true })
    }
    const previous = attempts.at(-2)
    // Two of one container must never run at once, whatever went wrong before.
    if (previous !== undefined && isAlive(previous)) {
      planEnd(draft, previous, { message: `Stopping container ${name}` })
    }
  }
}
