// What a DaemonSet says of its pods. Pure.

import type { DaemonSetStatus } from '../../../api/schema/generated/types.ts'
import { nonZero } from '../../conditions.ts'
import { isReady } from '../../pods.ts'
import { byAge, isAvailable, podsByNode, type World } from './plan.ts'
import { fitOf, isUpdated } from './pod.ts'

type Seen = Pick<World, 'set' | 'nodes' | 'pods' | 'version' | 'nowMs'>

export function planDaemonStatus(seen: Seen, collisionCount: number | undefined): DaemonSetStatus {
  const { set, nodes, pods, version } = seen
  const counts = { desired: 0, current: 0, misplaced: 0, ready: 0, available: 0, updated: 0 }
  const byNode = podsByNode(pods)
  for (const node of nodes) {
    const [pod] = (byNode.get(node.metadata.name ?? '') ?? []).toSorted(byAge)
    if (!fitOf(set, node).runs) {
      if (pod !== undefined) counts.misplaced++
      continue
    }
    counts.desired++
    if (pod === undefined) continue
    counts.current++
    if (isReady(pod)) counts.ready++
    if (isAvailable(seen, pod)) counts.available++
    if (isUpdated(pod, version)) counts.updated++
  }
  const { conditions } = set.status ?? {}
  return {
    currentNumberScheduled: counts.current,
    numberMisscheduled: counts.misplaced,
    desiredNumberScheduled: counts.desired,
    numberReady: counts.ready,
    ...nonZero({
      observedGeneration: set.metadata.generation,
      updatedNumberScheduled: counts.updated,
      numberAvailable: counts.available,
      numberUnavailable: counts.desired - counts.available,
    }),
    ...(collisionCount === undefined ? {} : { collisionCount }),
    ...(conditions === undefined ? {} : { conditions }),
  }
}
