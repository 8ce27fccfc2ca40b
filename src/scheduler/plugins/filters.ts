// Why a node cannot run a pod, in upstream's words and order (kube-scheduler's default plugins).
// Pure.

import { type HostPort, hostPortsOf, portsConflict } from '../../api/pod/host-ports.ts'
import { matchesNodeTerm } from '../../api/requirement.ts'
import type { Pod, Taint } from '../../api/schema/generated/types.ts'
import { isTolerated } from '../../api/tolerations.ts'
import { own } from '../../lib/own.ts'
import type { NodeState } from '../cluster.ts'
import { type Amounts, requestsOf } from '../requests.ts'

export type Refusal = {
  readonly reasons: readonly string[]
  /** Removing other pods could not change it: preemption is then not even looked at. */
  readonly isFinal: boolean
}

/** The pod with what is worked out once for all nodes. */
export type Asked = {
  readonly pod: Pod
  readonly requests: Amounts
  readonly ports: readonly HostPort[]
}
type Filter = (asked: Asked, state: NodeState) => Refusal | undefined

const UNSCHEDULABLE_TAINT: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }

export function askOf(pod: Pod): Asked {
  return { pod, requests: requestsOf(pod), ports: hostPortsOf(pod.spec) }
}

/** The first filter that refuses has the word, as in upstream. */
export function refuse(asked: Asked, state: NodeState): Refusal | undefined {
  for (const filter of FILTERS) {
    const refusal = filter(asked, state)
    if (refusal !== undefined) return refusal
  }
  return undefined
}

const FILTERS: readonly Filter[] = [
  isUnschedulable,
  isOtherNode,
  hasTaint,
  isNotSelected,
  hasPortConflict,
  lacksResources,
]

function isUnschedulable({ pod }: Asked, { node }: NodeState): Refusal | undefined {
  if (!node.spec?.unschedulable) return undefined
  if (isTolerated(pod.spec?.tolerations ?? [], UNSCHEDULABLE_TAINT)) return undefined
  return final('node(s) were unschedulable')
}

function isOtherNode({ pod }: Asked, { node }: NodeState): Refusal | undefined {
  const wanted = pod.spec?.nodeName
  if (!wanted || wanted === node.metadata.name) return undefined
  return final("node(s) didn't match the requested node name")
}

function hasTaint({ pod }: Asked, { node }: NodeState): Refusal | undefined {
  const hard = (node.spec?.taints ?? []).filter(({ effect }) => effect !== 'PreferNoSchedule')
  const bad = hard.find((taint) => !isTolerated(pod.spec?.tolerations ?? [], taint))
  return bad && final('node(s) had untolerated taint(s)')
}

function isNotSelected({ pod }: Asked, { node }: NodeState): Refusal | undefined {
  const labels = node.metadata.labels ?? {}
  const wanted = Object.entries(pod.spec?.nodeSelector ?? {})
  const terms =
    pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
      ?.nodeSelectorTerms
  const matches =
    wanted.every(([key, value]) => own(labels, key) === value) &&
    (terms === undefined || terms.some((term) => matchesNodeTerm(term, node)))
  return matches ? undefined : final("node(s) didn't match Pod's node affinity/selector")
}

function hasPortConflict({ ports }: Asked, { pods }: NodeState): Refusal | undefined {
  if (ports.length === 0) return undefined
  const taken = [...pods.values()].flatMap(({ spec }) => hostPortsOf(spec))
  const clash = ports.some((port) => taken.some((other) => portsConflict(port, other)))
  return clash ? open("node(s) didn't have free ports for the requested pod ports") : undefined
}

function lacksResources({ requests }: Asked, state: NodeState): Refusal | undefined {
  const reasons: string[] = []
  let isFinal = false
  const { allocatable, requested, pods } = state
  if (pods.size + 1 > (allocatable.get('pods') ?? 0)) reasons.push('Too many pods')
  for (const [name, amount] of requests) {
    if (amount === 0) continue
    const total = allocatable.get(name) ?? 0
    if (amount <= total - (requested.get(name) ?? 0)) continue
    reasons.push(`Insufficient ${name}`)
    if (amount > total) isFinal = true
  }
  return reasons.length === 0 ? undefined : { reasons, isFinal }
}

function final(reason: string): Refusal {
  return { reasons: [reason], isFinal: true }
}

function open(reason: string): Refusal {
  return { reasons: [reason], isFinal: false }
}
