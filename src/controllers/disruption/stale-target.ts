// Takes back the mark of a pod that somebody was going to disrupt, and then did not.

import { pods } from '../../api/kinds/core/pod/row.ts'
import type { Pod, PodCondition } from '../../api/schema/generated/types.ts'
import { formatTime, parseTime } from '../../api/time.ts'
import { defineController } from '../../kit/controller.ts'
import { conditionOf } from '../conditions.ts'
import { isFinished } from '../pods.ts'

const DISRUPTION_TARGET = 'DisruptionTarget'
/** Whoever marks a pod deletes it at once; after this long, he has failed to. */
const STALE_MS = 2 * 60_000

export const staleTargetController = defineController<Pod>({
  name: 'stale-disruption-controller',
  account: 'disruption-controller',
  reconciles: pods,

  async reconcile(pod, { clock, writer }, signal) {
    const staleInMs = targetStaleInMs(pod, clock.nowMs())
    if (staleInMs === undefined) return
    if (staleInMs > 0) return { requeueInMs: staleInMs }
    const { generation } = pod.metadata
    const none: PodCondition = {
      type: DISRUPTION_TARGET,
      ...(generation ? { observedGeneration: generation } : {}),
      status: 'False',
      lastTransitionTime: formatTime(clock.nowMs()),
    }
    const conditions = pod.status?.conditions?.map((each) =>
      each.type === DISRUPTION_TARGET ? none : each,
    )
    await writer.putStatus(pods, pod, { ...pod.status, conditions: conditions ?? [] }, signal)
  },
})

/** How long the mark may still stand; undefined for pods without one that could grow stale. */
export function targetStaleInMs({ metadata, status }: Pod, nowMs: number): number | undefined {
  const target = conditionOf(status?.conditions, DISRUPTION_TARGET)
  if (target?.status !== 'True' || metadata.deletionTimestamp !== undefined) return undefined
  // A node takes as long as it takes; and what is over is over.
  if (target.reason === 'TerminationByKubelet' || isFinished({ status } as Pod)) return undefined
  const sinceMs = target.lastTransitionTime ? parseTime(target.lastTransitionTime) : 0
  return Math.max(0, sinceMs + STALE_MS - nowMs)
}
