// What `kubectl get pods` shows.

import { isSidecar } from '../../../pod/containers.ts'
import type { Column, RowCondition } from '../../../resource.ts'
import type { ContainerStatus, Pod } from '../../../schema/generated/types.ts'
import { ageColumn, since } from '../../../table/cells.ts'

export const podColumns: readonly Column<Pod>[] = [
  text('Ready', 0, 'Containers that are ready, of all.', (pod) => {
    const { ready, total } = summarize(pod)
    return `${ready}/${total}`
  }),
  text('Status', 0, 'What the pod is doing, in one word.', (pod) => summarize(pod).reason),
  text('Restarts', 0, 'How often containers were restarted, and when last.', restartsCell),
  ageColumn,
  text('IP', 1, 'Its address.', ({ status }) => status?.podIPs?.[0]?.ip || '<none>'),
  text('Node', 1, 'Where it runs.', ({ spec }) => spec.nodeName || '<none>'),
  text('Nominated Node', 1, 'Where room is being made for it.', ({ status }) => {
    return status?.nominatedNodeName || '<none>'
  }),
  text('Readiness Gates', 1, 'Gates that are open, of all.', gatesCell),
]

export function podRowConditions({ status }: Pod): RowCondition[] {
  const message = DONE_MESSAGES[status?.phase ?? '']
  if (message === undefined) return []
  return [{ type: 'Completed', status: 'True', reason: status!.phase!, message }]
}

const DONE_MESSAGES: Readonly<Record<string, string>> = {
  Succeeded: 'The pod has completed successfully.',
  Failed: 'The pod failed.',
}

function text(
  name: string,
  priority: 0 | 1,
  description: string,
  cell: (pod: Pod, nowMs: number) => string,
): Column<Pod> {
  return { name, type: 'string', priority, description, cell }
}

type Summary = {
  reason: string
  ready: number
  total: number
  restarts: number
  /** RFC 3339, empty when nothing was restarted. */
  lastRestart: string
}

function summarize(pod: Pod): Summary {
  const init = initSummary(pod)
  const isInitialized = hasCondition(pod, 'Initialized')
  const whole = init.isRunning && !isInitialized ? init : containersSummary(pod, init)
  const total =
    (pod.spec.containers ?? []).length + (pod.spec.initContainers ?? []).filter(isSidecar).length
  return { ...whole, reason: deletionReason(pod) ?? whole.reason, total }
}

type Counted = Pick<Summary, 'reason' | 'ready' | 'restarts' | 'lastRestart'>
type InitSummary = Counted & {
  isRunning: boolean
  /**
   * Restarts of sidecars alone: those of other init containers are forgotten once they are done.
   */
  sidecars: Pick<Counted, 'restarts' | 'lastRestart'>
}

function initSummary(pod: Pod): InitSummary {
  const summary: InitSummary = {
    reason: startReason(pod),
    ready: 0,
    restarts: 0,
    lastRestart: '',
    isRunning: false,
    sidecars: { restarts: 0, lastRestart: '' },
  }
  const containers = new Map((pod.spec.initContainers ?? []).map((each) => [each.name, each]))
  for (const [index, status] of (pod.status?.initContainerStatuses ?? []).entries()) {
    const container = containers.get(status.name)
    const isSidecarStatus = container !== undefined && isSidecar(container)
    countRestarts(summary, status)
    if (isSidecarStatus) countRestarts(summary.sidecars, status)
    if (status.state?.terminated?.exitCode === 0) continue
    if (isSidecarStatus && status.started) {
      if (status.ready) summary.ready++
      continue
    }
    summary.reason = initReason(status, index, containers.size)
    summary.isRunning = true
    break
  }
  return summary
}

function initReason({ state }: ContainerStatus, index: number, count: number): string {
  if (state?.terminated) return `Init:${endReason(state.terminated)}`
  const waiting = state?.waiting?.reason
  return waiting && waiting !== 'PodInitializing' ? `Init:${waiting}` : `Init:${index}/${count}`
}

function containersSummary(pod: Pod, init: InitSummary): Counted {
  const summary: Counted = { reason: init.reason, ready: init.ready, ...init.sidecars }
  let hasRunning = false
  let failure = ''
  for (const status of (pod.status?.containerStatuses ?? []).toReversed()) {
    const { waiting, terminated, running } = status.state ?? {}
    countRestarts(summary, status)
    if (waiting?.reason) summary.reason = waiting.reason
    else if (terminated) {
      summary.reason = endReason(terminated)
      if (terminated.exitCode !== 0) failure = summary.reason
    } else if (status.ready && running) {
      hasRunning = true
      summary.ready++
    }
  }
  if (summary.reason === 'Completed') {
    if (hasRunning && hasCondition(pod, 'Ready')) summary.reason = 'Running'
    else if (failure !== '') summary.reason = failure
    else if (hasRunning) summary.reason = 'NotReady'
  }
  return summary
}

function startReason({ status }: Pod): string {
  const gated = status?.conditions?.some(
    ({ type, reason }) => type === 'PodScheduled' && reason === 'SchedulingGated',
  )
  return gated ? 'SchedulingGated' : status?.reason || status?.phase || ''
}

function deletionReason({ metadata, status }: Pod): string | undefined {
  if (metadata.deletionTimestamp === undefined) return undefined
  if (status?.reason === 'NodeLost') return 'Unknown'
  return ['Succeeded', 'Failed'].includes(status?.phase ?? '') ? undefined : 'Terminating'
}

type Ended = { reason?: string; signal?: number; exitCode: number }

function endReason({ reason, signal, exitCode }: Ended): string {
  if (reason) return reason
  return signal ? `Signal:${signal}` : `ExitCode:${exitCode}`
}

function countRestarts(summary: Pick<Counted, 'restarts' | 'lastRestart'>, from: ContainerStatus) {
  summary.restarts += from.restartCount
  const finishedAt = from.lastState?.terminated?.finishedAt ?? ''
  if (finishedAt > summary.lastRestart) summary.lastRestart = finishedAt
}

function restartsCell(pod: Pod, nowMs: number): string {
  const { restarts, lastRestart } = summarize(pod)
  const isDated = restarts !== 0 && lastRestart !== ''
  return isDated ? `${restarts} (${since(lastRestart, nowMs)} ago)` : `${restarts}`
}

function gatesCell(pod: Pod): string {
  const gates = pod.spec.readinessGates ?? []
  if (gates.length === 0) return '<none>'
  const open = gates.filter(({ conditionType }) => hasCondition(pod, conditionType)).length
  return `${open}/${gates.length}`
}

function hasCondition({ status }: Pod, type: string): boolean {
  return status?.conditions?.find((condition) => condition.type === type)?.status === 'True'
}
