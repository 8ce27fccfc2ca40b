import type { RequestContext } from '../../../resource.ts'
import type { PersistentVolume } from '../../../schema/generated/types.ts'
import { formatTime } from '../../../time.ts'

/** The server notes when the phase changed, unless the writer of the status does. */
export function datePhase(
  sent: PersistentVolume,
  stored: PersistentVolume,
  { nowMs }: RequestContext,
): PersistentVolume {
  const { phase, lastPhaseTransitionTime: at } = sent.status ?? {}
  const { phase: phaseBefore, lastPhaseTransitionTime: before } = stored.status ?? {}
  const merged = { ...sent, spec: stored.spec }
  const dated = (time: string) => ({
    ...merged,
    status: { ...sent.status, lastPhaseTransitionTime: time },
  })
  if (phase === phaseBefore) return at === undefined && before ? dated(before) : merged
  return at === undefined || at === before ? dated(formatTime(nowMs)) : merged
}
