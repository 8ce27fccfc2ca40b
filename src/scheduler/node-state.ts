// A node and what counts on it, and copies of it for the question "what if".

import type { Node, Pod } from '../api/schema/generated/types.ts'
import { isAffine } from './affinity-terms.ts'
import { type Amounts, add, amountsOf, requestsOf, scoredRequestsOf, subtract } from './requests.ts'

/** A pod with what is worked out once for all nodes. */
export type PodInfo = {
  readonly pod: Pod
  readonly requests: Amounts
  readonly scored: Amounts
  /** Has any term of affinity or anti-affinity to other pods. */
  readonly isAffine: boolean
}

export type NodeState = {
  readonly node: Node
  readonly allocatable: Amounts
  /** What the pods ask for; and what scores count, where saying nothing is not nothing. */
  readonly requested: Amounts
  readonly scored: Amounts
  /** By UID. */
  readonly pods: ReadonlyMap<string, PodInfo>
  readonly affine: ReadonlyMap<string, PodInfo>
  /** Bytes by name, as the node says it: tags are always there. */
  readonly images: ReadonlyMap<string, number>
}

/** A NodeState that may be changed: the scheduler's own, or a copy. */
export type NodeDraft = NodeState & {
  node: Node
  allocatable: Amounts
  images: ReadonlyMap<string, number>
  readonly requested: Map<string, number>
  readonly scored: Map<string, number>
  readonly pods: Map<string, PodInfo>
  readonly affine: Map<string, PodInfo>
}

export function podInfoOf(pod: Pod): PodInfo {
  return {
    pod,
    requests: requestsOf(pod),
    scored: scoredRequestsOf(pod),
    isAffine: isAffine(pod),
  }
}

export function draftOf(node: Node): NodeDraft {
  return {
    node,
    allocatable: amountsOf(node.status?.allocatable),
    images: imagesOf(node),
    requested: new Map(),
    scored: new Map(),
    pods: new Map(),
    affine: new Map(),
  }
}

export function copyOf(state: NodeState): NodeDraft {
  const { node, allocatable, images } = state
  const [requested, scored] = [new Map(state.requested), new Map(state.scored)]
  const [pods, affine] = [new Map(state.pods), new Map(state.affine)]
  return { node, allocatable, images, requested, scored, pods, affine }
}

export function addPod(draft: NodeDraft, info: PodInfo): void {
  const uid = info.pod.metadata.uid!
  draft.pods.set(uid, info)
  if (info.isAffine) draft.affine.set(uid, info)
  add(draft.requested, info.requests)
  add(draft.scored, info.scored)
}

/** Another version of a pod that counts, which asks for the same. */
export function replacePod(draft: NodeDraft, info: PodInfo): void {
  const uid = info.pod.metadata.uid!
  draft.pods.set(uid, info)
  if (info.isAffine) draft.affine.set(uid, info)
}

/** Returns what counted, if anything did. */
export function takePod(draft: NodeDraft, uid: string): PodInfo | undefined {
  const info = draft.pods.get(uid)
  if (info === undefined) return undefined
  draft.pods.delete(uid)
  draft.affine.delete(uid)
  subtract(draft.requested, info.requests)
  subtract(draft.scored, info.scored)
  return info
}

export function imagesOf({ status }: Node): Map<string, number> {
  const images = new Map<string, number>()
  for (const { names, sizeBytes = 0 } of status?.images ?? []) {
    for (const name of names ?? []) images.set(name, sizeBytes)
  }
  return images
}

/** An image without a tag has the tag `latest`. */
export function normalImageName(name: string): string {
  return name.lastIndexOf(':') <= name.lastIndexOf('/') ? `${name}:latest` : name
}

export function isFinished(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
}
