// Whether a node is what a pod asks for by itself: taints. Pure.

import type { Node, Pod, Taint } from '../api/schema/generated/types.ts'
import { isTolerated } from '../api/tolerations.ts'
import type { Change } from '../kit/informer.ts'

/** A taint that keeps the pod from being put there. */
export function untoleratedTaint({ spec }: Pod, node: Node): Taint | undefined {
  const tolerations = spec?.tolerations ?? []
  return node.spec?.taints?.find(
    (taint) => taint.effect !== 'PreferNoSchedule' && !isTolerated(tolerations, taint),
  )
}

export function toleratesUnschedulable({ spec }: Pod): boolean {
  return isTolerated(spec?.tolerations ?? [], {
    key: 'node.kubernetes.io/unschedulable',
    effect: 'NoSchedule',
  })
}

/** Whether the change is one of the pod itself, by which it puts up with more. */
export function hasNewTolerations(pod: Pod, change: Change<Pod>): boolean {
  if (change.type !== 'updated' || change.object.metadata.uid !== pod.metadata.uid) return false
  return !Bun.deepEquals(change.old.spec?.tolerations, change.object.spec?.tolerations)
}
