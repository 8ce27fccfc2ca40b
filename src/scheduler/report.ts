// What the scheduler says: events of events.k8s.io and the status of pods, word for word as
// kube-scheduler 1.36.

import { pods } from '../api/kinds/core/pod/row.ts'
import { groupEvents } from '../api/kinds/events/event/row.ts'
import type { Pod, PodCondition } from '../api/schema/generated/types.ts'
import { isNotFound } from '../api/status.ts'
import { formatTime } from '../api/time.ts'
import type { Client } from '../kit/client.ts'
import type { Clock } from '../lib/clock.ts'
import { describeError, type Log } from '../lib/log.ts'
import type { Random } from '../lib/random.ts'
import type { Note } from './framework.ts'

export type ReportDeps = {
  client: Client
  clock: Clock
  random: Random
  log: Log
  hostName: string
}

/** As upstream: of the note of an event. */
const NOTE_LENGTH_MAX = 1024

export async function reportSuccess(
  deps: ReportDeps,
  pod: Pod,
  nodeName: string,
  signal: AbortSignal,
): Promise<void> {
  const { namespace, name } = pod.metadata
  const note = `Successfully assigned ${namespace}/${name} to ${nodeName}`
  await say(deps, pod, { type: 'Normal', reason: 'Scheduled', action: 'Binding', note }, signal)
}

export type Failure = {
  readonly reason: 'Unschedulable' | 'SchedulerError'
  readonly message: string
  /** Where it waits for room from now on; undefined: where it did before. */
  readonly nominate: string | undefined
}

/** Nothing is written when the pod already says the same. */
export async function reportFailure(
  deps: ReportDeps,
  pod: Pod,
  { reason, message, nominate }: Failure,
  signal: AbortSignal,
): Promise<void> {
  const before = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled')
  const isNews =
    before?.status !== 'False' || before.message !== message || before.reason !== reason
  const isNominated = nominate !== undefined && nominate !== (pod.status?.nominatedNodeName ?? '')
  if (isNews) {
    const note =
      message.length <= NOTE_LENGTH_MAX ? message : `${message.slice(0, NOTE_LENGTH_MAX - 4)} ...`
    const what = { type: 'Warning', reason: 'FailedScheduling', action: 'Scheduling' } as const
    await say(deps, pod, { ...what, note }, signal)
  }
  if (!isNews && !isNominated) return
  const what = { type: 'PodScheduled', status: 'False', reason, message }
  const status: StatusPatch = { conditions: [conditionOf(pod, what, deps.clock.nowMs())] }
  if (isNominated) status.nominatedNodeName = nominate === '' ? null : nominate
  try {
    await patchStatus(deps.client, pod, status, signal)
  } catch (error) {
    // The pod is gone: nobody is left to tell.
    if (!isNotFound(error)) throw error
  }
}

type StatusPatch = { conditions?: PodCondition[]; nominatedNodeName?: string | null }

export async function patchStatus(
  client: Client,
  { metadata: { namespace, name = '', uid } }: Pod,
  status: StatusPatch,
  signal: AbortSignal,
): Promise<void> {
  const where = { namespace, name, subresource: 'status' }
  await client.patch(
    pods,
    where,
    { type: 'strategic', body: { metadata: { uid }, status } },
    signal,
  )
}

/** The condition with the time of its last change, which a new message is not. */
export function conditionOf(
  pod: Pod,
  what: { type: string; status: string; reason: string; message: string },
  nowMs: number,
): PodCondition {
  const before = pod.status?.conditions?.find(({ type }) => type === what.type)
  const isSame = before?.status === what.status
  const condition: PodCondition = {
    ...what,
    lastTransitionTime: (isSame ? before.lastTransitionTime : undefined) ?? formatTime(nowMs),
  }
  if (pod.metadata.generation) condition.observedGeneration = pod.metadata.generation
  return condition
}

/** An event that cannot be written is a line in the log, and no reason to fail. */
export async function say(
  deps: ReportDeps,
  pod: Pod,
  { related, ...what }: Note,
  signal: AbortSignal,
): Promise<void> {
  const { metadata } = pod
  const nowMs = deps.clock.nowMs()
  // Names carry a time in ns; our clock counts ms, and dice the rest.
  const nowNs =
    BigInt(Math.floor(nowMs)) * 1_000_000n + BigInt(Math.floor(deps.random.next() * 1e6))
  const name = `${metadata.name}.${nowNs.toString(16)}`
  const event = {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name, namespace: metadata.namespace ?? 'default' },
    eventTime: new Date(nowMs).toISOString().replace('Z', '000Z'),
    reportingController: 'default-scheduler',
    reportingInstance: `default-scheduler-${deps.hostName}`,
    regarding: referenceTo(pod),
    ...what,
    ...(related ? { related: referenceTo(related) } : {}),
  }
  try {
    await deps.client.create(groupEvents, event, signal)
  } catch (error) {
    deps.log.debug('write an event', { reason: what.reason, error: describeError(error) })
  }
}

function referenceTo({ metadata }: Pod) {
  const { name = '', namespace = '', uid = '', resourceVersion = '' } = metadata
  return { apiVersion: 'v1', kind: 'Pod', name, namespace, uid, resourceVersion }
}
