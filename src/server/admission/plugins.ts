// The plugins, in the order that they are asked: reading this is reading what admission does.

import type {
  Namespace,
  Node,
  Pod,
  PriorityClass,
  ServiceAccount,
} from '../../api/generated/types.ts'
import { namespaces } from '../../api/resources/namespaces.ts'
import { nodes } from '../../api/resources/nodes.ts'
import { pods } from '../../api/resources/pods.ts'
import { priorityClasses } from '../../api/resources/priorityclasses.ts'
import { serviceAccounts } from '../../api/resources/serviceaccounts.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Random } from '../../lib/random.ts'
import type { Store } from '../../store/store.ts'
import type { NodeKeys } from '../authn/node-keys.ts'
import type { Access } from '../authz/authorizer.ts'
import type { Follower } from '../follow.ts'
import { KindCache } from '../reader.ts'
import type { AdmissionPlugin } from './chain.ts'
import { namespaceLifecycle } from './namespace-lifecycle.ts'
import { nodeKey } from './node-key.ts'
import { nodeRestriction } from './node-restriction.ts'
import { nodeTaints } from './node-taints.ts'
import { defaultTolerations } from './pod-tolerations.ts'
import { priority } from './priority.ts'
import { runtimeClass } from './runtime-class.ts'
import { serviceAccount } from './service-account.ts'

export type PluginDeps = {
  store: Store
  clock: Clock
  random: Random
  nodeKeys: NodeKeys
  mayDo: (access: Access) => boolean
}

/** The followers keep what the plugins read; they are to be given the store's changes. */
export function admissionPlugins({ store, clock, random, nodeKeys, mayDo }: PluginDeps): {
  plugins: AdmissionPlugin[]
  followers: Follower[]
} {
  const spaces = new KindCache<Namespace>(namespaces, store)
  const accounts = new KindCache<ServiceAccount>(serviceAccounts, store)
  const classes = new KindCache<PriorityClass>(priorityClasses, store)
  // Pods are many and only nodes' own writes need them: read from the store, never kept.
  const podReader = new KindCache<Pod>(pods, store)
  const nodeReader = new KindCache<Node>(nodes, store)
  return {
    followers: [spaces, accounts, classes],
    plugins: [
      namespaceLifecycle(spaces),
      nodeRestriction({ pods: podReader, nodes: nodeReader, mayDo }),
      nodeTaints,
      serviceAccount({ accounts, clock, random }),
      priority(classes),
      defaultTolerations,
      runtimeClass,
      nodeKey({ keys: nodeKeys, mayDo }),
    ],
  }
}
