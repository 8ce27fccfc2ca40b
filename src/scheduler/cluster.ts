// The nodes and what runs on them, kept up to date change by change.
//
// An assumed pod counts on its node before the API says so. The API's word replaces it; a binding
// that fails takes it back. A nominated pod counts on no node: whoever is less important leaves
// the room to it.

import type { Node, Pod } from '../api/schema/generated/types.ts'
import { isNewsOfPod } from './changes.ts'
import type { View } from './framework.ts'
import {
  addPod,
  draftOf,
  imagesOf,
  isFinished,
  type NodeDraft,
  type NodeState,
  type PodInfo,
  podInfoOf,
  replacePod,
  takePod,
} from './node-state.ts'
import { Nominations } from './nominations.ts'
import { amountsOf } from './requests.ts'

export class Cluster implements View {
  readonly nominations = new Nominations()
  /** Also of nodes that are not there, but whose pods are. */
  readonly #drafts = new Map<string, NodeDraft>()
  readonly #present = new Set<string>()
  /** Where each pod counts, by UID. */
  readonly #placed = new Map<string, string>()
  readonly #affine = new Set<NodeDraft>()
  readonly #imageCounts = new Map<string, number>()
  #nodes: NodeState[] | undefined

  get nodes(): readonly NodeState[] {
    this.#nodes ??= [...this.#present].map((name) => this.#drafts.get(name)!)
    return this.#nodes
  }

  node(name: string): NodeState | undefined {
    return this.#present.has(name) ? this.#drafts.get(name) : undefined
  }

  get nodesWithAffinity(): readonly NodeState[] {
    return [...this.#affine].filter(({ node }) => this.#present.has(node.metadata.name!))
  }

  nodeCountOfImage(image: string): number {
    return this.#imageCounts.get(image) ?? 0
  }

  nominatedOn(nodeName: string): readonly PodInfo[] {
    return this.nominations.on(nodeName)
  }

  nominationOf(pod: Pod): string | undefined {
    return this.nominations.of(pod)
  }

  setNode(node: Node): void {
    const name = node.metadata.name!
    const draft = this.#draft(name)
    if (this.#present.has(name)) this.#countImages(draft, -1)
    draft.node = node
    draft.allocatable = amountsOf(node.status?.allocatable)
    draft.images = imagesOf(node)
    this.#countImages(draft, 1)
    if (this.#present.has(name)) return
    this.#present.add(name)
    this.#nodes = undefined
  }

  removeNode(name: string): void {
    const draft = this.#drafts.get(name)
    if (draft === undefined || !this.#present.delete(name)) return
    this.#nodes = undefined
    this.#countImages(draft, -1)
    if (draft.pods.size === 0) this.#drafts.delete(name)
  }

  /** Counts `pod` on its node; for an assumed pod, `nodeName` says which. */
  setPod(pod: Pod, nodeName = pod.spec?.nodeName): void {
    const uid = pod.metadata.uid!
    const before = this.#drafts.get(nodeName ?? '')?.pods.get(uid)
    if (before !== undefined && !isFinished(pod) && !isNewsOfPod(before.pod, pod)) {
      replacePod(this.#drafts.get(nodeName!)!, { ...before, pod })
      return
    }
    this.removePod(pod)
    if (nodeName === undefined || nodeName === '' || isFinished(pod)) return
    const draft = this.#draft(nodeName)
    const info = podInfoOf(pod)
    addPod(draft, info)
    if (info.isAffine) this.#affine.add(draft)
    this.#placed.set(uid, nodeName)
  }

  /** Whether the pod counts on a node. */
  has(pod: Pod): boolean {
    return this.#placed.has(pod.metadata.uid!)
  }

  removePod(pod: Pod): void {
    const uid = pod.metadata.uid!
    const name = this.#placed.get(uid) ?? ''
    const draft = this.#drafts.get(name)
    if (draft === undefined || takePod(draft, uid) === undefined) return
    this.#placed.delete(uid)
    if (draft.affine.size === 0) this.#affine.delete(draft)
    if (draft.pods.size === 0 && !this.#present.has(name)) this.#drafts.delete(name)
  }

  #draft(name: string): NodeDraft {
    let draft = this.#drafts.get(name)
    if (draft === undefined) {
      draft = draftOf({ metadata: { name }, spec: {} })
      this.#drafts.set(name, draft)
    }
    return draft
  }

  #countImages({ images }: NodeDraft, by: 1 | -1): void {
    for (const name of images.keys()) {
      const count = (this.#imageCounts.get(name) ?? 0) + by
      if (count === 0) this.#imageCounts.delete(name)
      else this.#imageCounts.set(name, count)
    }
  }
}
