// The claims of a pod, and what each means for a node. Pure.

import { compareQuantity } from '../api/quantity.ts'
import { matchesNodeTerm, meets } from '../api/requirement.ts'
import type {
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  StorageClass,
} from '../api/schema/generated/types.ts'
import {
  BIND_COMPLETED,
  claimNameOf,
  findVolume,
  hasAnnotation,
  isEphemeralFor,
  NO_PROVISIONER,
  notEphemeralFor,
  requestOf,
  SELECTED_NODE,
} from '../api/volume/binding.ts'
import { className } from '../api/volume/class.ts'
import type { Lister } from '../kit/lister.ts'
import { own } from '../lib/own.ts'

export type VolumeView = {
  readonly claims: Lister<PersistentVolumeClaim>
  readonly volumes: Lister<PersistentVolume>
  readonly classes: Lister<StorageClass>
}

export type PodVolumes = {
  readonly bound: readonly PersistentVolumeClaim[]
  /** They wait for the node of their first pod; the smallest first. */
  readonly delayed: readonly PersistentVolumeClaim[]
}

/** Undefined: the pod has no claims. A fault: it can run nowhere for now. */
export function volumesOfPod(
  pod: Pod,
  { claims, classes }: VolumeView,
): PodVolumes | { fault: string } | undefined {
  const bound: PersistentVolumeClaim[] = []
  const delayed: PersistentVolumeClaim[] = []
  let isImmediate = false
  for (const volume of pod.spec.volumes ?? []) {
    const name = claimNameOf(pod.metadata.name ?? '', volume)
    if (name === undefined) continue
    const claim = claims.get(`${pod.metadata.namespace}/${name}`)
    const fault = faultOf(claim, { name, pod, isEphemeral: volume.ephemeral !== undefined })
    if (fault !== undefined) return { fault }
    const found = claim!
    const isDone = !!found.spec.volumeName && hasAnnotation(found, BIND_COMPLETED)
    const mode = classes.get(className(found))?.volumeBindingMode
    if (isDone) bound.push(found)
    else if (mode === 'WaitForFirstConsumer' && !found.spec.volumeName) delayed.push(found)
    else isImmediate = true
  }
  if (isImmediate) return { fault: 'pod has unbound immediate PersistentVolumeClaims' }
  if (bound.length + delayed.length === 0) return undefined
  const smallestFirst = delayed.toSorted((a, b) => compareQuantity(requestOf(a), requestOf(b)))
  return { bound, delayed: smallestFirst }
}

type Wish = { name: string; pod: Pod; isEphemeral: boolean }

function faultOf(
  claim: PersistentVolumeClaim | undefined,
  { name, pod, isEphemeral }: Wish,
): string | undefined {
  const shown = JSON.stringify(name)
  if (claim === undefined) {
    const waits = 'waiting for ephemeral volume controller to create the persistentvolumeclaim'
    return isEphemeral ? `${waits} ${shown}` : `persistentvolumeclaim ${shown} not found`
  }
  if (claim.status?.phase === 'Lost') {
    const volume = JSON.stringify(claim.spec.volumeName ?? '')
    return `persistentvolumeclaim ${shown} bound to non-existent persistentvolume ${volume}`
  }
  if (claim.metadata.deletionTimestamp !== undefined) {
    return `persistentvolumeclaim ${shown} is being deleted`
  }
  return isEphemeral && !isEphemeralFor(claim, pod) ? notEphemeralFor(claim, pod) : undefined
}

export type NodeVolumes = {
  readonly bind: readonly { claim: PersistentVolumeClaim; volume: PersistentVolume }[]
  /** Somebody is to make a volume for these, on this node. */
  readonly provision: readonly PersistentVolumeClaim[]
}

const NO_VOLUME = 'node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)'
const ELSEWHERE = "node(s) didn't match PersistentVolume's node affinity"
const NOTHING_TO_BIND = "node(s) didn't find available persistent volumes to bind"

/** What is to be done for the pod on this node, or why it cannot be there. */
export function volumesOnNode(
  { bound, delayed }: PodVolumes,
  node: Node,
  view: VolumeView,
  taken: ReadonlySet<string>,
): NodeVolumes | { reasons: string[] } {
  const reasons = new Set<string>()
  for (const claim of bound) {
    const volume = view.volumes.get(claim.spec.volumeName ?? '')
    if (volume === undefined) reasons.add(NO_VOLUME)
    else if (!reaches(volume, node)) reasons.add(ELSEWHERE)
  }
  const all = delayed.length === 0 ? [] : view.volumes.all()
  const [bind, provision]: [
    { claim: PersistentVolumeClaim; volume: PersistentVolume }[],
    PersistentVolumeClaim[],
  ] = [[], []]
  const spoken = new Set(taken)
  for (const claim of delayed) {
    const chosen = own(claim.metadata.annotations, SELECTED_NODE)
    const volume =
      chosen === undefined
        ? findVolume(claim, all, { fitsNode: (one) => reaches(one, node), taken: spoken })
        : undefined
    if (volume !== undefined) {
      spoken.add(volume.metadata.name ?? '')
      bind.push({ claim, volume })
    } else if (
      chosen !== undefined ? chosen === node.metadata.name : canProvision(claim, node, view)
    ) {
      provision.push(claim)
    } else reasons.add(NOTHING_TO_BIND)
  }
  if (reasons.size === 0) return { bind, provision }
  // In upstream's order.
  return { reasons: [ELSEWHERE, NOTHING_TO_BIND, NO_VOLUME].filter((one) => reasons.has(one)) }
}

function reaches({ spec }: PersistentVolume, node: Node): boolean {
  const terms = spec.nodeAffinity?.required?.nodeSelectorTerms
  return terms === undefined || terms.some((term) => matchesNodeTerm(term, node))
}

function canProvision(claim: PersistentVolumeClaim, node: Node, { classes }: VolumeView): boolean {
  const { provisioner, allowedTopologies = [] } = classes.get(className(claim)) ?? {}
  if (!provisioner || provisioner === NO_PROVISIONER) return false
  if (allowedTopologies.length === 0) return true
  return allowedTopologies.some(({ matchLabelExpressions = [] }) =>
    matchLabelExpressions.every(({ key, values }) =>
      meets({ operator: 'In', values }, own(node.metadata.labels, key)),
    ),
  )
}
