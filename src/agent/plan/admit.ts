// Whether a pod that was bound to this node may run on it: the kubelet's own look, after the
// scheduler's. Pure; reasons and messages are the kubelet's.

import { hostPortsOf, portsConflict } from '../../api/pod/host-ports.ts'
import { podLimits, podRequests } from '../../api/pod/resources.ts'
import type { SysctlList } from '../../api/pod/sysctls.ts'
import { milliUnits, parseQuantity, wholeUnits } from '../../api/quantity.ts'
import { matchesNodeSelection } from '../../api/requirement.ts'
import type { Node, Pod } from '../../api/schema/generated/types.ts'
import { isTolerated } from '../../api/tolerations.ts'
import { own } from '../../lib/own.ts'
import { podFault } from './pod-rules.ts'

export type Rejection = { readonly reason: string; readonly message: string }

/** What pods are judged by. */
export type Host = {
  /** As the agent reports it. */
  readonly node: Node
  /** Kernel settings that pods may have. */
  readonly sysctls: SysctlList
  /** Why memory cannot be limited here; undefined where it can. */
  readonly memoryProblem: string | undefined
}

/** What may not run whoever let it in before: asked again after every start of the agent. */
export function refusePod(pod: Pod, { sysctls }: Host): Rejection | undefined {
  const { hostNetwork = false, hostIPC: hostIpc = false } = pod.spec
  return podFault(pod, { sysctls, hostNetwork, hostIpc })
}

/** Undefined when it may. `others` are the pods that hold resources of the node already. */
export function admitPod(pod: Pod, host: Host, others: readonly Pod[]): Rejection | undefined {
  const { node } = host
  return (
    refusePod(pod, host) ??
    wrongSystem(pod) ??
    unlimited(pod, host) ??
    tooLarge(pod, node, others) ??
    wrongNode(pod, node) ??
    takenPort(pod, others) ??
    untolerated(pod, node)
  )
}

function wrongSystem({ spec, metadata }: Pod): Rejection | undefined {
  if (spec.os !== undefined && spec.os.name !== 'linux') {
    const message = "Failed to admit pod as the OS field doesn't match node OS"
    return { reason: 'PodOSNotSupported', message }
  }
  const label = metadata.labels?.['kubernetes.io/os']
  if (label === undefined || label === 'linux') return undefined
  const message = "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label"
  return { reason: 'PodOSSelectorNodeLabelDoesNotMatch', message }
}

/** Without the memory cgroup a limit would be a promise that nobody keeps. */
function unlimited(pod: Pod, { memoryProblem }: Host): Rejection | undefined {
  if (memoryProblem === undefined || podLimits(pod).memory === undefined) return undefined
  return { reason: 'MemoryLimitsUnsupported', message: `memory limits: ${memoryProblem}` }
}

function tooLarge(pod: Pod, node: Node, others: readonly Pod[]): Rejection | undefined {
  const allocatable = node.status?.allocatable ?? {}
  const podsMax = wholeUnits(parseQuantity(allocatable.pods ?? '110'))
  if (others.length + 1 > podsMax) return insufficient('pods', 1, others.length, podsMax)
  const requests = podRequests(pod)
  for (const [name, text] of Object.entries(requests)) {
    const requested = amount(name, text)
    // An extended resource that the node does not know is nothing that it could run out of.
    const isExtended = name.includes('/') && own(allocatable, name) === undefined
    if (requested === 0 || isExtended) continue
    const capacity = amount(name, own(allocatable, name) ?? '0')
    const used = others.reduce((sum, other) => sum + amount(name, own(podRequests(other), name)), 0)
    if (requested > capacity - used) return insufficient(name, requested, used, capacity)
  }
  return undefined
}

function insufficient(name: string, requested: number, used: number, capacity: number): Rejection {
  const amounts = `requested: ${requested}, used: ${used}, capacity: ${capacity}`
  const message = `Node didn't have enough resource: ${name}, ${amounts}`
  return { reason: `OutOf${name}`, message }
}

function amount(name: string, text: string | undefined): number {
  if (text === undefined) return 0
  return name === 'cpu' ? milliUnits(parseQuantity(text)) : wholeUnits(parseQuantity(text))
}

function wrongNode({ spec }: Pod, node: Node): Rejection | undefined {
  if (matchesNodeSelection(spec, node)) return undefined
  return failed('NodeAffinity', "node(s) didn't match Pod's node affinity/selector")
}

function takenPort(pod: Pod, others: readonly Pod[]): Rejection | undefined {
  const taken = others.flatMap(({ spec }) => hostPortsOf(spec))
  const isTaken = hostPortsOf(pod.spec).some((own) =>
    taken.some((other) => portsConflict(own, other)),
  )
  if (!isTaken) return undefined
  return failed('NodePorts', "node(s) didn't have free ports for the requested pod ports")
}

function untolerated({ spec }: Pod, node: Node): Rejection | undefined {
  const tolerations = spec.tolerations ?? []
  const taints = (node.spec?.taints ?? []).filter(({ effect }) => effect === 'NoExecute')
  const areTolerated = taints.every((taint) => isTolerated(tolerations, taint))
  return areTolerated
    ? undefined
    : failed('TaintToleration', "node(s) had taints that the pod didn't tolerate")
}

function failed(name: string, why: string): Rejection {
  return { reason: name, message: `Predicate ${name} failed: ${why}` }
}
