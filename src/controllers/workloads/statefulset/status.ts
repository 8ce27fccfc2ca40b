// What a StatefulSet says of its pods. Pure.

import type { Pod, StatefulSet, StatefulSetStatus } from '../../../api/schema/generated/types.ts'
import { nonZero } from '../../conditions.ts'
import { replicasOf, revisionOf } from './identity.ts'
import { isAvailable, isMade, isRunningAndReady } from './plan.ts'

type Seen = {
  set: StatefulSet
  pods: readonly Pod[]
  /** Names of revisions. */
  current: string
  update: string
  collisionCount: number
  /** Pods of an old revision that were just asked to go. */
  rolledCount: number
  nowMs: number
}

export function planSetStatus(seen: Seen): StatefulSetStatus {
  const { set, current, update, collisionCount } = seen
  const pods = seen.pods.filter(isMade)
  const staying = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
  const ready = pods.filter(isRunningAndReady)
  const ofRevision = (name: string) => staying.filter((pod) => revisionOf(pod) === name).length
  const counts = {
    replicas: pods.length,
    readyReplicas: ready.length,
    updatedReplicas: ofRevision(update),
  }
  const isDone = isRolledOut(set, counts)
  const { conditions } = set.status ?? {}
  return {
    ...nonZero({
      observedGeneration: set.metadata.generation,
      readyReplicas: counts.readyReplicas,
      currentReplicas: isDone ? counts.updatedReplicas : ofRevision(current) - seen.rolledCount,
      updatedReplicas: counts.updatedReplicas,
      currentRevision: isDone ? update : current,
      updateRevision: update,
    }),
    replicas: counts.replicas,
    collisionCount,
    ...(conditions === undefined ? {} : { conditions }),
    availableReplicas: ready.filter((pod) => isAvailable(seen, pod)).length,
  }
}

type Counts = { replicas: number; readyReplicas: number; updatedReplicas: number }

/** From then on the new revision is the one that pods are made from. */
function isRolledOut(set: StatefulSet, counts: Counts): boolean {
  if (set.spec.updateStrategy?.type !== 'RollingUpdate') return false
  return Object.values(counts).every((count) => count === replicasOf(set))
}
