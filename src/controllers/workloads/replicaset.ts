// Keeps alive the number of pods that each ReplicaSet asks for.

import { replicaSets } from '../../api/kinds/apps/replicaset/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import { controllerOf } from '../../api/object.ts'
import type { Pod, ReplicaSet } from '../../api/schema/generated/types.ts'
import type { Kit } from '../../kit/controller.ts'
import { matchesSelector } from '../../kit/labels.ts'
import { podGroupController } from './pod-group.ts'

export const replicaSetController = podGroupController<ReplicaSet>({
  name: 'replicaset-controller',
  row: replicaSets,
  replicas: ({ spec }) => spec.replicas ?? 1,
  minReadySeconds: ({ spec }) => spec.minReadySeconds ?? 0,
  template: ({ spec }) => spec.template,
  selects: ({ spec }, pod) => matchesSelector(pod, spec.selector),
  status: ({ status }) => status,
  related,
})

/** The pods of all ReplicaSets of the same Deployment: those of an old roll count as siblings. */
function related(rs: ReplicaSet, { list }: Kit): Pod[] {
  const owner = controllerOf(rs)
  if (owner === undefined) return list(pods).ownedBy(rs)
  return list(replicaSets)
    .ownedBy({ metadata: { uid: owner.uid } })
    .flatMap((sibling) => list(pods).ownedBy(sibling))
}
