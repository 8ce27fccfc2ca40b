// Makes room for a pod by removing less important ones. The pod is nominated for the node at once,
// the victims are removed in the background, and only then it is tried again.

import { pods } from '../../api/kinds/core/pod/row.ts'
import { podDisruptionBudgets } from '../../api/kinds/policy/poddisruptionbudget/row.ts'
import type { Pod } from '../../api/schema/generated/types.ts'
import { isNotFound } from '../../api/status.ts'
import { forEachLimited } from '../../lib/tasks.ts'
import { describeRefusals } from '../diagnosis.ts'
import {
  type FailedAttempt,
  final,
  type Handle,
  type MakePlugin,
  open,
  type PostFiltered,
  priorityOf,
} from '../framework.ts'
import { conditionOf, patchStatus } from '../report.ts'
import { bestCandidates, type Candidate, findCandidates } from './victims.ts'

const NAME = 'DefaultPreemption'
const PREEMPTED = 'PreemptionByScheduler'
/** At once, for one pod. */
const REMOVALS_MAX = 16

export const defaultPreemption: MakePlugin = (handle) => {
  const budgets = handle.lister(podDisruptionBudgets)
  /** Pods whose victims are being removed. */
  const running = new Set<string>()
  return {
    name: NAME,
    preEnqueue: ({ metadata }) =>
      running.has(metadata.uid!)
        ? 'waiting for the preemption for this pod to be finished'
        : undefined,
    postFilter(attempt) {
      const whyNot = ineligible(attempt)
      if (whyNot !== undefined) return { ok: false, message: `preemption: ${whyNot}` }
      const { candidates, refusals } = findCandidates(attempt, budgets.all())
      const [best] = bestCandidates(candidates)
      if (best === undefined) return noCandidate(attempt, refusals)
      const { pod } = attempt.info
      const nominees = attempt.view.nominatedOn(best.nodeName).map((info) => info.pod)
      const lesser = nominees.filter((other) => priorityOf(other) < priorityOf(pod))
      return {
        ok: true,
        nominate: best.nodeName,
        victims: best.victims,
        async carryOut(signal) {
          running.add(pod.metadata.uid!)
          try {
            await makeRoom(handle, { pod, candidate: best, lesser }, signal)
          } finally {
            running.delete(pod.metadata.uid!)
            handle.recheck(pod)
          }
        },
      }
    },
  }
}

function noCandidate(
  { view }: FailedAttempt,
  refusals: ReadonlyMap<string, ReturnType<typeof final> & { plugin?: string }>,
): PostFiltered {
  const absent = final('Preemption is not helpful for scheduling')
  const named = new Map([...refusals].map(([name, one]) => [name, { ...one, plugin: NAME }]))
  const message = describeRefusals({ refusals: named, absent }, view.nodes.length)
  return { ok: false, message: `preemption: ${message}`, nominate: '' }
}

/** Room that is being made already is waited for, unless the node has become impossible. */
function ineligible({ info: { pod }, view, refusalOf }: FailedAttempt): string | undefined {
  if (pod.spec?.preemptionPolicy === 'Never') {
    return 'not eligible due to preemptionPolicy=Never.'
  }
  const nominated = view.nominationOf(pod)
  if (nominated === undefined || refusalOf(nominated)?.isFinal) return undefined
  const others = [...(view.node(nominated)?.pods.values() ?? [])]
  const isMakingRoom = others.some(
    (other) => priorityOf(other.pod) < priorityOf(pod) && isLeavingForOthers(other.pod),
  )
  if (!isMakingRoom) return undefined
  return 'not eligible due to a terminating pod on the nominated node.'
}

function isLeavingForOthers({ metadata, status }: Pod): boolean {
  if (metadata.deletionTimestamp === undefined) return false
  const target = status?.conditions?.find(({ type }) => type === 'DisruptionTarget')
  return target?.status === 'True' && target.reason === PREEMPTED
}

type Work = { pod: Pod; candidate: Candidate; lesser: readonly Pod[] }

async function makeRoom(handle: Handle, work: Work, signal: AbortSignal): Promise<void> {
  const { pod, candidate, lesser } = work
  // They no longer fit there, and are better off looking elsewhere now.
  const cleared = lesser.map((one) =>
    patchStatus(handle.client, one, { nominatedNodeName: null }, signal).catch((error) => {
      handle.log.warn('clear a nomination', { pod: one.metadata.name, error })
    }),
  )
  const leaving = candidate.victims.filter(({ metadata }) => !metadata.deletionTimestamp)
  await Promise.all(cleared)
  await forEachLimited(leaving, REMOVALS_MAX, (victim) => remove(handle, work, victim, signal))
  const victimCount = leaving.length
  handle.log.debug('preempted', { pod: pod.metadata.name, node: candidate.nodeName, victimCount })
}

async function remove(
  handle: Handle,
  { pod, candidate: { nodeName } }: Work,
  victim: Pod,
  signal: AbortSignal,
): Promise<void> {
  let told = `Preempted by pod ${pod.metadata.uid} on node ${nodeName}`
  if (handle.rejectWaiting(victim, open('preempted'))) told += ' (in kube-scheduler memory).'
  else if (!(await evict(handle, pod, victim, signal))) return
  const what = { type: 'Normal', reason: 'Preempted', action: 'Preempting', note: told } as const
  await handle.say(victim, { ...what, related: pod }, signal)
}

/** False when it was gone already. */
async function evict(
  { client, clock }: Handle,
  pod: Pod,
  victim: Pod,
  signal: AbortSignal,
): Promise<boolean> {
  const scheduler = pod.spec?.schedulerName
  const condition = conditionOf(
    victim,
    {
      type: 'DisruptionTarget',
      status: 'True',
      reason: PREEMPTED,
      message: `${scheduler}: preempting to accommodate a higher priority pod`,
    },
    clock.nowMs(),
  )
  const { namespace, name = '', uid } = victim.metadata
  try {
    await patchStatus(client, victim, { conditions: [condition] }, signal)
    await client.delete(pods, { namespace, name }, { uid: uid! }, signal)
    return true
  } catch (error) {
    if (isNotFound(error)) return false
    throw error
  }
}
