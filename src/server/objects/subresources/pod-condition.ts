// Conditions of pods that the server sets itself.

import type { PodCondition } from '../../../api/schema/generated/types.ts'
import { formatTime } from '../../../api/time.ts'

/** As Go writes one: the time of the last probe is there even when there was none. */
export function podCondition(
  fields: Pick<PodCondition, 'type' | 'status'> & Partial<PodCondition>,
  nowMs: number,
): PodCondition {
  const never = null as unknown as string
  return { lastProbeTime: never, lastTransitionTime: formatTime(nowMs), ...fields }
}
