// The condition that says whether a budget lets pods go now; evictions and the controller write it.

import type { Condition, PodDisruptionBudgetStatus } from '../../../schema/generated/types.ts'
import { formatTime } from '../../../time.ts'

export const DISRUPTION_ALLOWED = 'DisruptionAllowed'
export const SYNC_FAILED = 'SyncFailed'

/** What follows from the number of pods that may go. */
export function disruptionAllowed({
  disruptionsAllowed,
  observedGeneration,
}: PodDisruptionBudgetStatus): Omit<Condition, 'lastTransitionTime'> {
  const mayGo = (disruptionsAllowed ?? 0) > 0
  return {
    type: DISRUPTION_ALLOWED,
    status: mayGo ? 'True' : 'False',
    ...(observedGeneration ? { observedGeneration } : {}),
    reason: mayGo ? 'SufficientPods' : 'InsufficientPods',
    message: '',
  }
}

/** The conditions with this one in them; its time is kept while its status stays. */
export function withBudgetCondition(
  conditions: readonly Condition[] | undefined,
  condition: Omit<Condition, 'lastTransitionTime'>,
  nowMs: number,
): Condition[] {
  const old = conditions?.find(({ type }) => type === condition.type)
  const stays = old?.status === condition.status && !!old.lastTransitionTime
  const lastTransitionTime = stays ? old.lastTransitionTime : formatTime(nowMs)
  const fresh = { ...condition, lastTransitionTime }
  if (old === undefined) return [...(conditions ?? []), fresh]
  return conditions!.map((each) => (each === old ? fresh : each))
}
