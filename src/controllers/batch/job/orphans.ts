// Frees pods of the finalizer of Jobs when no Job will: theirs is gone or over, or they have none.

import { isJobFinished } from '../../../api/job/state.ts'
import { jobs } from '../../../api/kinds/batch/job/row.ts'
import { pods } from '../../../api/kinds/core/pod/row.ts'
import { controllerOf, keyOf } from '../../../api/object.ts'
import type { Pod } from '../../../api/schema/generated/types.ts'
import { defineController, type ListOf, watching } from '../../../kit/controller.ts'
import { isOurs, release } from './job.ts'
import { hasFinalizer } from './job-pods.ts'

export const jobOrphanController = defineController<Pod>({
  name: 'job-orphan-controller',
  account: 'job-controller',
  reconciles: pods,
  watches: [
    watching(
      jobs,
      (job, list) => list(pods).ownedBy(job).filter(hasFinalizer).map(keyOf),
      ({ type, object }) => type === 'deleted' || isJobFinished(object),
    ),
  ],
  async reconcile(pod, kit, signal) {
    if (hasFinalizer(pod) && isOrphan(pod, kit.list)) await release(pod, kit, signal)
  },
})

export function isOrphan(pod: Pod, list: ListOf): boolean {
  const owner = controllerOf(pod)
  if (owner === undefined) return true
  // Whoever else uses the finalizer knows when it may go.
  if (owner.kind !== 'Job' || owner.apiVersion !== 'batch/v1') return false
  const job = list(jobs).get(`${pod.metadata.namespace}/${owner.name}`)
  if (job?.metadata.uid !== owner.uid) return true
  return isOurs(job) && isJobFinished(job)
}
