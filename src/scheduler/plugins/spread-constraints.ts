// Topology spread constraints as both halves of the plug-in read them: a pod's own, or, for a pod
// that has none, the default ones over whatever its service and its owner select.

import { replicaSets } from '../../api/kinds/apps/replicaset/row.ts'
import { statefulSets } from '../../api/kinds/apps/statefulset/row.ts'
import { replicationControllers } from '../../api/kinds/core/replicationcontroller/row.ts'
import { services } from '../../api/kinds/core/service/row.ts'
import { matchesNodeSelection } from '../../api/requirement.ts'
import type {
  LabelSelector,
  Node,
  Pod,
  TopologySpreadConstraint,
} from '../../api/schema/generated/types.ts'
import { hasLabels, isEmptySelector, matchesSelector } from '../../kit/labels.ts'
import { own } from '../../lib/own.ts'
import type { Handle } from '../framework.ts'
import { untoleratedTaint } from '../node-matching.ts'
import type { NodeState } from '../node-state.ts'

export type Constraint = {
  readonly topologyKey: string
  readonly maxSkew: number
  readonly minDomains: number
  /** A pod has to match them all. */
  readonly selectors: readonly LabelSelector[]
  readonly policies: Pick<TopologySpreadConstraint, 'nodeAffinityPolicy' | 'nodeTaintsPolicy'>
}

export type Action = 'DoNotSchedule' | 'ScheduleAnyway'

export const HOSTNAME = 'kubernetes.io/hostname'

/** What everybody is spread by who does not say anything. */
const DEFAULTS = [
  { topologyKey: HOSTNAME, maxSkew: 3 },
  { topologyKey: 'topology.kubernetes.io/zone', maxSkew: 5 },
]

export function ownConstraints(pod: Pod, action: Action): Constraint[] {
  const all = pod.spec?.topologySpreadConstraints ?? []
  return all
    .filter(({ whenUnsatisfiable }) => whenUnsatisfiable === action)
    .map(
      ({ topologyKey, maxSkew, minDomains = 1, labelSelector, matchLabelKeys, ...policies }) => ({
        topologyKey,
        maxSkew,
        minDomains,
        selectors: labelSelector ? [labelSelector, likePod(pod, matchLabelKeys)] : [],
        policies,
      }),
    )
}

/** KEP-3243: keys whose values are taken from the pod itself. */
function likePod(pod: Pod, keys: readonly string[] | undefined): LabelSelector {
  const entries = (keys ?? []).flatMap((key) => {
    const value = own(pod.metadata.labels, key)
    return value === undefined ? [] : [[key, value]]
  })
  return { matchLabels: Object.fromEntries(entries) }
}

/** Returns the default constraints of a pod: none for one that nothing selects. */
export function defaultConstraints(handle: Handle): (pod: Pod) => Constraint[] {
  const selectorsOf = defaultSelectors(handle)
  return (pod) => {
    const selectors = selectorsOf(pod)
    if (selectors.every(isEmptySelector)) return []
    return DEFAULTS.map((constraint) => ({ ...constraint, minDomains: 1, selectors, policies: {} }))
  }
}

function defaultSelectors(handle: Handle): (pod: Pod) => LabelSelector[] {
  const [allServices, controllers] = [
    handle.lister(services),
    handle.lister(replicationControllers),
  ]
  const [sets, stateful] = [handle.lister(replicaSets), handle.lister(statefulSets)]
  return (pod) => {
    const { namespace = '', ownerReferences = [] } = pod.metadata
    const selectors: LabelSelector[] = allServices.inNamespace(namespace).flatMap(({ spec }) => {
      const selector = spec?.selector
      return selector && hasLabels(pod, selector) ? [{ matchLabels: selector }] : []
    })
    const owner = ownerReferences.find(({ controller }) => controller)
    const key = `${namespace}/${owner?.name}`
    switch (`${owner?.apiVersion} ${owner?.kind}`) {
      case 'v1 ReplicationController':
        return [...selectors, { matchLabels: controllers.get(key)?.spec?.selector ?? {} }]
      case 'apps/v1 ReplicaSet':
        return [...selectors, sets.get(key)?.spec?.selector ?? {}]
      case 'apps/v1 StatefulSet':
        return [...selectors, stateful.get(key)?.spec?.selector ?? {}]
      default:
        return selectors
    }
  }
}

/** Whether a node counts for skew: nodeAffinityPolicy and nodeTaintsPolicy (KEP-3094). */
export function isIncluded(pod: Pod, { policies }: Constraint, node: Node): boolean {
  if (policies.nodeAffinityPolicy !== 'Ignore' && !matchesNodeSelection(pod.spec, node))
    return false
  return policies.nodeTaintsPolicy !== 'Honor' || untoleratedTaint(pod, node) === undefined
}

export function hasTopologies(node: Node, constraints: readonly Constraint[]): boolean {
  return constraints.every(({ topologyKey }) => domainOf(node, topologyKey) !== undefined)
}

export function domainOf(node: Node, topologyKey: string): string | undefined {
  return own(node.metadata.labels, topologyKey)
}

export function selects({ selectors }: Constraint, pod: Pod): boolean {
  return selectors.length > 0 && selectors.every((selector) => matchesSelector(pod, selector))
}

/** How many pods on a node are of the kind that is spread. Those that are going do not count. */
export function countSelected(pod: Pod, constraint: Constraint, { pods }: NodeState): number {
  if (constraint.selectors.every(isEmptySelector)) return 0
  let count = 0
  for (const { pod: other } of pods.values()) {
    const { namespace, deletionTimestamp } = other.metadata
    if (deletionTimestamp !== undefined || namespace !== pod.metadata.namespace) continue
    if (selects(constraint, other)) count++
  }
  return count
}
