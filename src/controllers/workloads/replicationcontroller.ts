// Keeps alive the number of pods that each ReplicationController asks for.

import { replicationControllers } from '../../api/kinds/core/replicationcontroller/row.ts'
import type { ReplicationController } from '../../api/schema/generated/types.ts'
import { hasLabels } from '../../kit/labels.ts'
import { podGroupController } from './pod-group.ts'

export const replicationControllerController = podGroupController<ReplicationController>({
  name: 'replication-controller',
  row: replicationControllers,
  replicas: ({ spec }) => spec.replicas ?? 1,
  minReadySeconds: ({ spec }) => spec.minReadySeconds ?? 0,
  template: ({ spec }) => spec.template,
  // An empty selector selects nothing here, unlike that of a ReplicaSet.
  selects: ({ spec }, pod) =>
    Object.keys(spec.selector ?? {}).length > 0 && hasLabels(pod, spec.selector ?? {}),
  status: ({ status }) => status,
})
