// The conditions of a pod that the agent owns. Pure; reasons and messages are the kubelet's.

import { isSidecar } from '../../api/pod/containers.ts'
import type { ContainerStatus, PodCondition, PodStatus } from '../../api/schema/generated/types.ts'
import { formatTime } from '../../api/time.ts'
import type { Seen } from '../plan/pod-seen.ts'
import { goList } from '../pod-text.ts'

/** Only these are ours; the others belong to whoever wrote them. */
export const OWN_CONDITIONS: readonly string[] = [
  ...['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'],
]

type Draft = Pick<PodCondition, 'status' | 'reason' | 'message'>

const TRUE: Draft = { status: 'True' }

export type ConditionView = {
  readonly seen: Seen
  readonly phase: string
  readonly statuses: readonly ContainerStatus[]
  /** False once the sandbox is gone: nothing can be started in it. */
  readonly hasSandbox: boolean
}

/** All conditions to report, in the kubelet's order: those of others first. */
export function conditionsOf(view: ConditionView): PodCondition[] {
  const { seen } = view
  const kept = seen.pod.status?.conditions ?? []
  const others = kept.filter(({ type }) => !OWN_CONDITIONS.includes(type))
  const containersReady = containersReadyOf(view)
  const drafts: [string, Draft][] = [
    ['PodReadyToStartContainers', view.hasSandbox ? TRUE : { status: 'False' }],
    ['Initialized', initializedOf(view)],
    ['Ready', readyOf(seen, containersReady, others)],
    ['ContainersReady', containersReady],
    ['PodScheduled', TRUE],
  ]
  return [...others, ...drafts.map(([type, draft]) => dated(seen, type, draft))]
}

/** The time of the last change of `status` stays as long as it does. */
function dated(seen: Seen, type: string, draft: Draft): PodCondition {
  const find = (status: PodStatus | undefined) =>
    status?.conditions?.find((condition) => condition.type === type)
  const before = find(seen.reported) ?? find(seen.pod.status)
  const isSame = before?.status === draft.status && before.lastTransitionTime !== undefined
  const { generation } = seen.pod.metadata
  return {
    type,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    ...draft,
    lastTransitionTime: isSame ? before.lastTransitionTime! : formatTime(seen.nowMs),
  }
}

function containersReadyOf({ seen, phase, statuses }: ConditionView): Draft {
  const { containers, initContainers = [] } = seen.pod.spec
  const unknown: string[] = []
  const unready: string[] = []
  for (const { name } of [...initContainers.filter(isSidecar), ...containers]) {
    const status = statuses.find((one) => one.name === name)
    if (status === undefined) unknown.push(name)
    else if (!status.ready) unready.push(name)
  }
  if (phase === 'Succeeded' && unknown.length === 0) {
    return { status: 'False', reason: 'PodCompleted' }
  }
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' }
  const message = joined([
    ['containers with unknown status', unknown],
    ['containers with unready status', unready],
  ])
  return message === '' ? TRUE : { status: 'False', reason: 'ContainersNotReady', message }
}

function readyOf(seen: Seen, containersReady: Draft, others: readonly PodCondition[]): Draft {
  if (containersReady.status !== 'True') return containersReady
  const messages: string[] = []
  for (const { conditionType } of seen.pod.spec.readinessGates ?? []) {
    const condition = others.find(({ type }) => type === conditionType)
    if (condition === undefined) {
      const gate = `corresponding condition of pod readiness gate "${conditionType}"`
      messages.push(`${gate} does not exist.`)
    } else if (condition.status !== 'True') {
      const gate = `the status of pod readiness gate "${conditionType}"`
      messages.push(`${gate} is not "True", but ${condition.status}`)
    }
  }
  if (messages.length === 0) return TRUE
  return { status: 'False', reason: 'ReadinessGatesNotReady', message: messages.join(', ') }
}

function initializedOf({ seen, phase, statuses }: ConditionView): Draft {
  const unknown: string[] = []
  const incomplete: string[] = []
  for (const container of seen.pod.spec.initContainers ?? []) {
    const status = statuses.find((one) => one.name === container.name)
    if (status === undefined) unknown.push(container.name)
    else if (!(isSidecar(container) ? status.started : status.ready)) {
      incomplete.push(container.name)
    }
  }
  if (phase === 'Succeeded' && unknown.length === 0) {
    return { status: 'True', reason: 'PodCompleted' }
  }
  const wasStarted = seen.pod.spec.containers.some(({ name }) => {
    const status = statuses.find((one) => one.name === name)
    return status?.state?.running || status?.state?.terminated || status?.lastState?.terminated
  })
  const message = joined([
    ['containers with unknown status', unknown],
    ['containers with incomplete status', incomplete],
  ])
  const wasInitialized = seen.reported.conditions?.some(
    ({ type, status }) => type === 'Initialized' && status === 'True',
  )
  if (message === '' || wasStarted || wasInitialized) return TRUE
  return { status: 'False', reason: 'ContainersNotInitialized', message }
}

function joined(parts: readonly (readonly [string, readonly string[]])[]): string {
  return parts
    .filter(([, names]) => names.length > 0)
    .map(([what, names]) => `${what}: ${goList(names)}`)
    .join(', ')
}
