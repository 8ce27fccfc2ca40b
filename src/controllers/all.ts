// Every controller of the cluster. A new one is a new line here, and its file.

import type { Client } from '../kit/client.ts'
import type { AnyController, Kinds } from '../kit/controller.ts'
import { type ControllerDeps, controllerLoops } from '../kit/controller-loop.ts'
import type { Component } from '../lib/component.ts'
import type { Cidr } from '../lib/ip.ts'
import type { SigningWish } from '../pki/signer.ts'
import { cronJobController } from './batch/cronjob/cronjob.ts'
import { jobController } from './batch/job/job.ts'
import { jobOrphanController } from './batch/job/orphans.ts'
import { ttlAfterFinishedController } from './batch/ttl-after-finished.ts'
import { disruptionController } from './disruption/disruption.ts'
import { staleTargetController } from './disruption/stale-target.ts'
import { endpointsController } from './endpoints/endpoints.ts'
import { endpointSliceController } from './endpoints/endpointslice.ts'
import { endpointSliceMirroringController } from './endpoints/mirroring.ts'
import { GarbageCollector } from './garbage/garbage-collector.ts'
import { namespaceController } from './garbage/namespace.ts'
import { orphanedPodController, podGcController } from './garbage/pod-gc.ts'
import { clusterRoleAggregationController } from './identity/clusterrole-aggregation.ts'
import { csrApprovingController } from './identity/csr-approver.ts'
import { csrCleaningController } from './identity/csr-cleaner.ts'
import { csrSigningController } from './identity/csr-signer.ts'
import { rootCaController } from './identity/root-ca.ts'
import { serviceAccountController } from './identity/serviceaccount.ts'
import { tokenCleanerController } from './identity/token-cleaner.ts'
import { tokenSecretController } from './identity/token-secret.ts'
import { nodeIpamController } from './nodes/node-ipam.ts'
import { nodeLifecycleController } from './nodes/node-lifecycle.ts'
import { taintEvictionController } from './nodes/taint-eviction.ts'
import { resourceQuotaController } from './quota/resource-quota.ts'
import { claimBindingController } from './volumes/claim-binder.ts'
import { ephemeralVolumeController } from './volumes/ephemeral.ts'
import { localProvisioner } from './volumes/local-provisioner.ts'
import { localRemover } from './volumes/local-remover.ts'
import {
  attributesProtectionController,
  claimProtectionController,
  volumeProtectionController,
} from './volumes/protection.ts'
import { volumeBindingController } from './volumes/volume-binder.ts'
import { daemonSetController } from './workloads/daemonset/daemonset.ts'
import { deploymentController } from './workloads/deployment.ts'
import { replicaSetController } from './workloads/replicaset.ts'
import { replicationControllerController } from './workloads/replicationcontroller.ts'
import { statefulSetController } from './workloads/statefulset/statefulset.ts'

export type ControllersDeps = ControllerDeps & {
  /** The kinds that are served, for those who treat all alike. */
  kinds: Kinds
  /** PEM of the authorities that may have signed the server's certificate. */
  rootCa: () => string
  /** Signs with the authority of the signer that the wish names; returns PEM. */
  signCsr: (wish: SigningWish) => Promise<string>
  /** Where pods and Services get their addresses; one range for each family. */
  clusterCidrs: readonly Cidr[]
  serviceCidrs: readonly Cidr[]
}

/** All of them, as controllers. */
export function allControllers(deps: Omit<ControllersDeps, keyof ControllerDeps>): AnyController[] {
  const { kinds, rootCa, signCsr, clusterCidrs, serviceCidrs } = deps
  return [
    // What everything else stands on.
    namespaceController(() => kinds.rows()),
    serviceAccountController,
    rootCaController(rootCa),
    tokenSecretController(rootCa),
    clusterRoleAggregationController,
    csrApprovingController,
    csrSigningController(signCsr),
    csrCleaningController,
    tokenCleanerController,
    // Machines.
    nodeIpamController({ clusterCidrs, serviceCidrs }),
    nodeLifecycleController(),
    taintEvictionController(),
    // Pods and who finds them.
    replicaSetController,
    replicationControllerController,
    deploymentController,
    daemonSetController(),
    statefulSetController(),
    jobController(),
    jobOrphanController,
    cronJobController(),
    ttlAfterFinishedController,
    endpointsController(),
    endpointSliceController(),
    endpointSliceMirroringController,
    // What may be used, and what may go.
    resourceQuotaController(kinds),
    disruptionController(kinds),
    staleTargetController,
    // What pods keep.
    ephemeralVolumeController,
    claimBindingController(),
    volumeBindingController,
    localProvisioner(),
    localRemover(),
    claimProtectionController,
    volumeProtectionController,
    attributesProtectionController,
    // What is left behind.
    podGcController,
    orphanedPodController(),
  ]
}

/**
 * Components for the supervisor. Make the scheduler and whoever else reads the same informers
 * before these are started: the garbage collector then shares their caches.
 */
export function controllers(deps: ControllersDeps): Component[] {
  const client: Client = deps.clientAs('generic-garbage-collector')
  const loops = controllerLoops(allControllers(deps), deps)
  return [...loops, new GarbageCollector({ ...deps, client })]
}
