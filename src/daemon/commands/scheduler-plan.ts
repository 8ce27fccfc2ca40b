// What the scheduler would do with a pod, worked out here from what the server has: the same
// plug-ins over the same view, and nothing is written.

import { nodes } from '../../api/kinds/core/node/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import type { KubeObject } from '../../api/object.ts'
import type { ResourceRow } from '../../api/resource.ts'
import type { Node, Pod } from '../../api/schema/generated/types.ts'
import type { Client } from '../../kit/client.ts'
import type { Informer } from '../../kit/informer.ts'
import { InformerSet } from '../../kit/informer-set.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Random } from '../../lib/random.ts'
import { UserError } from '../../lib/user-error.ts'
import { Cluster } from '../../scheduler/cluster.ts'
import { type Explanation, explainPod } from '../../scheduler/explain.ts'
import type { Handle } from '../../scheduler/framework.ts'
import { PLUGINS } from '../../scheduler/plugins/all.ts'

export type PlanDeps = { client: Client; clock: Clock; random: Random; log: Log }

/** Longer than this, and the server does not mean to answer. */
const ANSWER_MS_MAX = 30_000

/** Throws a UserError when there is no such pod. */
export async function explainPlan(
  deps: PlanDeps,
  { namespace, name }: { namespace: string; name: string },
  signal: AbortSignal,
): Promise<Explanation> {
  // Also tells at once, in the server's words, when it cannot be asked.
  const pod = await deps.client.get(pods, { namespace, name }, signal)
  const stop = new AbortController()
  const informers = new InformerSet(deps)
  const asked: Informer<KubeObject>[] = []
  const informerOf = <O extends KubeObject>(row: ResourceRow<O>): Informer<O> => {
    const informer = informers.of(row)
    asked.push(informer as unknown as Informer<KubeObject>)
    return informer
  }
  const [allNodes, allPods] = [informerOf<Node>(nodes), informerOf<Pod>(pods)]
  const plugins = PLUGINS.map((make) => make(readingHandle(deps, informerOf)))
  const { done } = await informers.start(stop.signal)
  const cancel = deps.clock.after(ANSWER_MS_MAX, () =>
    stop.abort(new UserError('the server does not send what the plan needs')),
  )
  try {
    await Promise.all(asked.map((informer) => informer.synced(stop.signal)))
    return explainPod(pod, viewWithout(pod, allNodes, allPods), plugins)
  } finally {
    cancel()
    stop.abort()
    await done
  }
}

/** For plug-ins that are asked, and never told to do anything. */
function readingHandle(
  { client, clock, log }: PlanDeps,
  informerOf: <O extends KubeObject>(row: ResourceRow<O>) => Informer<O>,
): Handle {
  return {
    client,
    clock,
    log,
    lister: (row) => informerOf(row).lister,
    say: () => Promise.resolve(),
    recheck: () => {},
    rejectWaiting: () => false,
  }
}

function viewWithout(pod: Pod, allNodes: Informer<Node>, allPods: Informer<Pod>): Cluster {
  const cluster = new Cluster()
  for (const node of allNodes.lister.all()) cluster.setNode(node)
  for (const other of allPods.lister.all()) {
    const nominated = other.status?.nominatedNodeName ?? ''
    if (!other.spec.nodeName) cluster.nominations.set(other, nominated)
    else if (other.metadata.uid !== pod.metadata.uid) cluster.setPod(other)
  }
  return cluster
}
