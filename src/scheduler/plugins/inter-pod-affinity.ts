// Pods that must be with, or must not be with, others in one topology (a node, a zone); and those
// that would rather.

import { namespaces } from '../../api/kinds/core/namespace/row.ts'
import { nodes } from '../../api/kinds/core/node/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import type { Node, Pod, PodAffinityTerm } from '../../api/schema/generated/types.ts'
import type { Change } from '../../kit/informer.ts'
import { own } from '../../lib/own.ts'
import {
  areAllAbout,
  isAbout,
  type NamespaceLabels,
  unwantedTerms,
  wantedTerms,
} from '../affinity-terms.ts'
import { type Filtering, final, hintOf, type MakePlugin, open, type View } from '../framework.ts'
import type { NodeState, PodInfo } from '../node-state.ts'
import { scoreAffinity } from './inter-pod-affinity-score.ts'

export const interPodAffinity: MakePlugin = (handle) => {
  const lister = handle.lister(namespaces)
  const labelsOf: NamespaceLabels = (name) => lister.get(name)?.metadata.labels ?? {}
  return {
    name: 'InterPodAffinity',
    weight: 2,
    preFilter: (info, view) => filterAffinity(info, view, labelsOf),
    preScore: (info, _, view) => scoreAffinity(info, view, labelsOf),
    hints: [
      hintOf(pods, (pod, change) => mayHelpAsPod(pod, change, labelsOf)),
      hintOf(nodes, mayHelpAsNode),
    ],
  }
}

/** How many pods there are in each topology, as `key=value`. */
class Counts {
  readonly #counts = new Map<string, number>()

  add(node: Node, { topologyKey }: PodAffinityTerm, by: number): void {
    const value = own(node.metadata.labels, topologyKey)
    if (value === undefined) return
    const pair = `${topologyKey}=${value}`
    const count = (this.#counts.get(pair) ?? 0) + by
    if (count === 0) this.#counts.delete(pair)
    else this.#counts.set(pair, count)
  }

  has(key: string, value: string): boolean {
    return (this.#counts.get(`${key}=${value}`) ?? 0) > 0
  }

  get isEmpty(): boolean {
    return this.#counts.size === 0
  }
}

function filterAffinity(
  { pod }: PodInfo,
  view: View,
  labelsOf: NamespaceLabels,
): Filtering | undefined {
  const [wanted, unwanted] = [wantedTerms(pod), unwantedTerms(pod)]
  const [near, far, avoided] = [new Counts(), new Counts(), new Counts()]
  /** Counts what `other` means to `pod`, and `pod` to `other`. */
  const suppose = (other: Pod, node: Node, by: number) => {
    if (areAllAbout(wanted, pod, other, labelsOf)) {
      for (const term of wanted) near.add(node, term, by)
    }
    for (const term of unwanted) if (isAbout(term, pod, other, labelsOf)) far.add(node, term, by)
    for (const term of unwantedTerms(other)) {
      if (isAbout(term, other, pod, labelsOf)) avoided.add(node, term, by)
    }
  }
  const isAsked = wanted.length + unwanted.length > 0
  for (const { node, pods, affine } of isAsked ? view.nodes : view.nodesWithAffinity) {
    for (const other of (isAsked ? pods : affine).values()) suppose(other.pod, node, 1)
  }
  if (!isAsked && avoided.isEmpty) return undefined
  // The first pod of a group may go anywhere that has the labels, if its own terms are about it.
  const mayBegin = areAllAbout(wanted, pod, pod, labelsOf)
  const filter = ({ node }: NodeState) => {
    const labels = Object.entries(node.metadata.labels ?? {})
    const values = wanted.map(({ topologyKey }) => own(node.metadata.labels, topologyKey))
    const isNear =
      values.every((value) => value !== undefined) &&
      (values.every((value, i) => near.has(wanted[i]!.topologyKey, value!)) ||
        (near.isEmpty && mayBegin))
    if (wanted.length > 0 && !isNear) return final("node(s) didn't match pod affinity rules")
    if (labels.some(([key, value]) => isOf(unwanted, key) && far.has(key, value))) {
      return open("node(s) didn't match pod anti-affinity rules")
    }
    if (labels.some(([key, value]) => avoided.has(key, value))) {
      return open("node(s) didn't satisfy existing pods anti-affinity rules")
    }
    return undefined
  }
  return { filter, suppose }
}

function isOf(terms: readonly PodAffinityTerm[], key: string): boolean {
  return terms.some(({ topologyKey }) => topologyKey === key)
}

/** Also where upstream's hint would let the pod wait: one of several terms may be all it takes. */
function mayHelpAsPod(pod: Pod, change: Change<Pod>, labelsOf: NamespaceLabels): boolean {
  const { type, object } = change
  const isWanted = (one: Pod) => areAllAbout(wantedTerms(pod), pod, one, labelsOf)
  const isUnwanted = (one: Pod) =>
    unwantedTerms(pod).some((term) => isAbout(term, pod, one, labelsOf)) ||
    unwantedTerms(one).some((term) => isAbout(term, one, pod, labelsOf))
  switch (type) {
    case 'updated': {
      if (object.metadata.uid === pod.metadata.uid) return true
      const { old } = change
      return (isWanted(object) && !isWanted(old)) || (isUnwanted(old) && !isUnwanted(object))
    }
    case 'added':
      return isWanted(object)
    case 'deleted':
      return isUnwanted(object)
    default:
      return type satisfies never
  }
}

/**
 * A node that is new or has moved, if it is in the topologies that the pod must be in; and one that
 * is gone, with all that was to be near or far.
 */
function mayHelpAsNode(pod: Pod, change: Change<Node>): boolean {
  if (change.type === 'deleted') return true
  const { labels } = change.object.metadata
  if (wantedTerms(pod).some(({ topologyKey }) => own(labels, topologyKey) === undefined))
    return false
  return change.type === 'added' || !Bun.deepEquals(change.old.metadata.labels, labels)
}
