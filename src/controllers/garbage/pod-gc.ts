// Removes pods that nobody else will: of nodes that are gone, of nodes declared dead, and finished
// ones beyond any number that somebody might still look at.

import { nodes } from '../../api/kinds/core/node/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import type { Node, Pod } from '../../api/schema/generated/types.ts'
import { isNotFound } from '../../api/status.ts'
import { formatTime } from '../../api/time.ts'
import {
  type Controller,
  defineController,
  indexing,
  type Kit,
  watching,
} from '../../kit/controller.ts'
import { conditionOf } from '../conditions.ts'
import { isFinished } from '../pods.ts'

const NAME = 'pod-garbage-collector'
const OUT_OF_SERVICE = 'node.kubernetes.io/out-of-service'
/** How long a node must be missing before its pods are taken for lost. */
const QUARANTINE_MS = 40_000
/** More finished pods than this are removed, the oldest first. */
const FINISHED_MAX = 12_500
const BY_NODE = 'node'
const FINISHED = 'finished'

/** A pod that is asked to go, where no kubelet will ever say that it is gone. */
export function isStuck(pod: Pod, node: Node | undefined): boolean {
  if (pod.metadata.deletionTimestamp === undefined) return false
  if (!pod.spec.nodeName) return true
  if (node === undefined) return false
  const isReady = conditionOf(node.status?.conditions, 'Ready')?.status === 'True'
  const isDeclaredDead = node.spec?.taints?.some(({ key }) => key === OUT_OF_SERVICE) ?? false
  return isDeclaredDead && !isReady
}

/** Those to remove of all finished pods: evicted ones first, then the oldest. */
export function planFinished(finished: readonly Pod[], max = FINISHED_MAX): Pod[] {
  if (finished.length <= max) return []
  const isEvicted = ({ status }: Pod) => status?.phase === 'Failed' && status.reason === 'Evicted'
  const order = (a: Pod, b: Pod) => {
    if (isEvicted(a) !== isEvicted(b)) return isEvicted(a) ? -1 : 1
    const [aTime, bTime] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '']
    return aTime < bTime ? -1 : aTime > bTime ? 1 : 0
  }
  return finished.toSorted(order).slice(0, finished.length - max)
}

export const podGcController = defineController<Pod>({
  name: NAME,
  reconciles: pods,
  workers: 1,
  indexes: [
    indexing(pods, BY_NODE, ({ spec }) => (spec.nodeName ? [spec.nodeName] : [])),
    indexing(pods, FINISHED, (pod) => (isFinished(pod) ? ['yes'] : [])),
  ],
  watches: [
    watching(
      nodes,
      ({ metadata }, list) =>
        list(pods)
          .by(BY_NODE, metadata.name ?? '')
          .map((pod) => `${pod.metadata.namespace}/${pod.metadata.name}`),
      (change) => isOutOfService(change.object),
    ),
  ],

  async reconcile(pod, kit, signal) {
    const node = kit.list(nodes).get(pod.spec.nodeName ?? '')
    if (isStuck(pod, node)) await removePod(pod, kit, signal)
    if (!isFinished(pod)) return
    for (const old of planFinished(kit.list(pods).by(FINISHED, 'yes'))) {
      await removePod(old, kit, signal)
    }
  },
})

function isOutOfService({ spec }: Node): boolean {
  return spec?.taints?.some(({ key }) => key === OUT_OF_SERVICE) ?? false
}

/** Keys are names of nodes, those of nodes that are gone most of all. */
export function orphanedPodController(): Controller<Node> {
  /** When each missing node was first missed, by our monotonic clock. */
  const missedMs = new Map<string, number>()
  return defineController<Node>({
    name: NAME,
    reconciles: nodes,
    workers: 1,
    indexes: [indexing(pods, BY_NODE, ({ spec }) => (spec.nodeName ? [spec.nodeName] : []))],
    watches: [
      watching(
        pods,
        ({ spec }, list) =>
          spec.nodeName && list(nodes).get(spec.nodeName) === undefined ? [spec.nodeName] : [],
        ({ type }) => type !== 'deleted',
      ),
    ],

    async reconcile({ metadata }) {
      missedMs.delete(metadata.name ?? '')
    },

    async reconcileGone(name, kit, signal) {
      const lost = kit.list(pods).by(BY_NODE, name)
      if (lost.length === 0) {
        missedMs.delete(name)
        return
      }
      const nowMs = kit.clock.monotonicMs()
      const sinceMs = missedMs.get(name) ?? nowMs
      missedMs.set(name, sinceMs)
      const waitMs = sinceMs + QUARANTINE_MS - nowMs
      if (waitMs > 0) return { requeueInMs: waitMs }
      if (await existsAfterAll(name, kit, signal)) return
      for (const pod of lost) await removePod(pod, kit, signal, NODE_GONE)
    },
  })
}

async function existsAfterAll(name: string, { client }: Kit, signal: AbortSignal) {
  try {
    await client.get(nodes, { name }, signal)
    return true
  } catch (error) {
    if (isNotFound(error)) return false
    throw error
  }
}

const NODE_GONE = {
  type: 'DisruptionTarget',
  status: 'True',
  reason: 'DeletionByPodGC',
  message: 'PodGC: node no longer exists',
}

/** First the pod is marked Failed, so that its owner and its watchers learn how it ended. */
async function removePod(
  pod: Pod,
  { writer, clock }: Kit,
  signal: AbortSignal,
  condition?: typeof NODE_GONE,
): Promise<void> {
  if (!isFinished(pod)) {
    const lastTransitionTime = formatTime(clock.nowMs())
    const conditions = condition ? { conditions: [{ ...condition, lastTransitionTime }] } : {}
    const status = { phase: 'Failed', ...conditions }
    const body = { metadata: { uid: pod.metadata.uid }, status }
    await writer.patch(pods, pod, { type: 'strategic', body, subresource: 'status' }, signal)
  }
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata
  // Asked for already: what is left to wait for are finalizers of others.
  if (deletionTimestamp !== undefined && deletionGracePeriodSeconds === 0) return
  await writer.remove(pods, pod, { gracePeriodSeconds: 0 }, signal)
}
