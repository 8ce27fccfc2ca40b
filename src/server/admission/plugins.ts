// The plugins, in the order that they are asked: reading this is reading what admission does.

import { limitRanges } from '../../api/kinds/core/limitrange/row.ts'
import { namespaces } from '../../api/kinds/core/namespace/row.ts'
import { nodes } from '../../api/kinds/core/node/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import { resourceQuotas } from '../../api/kinds/core/resourcequota/row.ts'
import { serviceAccounts } from '../../api/kinds/core/serviceaccount/row.ts'
import { ingressClasses } from '../../api/kinds/networking/ingressclass/row.ts'
import { runtimeClasses } from '../../api/kinds/node/runtimeclass/row.ts'
import { priorityClasses } from '../../api/kinds/scheduling/priorityclass/row.ts'
import { storageClasses } from '../../api/kinds/storage/storageclass/row.ts'
import type {
  IngressClass,
  LimitRange,
  Namespace,
  Node,
  Pod,
  PriorityClass,
  ResourceQuota,
  RuntimeClass,
  ServiceAccount,
  StorageClass,
} from '../../api/schema/generated/types.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Random } from '../../lib/random.ts'
import type { Store } from '../../store/store.ts'
import type { NodeKeys } from '../authn/node-keys.ts'
import type { Access } from '../authz/authorizer.ts'
import { KindCache, NamespacedCache } from '../storage/reader.ts'
import type { StoreIndex } from '../storage/store-feed.ts'
import { certificateApproval, certificateSigning } from './builtin/certificate-signers.ts'
import { certificateSubject } from './builtin/certificate-subject.ts'
import { claimResize } from './builtin/claim-resize.ts'
import { declaredFeatures } from './builtin/declared-features.ts'
import { defaultIngressClass } from './builtin/default-ingress-class.ts'
import { defaultStorageClass } from './builtin/default-storage-class.ts'
import { limitRanger } from './builtin/limit-ranger.ts'
import { namespaceLifecycle } from './builtin/namespace-lifecycle.ts'
import { nodeKey } from './builtin/node-key.ts'
import { nodeRestriction } from './builtin/node-restriction.ts'
import { nodeTaints } from './builtin/node-taints.ts'
import { podResize } from './builtin/pod-resize.ts'
import { defaultTolerations } from './builtin/pod-tolerations.ts'
import { podTopologyLabels } from './builtin/pod-topology-labels.ts'
import { priority } from './builtin/priority.ts'
import { resourceQuota } from './builtin/resource-quota.ts'
import { runtimeClass } from './builtin/runtime-class.ts'
import { serviceAccount } from './builtin/service-account.ts'
import { storageProtection } from './builtin/storage-protection.ts'
import type { AdmissionPlugin } from './chain.ts'
import { DEFAULT_SETTINGS, type PodSecuritySettings } from './podsecurity/configuration.ts'
import type { PolicyObserver } from './podsecurity/evaluation.ts'
import { podSecurity } from './podsecurity/pod-security.ts'

export type PluginDeps = {
  issuer: string
  store: Store
  clock: Clock
  random: Random
  nodeKeys: NodeKeys
  log: Log
  settings: { podSecurity?: PodSecuritySettings }
  mayDo: (access: Access) => boolean
  observer: PolicyObserver
}

/** The indexes keep what the plugins read; they are to be given the store's changes. */
export function admissionPlugins(deps: PluginDeps): {
  plugins: AdmissionPlugin[]
  indexes: StoreIndex[]
} {
  const { issuer, store, clock, random, log, settings, mayDo } = deps
  const spaces = new KindCache<Namespace>(namespaces, store)
  const limits = new NamespacedCache<LimitRange>(limitRanges)
  const quotas = new NamespacedCache<ResourceQuota>(resourceQuotas)
  const accounts = new KindCache<ServiceAccount>(serviceAccounts, store)
  const classes = new KindCache<PriorityClass>(priorityClasses, store)
  const runtimes = new KindCache<RuntimeClass>(runtimeClasses, store)
  const ingress = new KindCache<IngressClass>(ingressClasses, store)
  const storage = new KindCache<StorageClass>(storageClasses, store)
  // Pods are many and only nodes' own writes need them: read from the store, never kept.
  const podReader = new KindCache<Pod>(pods, store)
  const nodeReader = new KindCache<Node>(nodes, store)
  return {
    indexes: [spaces, limits, quotas, accounts, classes, runtimes, ingress, storage],
    plugins: [
      namespaceLifecycle(spaces),
      limitRanger(limits),
      serviceAccount({ accounts, clock, random }),
      nodeRestriction({ issuer, pods: podReader, nodes: nodeReader, mayDo }),
      nodeTaints,
      podSecurity({
        store,
        clock,
        log,
        settings: settings.podSecurity ?? DEFAULT_SETTINGS,
        observer: deps.observer,
      }),
      priority(classes),
      defaultTolerations,
      defaultStorageClass(storage),
      storageProtection,
      claimResize(storage),
      runtimeClass(runtimes),
      certificateApproval(mayDo),
      certificateSigning(mayDo),
      certificateSubject,
      defaultIngressClass(ingress),
      podTopologyLabels(nodeReader),
      declaredFeatures(nodeReader),
      podResize(nodeReader),
      // The last of upstream's: what is charged here is as good as made.
      resourceQuota({ store, clock, quotas }),
      // Our own, beside upstream's.
      nodeKey({ keys: deps.nodeKeys, mayDo }),
    ],
  }
}
