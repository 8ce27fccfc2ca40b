// The nodes and what runs on them, kept up to date change by change.
//
// An assumed pod counts on its node before the API says so. The API's word replaces it; a binding
// that fails takes it back.

import type { Node, Pod } from '../api/schema/generated/types.ts'
import { type Amounts, add, amountsOf, requestsOf, scoredRequestsOf, subtract } from './requests.ts'

export type NodeState = {
  readonly node: Node
  readonly allocatable: Amounts
  readonly requested: Amounts
  readonly scored: Amounts
  readonly pods: ReadonlyMap<string, Pod>
}

type Draft = {
  node: Node | undefined
  allocatable: Amounts
  requested: Map<string, number>
  scored: Map<string, number>
  pods: Map<string, Pod>
}

export class Cluster {
  readonly #nodes = new Map<string, Draft>()
  /** Where each pod counts, by UID. */
  readonly #placed = new Map<string, string>()

  /** Nodes that exist, in no order. */
  nodes(): NodeState[] {
    return [...this.#nodes.values()].filter((draft): draft is Draft & NodeState => !!draft.node)
  }

  setNode(node: Node): void {
    const draft = this.#draft(node.metadata.name!)
    draft.node = node
    draft.allocatable = amountsOf(node.status?.allocatable)
  }

  removeNode(name: string): void {
    const draft = this.#nodes.get(name)
    if (draft === undefined) return
    draft.node = undefined
    if (draft.pods.size === 0) this.#nodes.delete(name)
  }

  /** Counts `pod` on its node; for an assumed pod, `nodeName` says which. */
  setPod(pod: Pod, nodeName = pod.spec?.nodeName): void {
    this.removePod(pod)
    if (nodeName === undefined || nodeName === '' || isFinished(pod)) return
    const draft = this.#draft(nodeName)
    draft.pods.set(pod.metadata.uid!, pod)
    add(draft.requested, requestsOf(pod))
    add(draft.scored, scoredRequestsOf(pod))
    this.#placed.set(pod.metadata.uid!, nodeName)
  }

  removePod(pod: Pod): void {
    const uid = pod.metadata.uid!
    const draft = this.#nodes.get(this.#placed.get(uid) ?? '')
    const counted = draft?.pods.get(uid)
    if (draft === undefined || counted === undefined) return
    draft.pods.delete(uid)
    subtract(draft.requested, requestsOf(counted))
    subtract(draft.scored, scoredRequestsOf(counted))
    this.#placed.delete(uid)
  }

  #draft(name: string): Draft {
    let draft = this.#nodes.get(name)
    if (draft === undefined) {
      draft = {
        node: undefined,
        allocatable: new Map(),
        requested: new Map(),
        scored: new Map(),
        pods: new Map(),
      }
      this.#nodes.set(name, draft)
    }
    return draft
  }
}

export function isFinished(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
}
