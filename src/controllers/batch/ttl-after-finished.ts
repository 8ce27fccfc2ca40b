// Deletes Jobs, and with them their pods, spec.ttlSecondsAfterFinished after their end.

import { finishedCondition } from '../../api/job/state.ts'
import { jobs } from '../../api/kinds/batch/job/row.ts'
import type { Job } from '../../api/schema/generated/types.ts'
import { isNotFound } from '../../api/status.ts'
import { parseTime } from '../../api/time.ts'
import { defineController } from '../../kit/controller.ts'

export const ttlAfterFinishedController = defineController<Job>({
  name: 'ttl-after-finished-controller',
  reconciles: jobs,
  async reconcile(job, { clock, client, writer }, signal) {
    const waitMs = expiresInMs(job, clock.nowMs())
    if (waitMs === undefined) return
    if (waitMs > 0) return { requeueInMs: waitMs }
    // The cache may be old, and somebody may have given it more time.
    const { namespace, name = '' } = job.metadata
    const fresh = await client.get(jobs, { namespace, name }, signal).catch((error) => {
      if (isNotFound(error)) return undefined
      throw error
    })
    if (fresh === undefined || expiresInMs(fresh, clock.nowMs()) !== 0) return
    await writer.remove(jobs, fresh, { propagationPolicy: 'Foreground' }, signal)
  },
})

/** 0: now; undefined: never. */
export function expiresInMs(job: Job, nowMs: number): number | undefined {
  const { ttlSecondsAfterFinished: seconds } = job.spec
  const at = finishedCondition(job)?.lastTransitionTime
  if (seconds === undefined || !at || job.metadata.deletionTimestamp !== undefined) return undefined
  return Math.max(0, parseTime(at) + seconds * 1000 - nowMs)
}
