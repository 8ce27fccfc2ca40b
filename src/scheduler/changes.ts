// Which changes of pods and nodes the scheduler cares for. Heartbeats and statuses change all the
// time; only some parts decide where pods fit. Pure.

import type { Node, Pod } from '../api/schema/generated/types.ts'

/** Whether anything differs that a plug-in reads of a node. */
export function isNewsOfNode(old: Node, node: Node): boolean {
  return (
    !Bun.deepEquals(old.spec, node.spec) ||
    !Bun.deepEquals(old.metadata.labels, node.metadata.labels) ||
    !Bun.deepEquals(old.status?.allocatable, node.status?.allocatable) ||
    !Bun.deepEquals(old.status?.declaredFeatures, node.status?.declaredFeatures)
  )
}

/** Whether anything differs that a plug-in reads of a pod. */
export function isNewsOfPod(old: Pod, pod: Pod): boolean {
  return (
    old.metadata.generation !== pod.metadata.generation ||
    !Bun.deepEquals(old.metadata.labels, pod.metadata.labels) ||
    !Bun.deepEquals(resourcesOf(old), resourcesOf(pod))
  )
}

function resourcesOf({ status }: Pod) {
  const { containerStatuses = [], initContainerStatuses = [], resources } = status ?? {}
  const statuses = [...containerStatuses, ...initContainerStatuses]
  const lists = statuses.map((one) => [one.resources?.requests, one.allocatedResources])
  return [lists, resources?.requests, status?.allocatedResources]
}
