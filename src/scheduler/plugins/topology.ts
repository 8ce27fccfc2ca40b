// Filters that look at other pods: topology spread, affinity and anti-affinity. Pure.
//
// KEP-895 for spreading; affinity as the pod documentation has it. What they need to know of all
// nodes is worked out once per pod and then asked for each node.

import { matchesNodeTerm } from '../../api/requirement.ts'
import type {
  LabelSelector,
  Pod,
  PodAffinityTerm,
  TopologySpreadConstraint,
} from '../../api/schema/generated/types.ts'
import { isTolerated } from '../../api/tolerations.ts'
import { matchesSelector } from '../../kit/labels.ts'
import { own } from '../../lib/own.ts'
import type { NodeState } from '../cluster.ts'
import type { Refusal } from './filters.ts'

export type TopologyFilter = (state: NodeState) => Refusal | undefined

/** The labels of a namespace, for terms with a namespaceSelector. */
export type NamespaceLabels = (namespace: string) => Record<string, string>

export function topologyFilters(
  pod: Pod,
  states: readonly NodeState[],
  namespaceLabels: NamespaceLabels,
): TopologyFilter[] {
  return [
    ...hardConstraints(pod).map((constraint) => spreadFilter(pod, constraint, states)),
    ...affinityFilters(pod, states, namespaceLabels),
  ]
}

function hardConstraints(pod: Pod): TopologySpreadConstraint[] {
  const constraints = pod.spec?.topologySpreadConstraints ?? []
  return constraints.filter(({ whenUnsatisfiable }) => whenUnsatisfiable === 'DoNotSchedule')
}

function spreadFilter(
  pod: Pod,
  constraint: TopologySpreadConstraint,
  states: readonly NodeState[],
): TopologyFilter {
  const { topologyKey, maxSkew, minDomains = 1 } = constraint
  const selector = withMatchLabelKeys(constraint.labelSelector, constraint.matchLabelKeys, pod)
  const counts = new Map<string, number>()
  for (const state of states) {
    const domain = own(state.node.metadata.labels, topologyKey)
    if (domain === undefined || !countsForSkew(pod, constraint, state)) continue
    const here = [...state.pods.values()].filter(
      (other) =>
        other.metadata.namespace === pod.metadata.namespace &&
        !other.metadata.deletionTimestamp &&
        matchesSelector(other, selector),
    )
    counts.set(domain, (counts.get(domain) ?? 0) + here.length)
  }
  const fewest = counts.size < minDomains ? 0 : Math.min(...counts.values())
  const itself = matchesSelector(pod, selector) ? 1 : 0
  return ({ node }) => {
    const domain = own(node.metadata.labels, topologyKey)
    if (domain === undefined) {
      return {
        reasons: ["node(s) didn't match pod topology spread constraints (missing required label)"],
        isFinal: true,
      }
    }
    if ((counts.get(domain) ?? 0) + itself - fewest <= maxSkew) return undefined
    return { reasons: ["node(s) didn't match pod topology spread constraints"], isFinal: false }
  }
}

/** Whether a node counts for skew: nodeAffinityPolicy and nodeTaintsPolicy (KEP-3094). */
function countsForSkew(pod: Pod, constraint: TopologySpreadConstraint, state: NodeState): boolean {
  if (constraint.nodeAffinityPolicy !== 'Ignore') {
    const labels = state.node.metadata.labels ?? {}
    const wanted = Object.entries(pod.spec?.nodeSelector ?? {})
    if (!wanted.every(([key, value]) => own(labels, key) === value)) return false
    const terms =
      pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
        ?.nodeSelectorTerms
    if (terms && !terms.some((term) => matchesNodeTerm(term, state.node))) return false
  }
  if (constraint.nodeTaintsPolicy !== 'Honor') return true
  const hard = (state.node.spec?.taints ?? []).filter(
    (taint) => taint.effect !== 'PreferNoSchedule',
  )
  return hard.every((taint) => isTolerated(pod.spec?.tolerations ?? [], taint))
}

function affinityFilters(
  pod: Pod,
  states: readonly NodeState[],
  namespaceLabels: NamespaceLabels,
): TopologyFilter[] {
  const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {}
  const wanted = podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
  const unwanted = podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
  const filters: TopologyFilter[] = []
  if (wanted.length > 0) filters.push(wantedFilter(pod, wanted, states, namespaceLabels))
  if (unwanted.length > 0) {
    const domains = unwanted.map((term) => domainsOf(pod, term, states, namespaceLabels))
    filters.push((state) => {
      const clash = unwanted.some((term, i) => domains[i]!.has(domainAt(state, term)))
      return clash ? refusal("node(s) didn't match pod anti-affinity rules") : undefined
    })
  }
  const avoided = avoidedDomains(pod, states, namespaceLabels)
  if (avoided.size > 0) {
    filters.push((state) => {
      const labels = Object.entries(state.node.metadata.labels ?? {})
      const clash = labels.some(([key, value]) => avoided.has(`${key}=${value}`))
      const reason = "node(s) didn't satisfy existing pods anti-affinity rules"
      return clash ? refusal(reason) : undefined
    })
  }
  return filters
}

/** The first pod of a group may go anywhere that has the label, if it matches its own terms. */
function wantedFilter(
  pod: Pod,
  terms: readonly PodAffinityTerm[],
  states: readonly NodeState[],
  namespaceLabels: NamespaceLabels,
): TopologyFilter {
  const domains = terms.map((term) => domainsOf(pod, term, states, namespaceLabels))
  const isFirst =
    domains.every((set) => set.size === 0) &&
    terms.every((term) => matchesPod(pod, term, pod, namespaceLabels))
  return (state) => {
    const fits = terms.every((term, i) => {
      const domain = domainAt(state, term)
      return domain !== undefined && (isFirst || domains[i]!.has(domain))
    })
    if (fits) return undefined
    return { reasons: ["node(s) didn't match pod affinity rules"], isFinal: true }
  }
}

/** `key=value` of the topologies that pods with anti-affinity to `pod` already live in. */
function avoidedDomains(
  pod: Pod,
  states: readonly NodeState[],
  namespaceLabels: NamespaceLabels,
): Set<string> {
  const avoided = new Set<string>()
  for (const state of states) {
    for (const other of state.pods.values()) {
      const terms =
        other.spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
      for (const term of terms) {
        const domain = domainAt(state, term)
        if (domain === undefined || !matchesPod(other, term, pod, namespaceLabels)) continue
        avoided.add(`${term.topologyKey}=${domain}`)
      }
    }
  }
  return avoided
}

function domainsOf(
  pod: Pod,
  term: PodAffinityTerm,
  states: readonly NodeState[],
  namespaceLabels: NamespaceLabels,
): Set<string | undefined> {
  const domains = new Set<string | undefined>()
  for (const state of states) {
    const domain = domainAt(state, term)
    if (domain === undefined || domains.has(domain)) continue
    const pods = [...state.pods.values()]
    if (pods.some((other) => matchesPod(pod, term, other, namespaceLabels))) domains.add(domain)
  }
  return domains
}

function domainAt(state: NodeState, term: PodAffinityTerm): string | undefined {
  return own(state.node.metadata.labels, term.topologyKey)
}

/** Whether `term`, which `owner` has, is about `pod`. */
function matchesPod(
  owner: Pod,
  term: PodAffinityTerm,
  pod: Pod,
  namespaceLabels: NamespaceLabels,
): boolean {
  const namespace = pod.metadata.namespace ?? ''
  const named = term.namespaces ?? []
  const isOwn = named.length === 0 && term.namespaceSelector === undefined
  const inNamespace =
    (isOwn && namespace === owner.metadata.namespace) ||
    named.includes(namespace) ||
    (term.namespaceSelector !== undefined &&
      matchesSelector({ metadata: { labels: namespaceLabels(namespace) } }, term.namespaceSelector))
  if (!inNamespace) return false
  const selector = withMatchLabelKeys(term.labelSelector, term.matchLabelKeys, owner)
  return matchesSelector(pod, selector)
}

/** KEP-3243: keys whose values are taken from the pod itself. */
function withMatchLabelKeys(
  selector: LabelSelector | undefined,
  keys: readonly string[] | undefined,
  pod: Pod,
): LabelSelector | undefined {
  if (selector === undefined || !keys || keys.length === 0) return selector
  const labels = pod.metadata.labels ?? {}
  const added = keys.flatMap((key) => {
    const value = own(labels, key)
    return value === undefined ? [] : [[key, value]]
  })
  return { ...selector, matchLabels: { ...selector.matchLabels, ...Object.fromEntries(added) } }
}

function refusal(reason: string): Refusal {
  return { reasons: [reason], isFinal: false }
}
