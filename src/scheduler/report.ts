// What the scheduler says: events of events.k8s.io and the PodScheduled condition, word for word as
// kube-scheduler 1.36.

import { pods } from '../api/kinds/core/pod/row.ts'
import { groupEvents } from '../api/kinds/events/event/row.ts'
import type { Pod, PodCondition } from '../api/schema/generated/types.ts'
import { isNotFound } from '../api/status.ts'
import type { Client } from '../kit/client.ts'
import type { Clock } from '../lib/clock.ts'
import { describeError, type Log } from '../lib/log.ts'

type ReportDeps = { client: Client; clock: Clock; log: Log; hostName: string }

type Note = { type: 'Normal' | 'Warning'; reason: string; action: string; note: string }

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

/** Nothing is written when the pod already says the same. */
export async function reportFailure(
  deps: ReportDeps,
  pod: Pod,
  message: string,
  signal: AbortSignal,
): Promise<void> {
  const before = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled')
  if (before?.status === 'False' && before.message === message) return
  const note = { type: 'Warning', reason: 'FailedScheduling', action: 'Scheduling' } as const
  await say(deps, pod, { ...note, note: message }, signal)
  const now = new Date(deps.clock.nowMs()).toISOString().replace(/\.\d+Z$/, 'Z')
  const condition: PodCondition = {
    type: 'PodScheduled',
    status: 'False',
    reason: 'Unschedulable',
    message,
    lastTransitionTime: before?.status === 'False' ? (before.lastTransitionTime ?? now) : now,
    ...(pod.metadata.generation ? { observedGeneration: pod.metadata.generation } : {}),
  }
  const where = {
    namespace: pod.metadata.namespace,
    name: pod.metadata.name!,
    subresource: 'status',
  }
  const body = {
    metadata: { uid: pod.metadata.uid },
    status: { conditions: [condition] },
  }
  try {
    await deps.client.patch(pods, where, { type: 'strategic', body }, signal)
  } catch (error) {
    // The pod is gone: nobody is left to tell.
    if (!isNotFound(error)) throw error
  }
}

/** An event that cannot be written is a line in the log, and no reason to fail. */
async function say(deps: ReportDeps, pod: Pod, what: Note, signal: AbortSignal): Promise<void> {
  const { metadata } = pod
  const nowMs = deps.clock.nowMs()
  const name = `${metadata.name}.${(BigInt(nowMs) * 1_000_000n).toString(16)}`
  const event = {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name, namespace: metadata.namespace ?? 'default' },
    eventTime: new Date(nowMs).toISOString().replace('Z', '000Z'),
    reportingController: 'default-scheduler',
    reportingInstance: `default-scheduler-${deps.hostName}`,
    regarding: {
      apiVersion: 'v1',
      kind: 'Pod',
      name: metadata.name ?? '',
      namespace: metadata.namespace ?? '',
      uid: metadata.uid ?? '',
      resourceVersion: metadata.resourceVersion ?? '',
    },
    ...what,
  }
  try {
    await deps.client.create(groupEvents, event, signal)
  } catch (error) {
    deps.log.debug('write an event', { reason: what.reason, error: describeError(error) })
  }
}
