// Sends pods away that do not put up with a NoExecute taint of their node, at once or when their
// patience ends.

import { nodes } from '../../api/kinds/core/node/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import { keyOf } from '../../api/object.ts'
import type { Pod } from '../../api/schema/generated/types.ts'
import {
  type Controller,
  defineController,
  indexing,
  type Kit,
  watching,
} from '../../kit/controller.ts'
import { withCondition } from '../conditions.ts'
import { isFinished } from '../pods.ts'
import { noExecuteTaints, toleratedSeconds } from './taints.ts'

const BY_NODE = 'node'

export function taintEvictionController(): Controller<Pod> {
  /** Since when each pod that is to go has been waiting, by our own clock. */
  const waitingSinceMs = new Map<string, number>()

  return defineController<Pod>({
    name: 'taint-eviction-controller',
    account: 'node-controller',
    reconciles: pods,
    indexes: [indexing(pods, BY_NODE, ({ spec }) => (spec.nodeName ? [spec.nodeName] : []))],
    watches: [
      watching(
        nodes,
        ({ metadata }, list) =>
          list(pods)
            .by(BY_NODE, metadata.name ?? '')
            .map(keyOf),
        (change) =>
          change.type !== 'updated' ||
          !Bun.deepEquals(noExecuteTaints(change.object), noExecuteTaints(change.old)),
      ),
    ],

    async reconcile(pod, kit, signal) {
      const key = keyOf(pod)
      const node = kit.list(nodes).get(pod.spec.nodeName ?? '')
      const isLeaving = pod.metadata.deletionTimestamp !== undefined || isFinished(pod)
      const taints = node === undefined || isLeaving ? [] : noExecuteTaints(node)
      const seconds = taints.length === 0 ? undefined : toleratedSeconds(pod, taints)
      if (seconds === undefined) {
        const wasWaiting = waitingSinceMs.delete(key)
        if (wasWaiting && !isLeaving) tell(pod, `Cancelling deletion of Pod ${key}`, kit)
        return
      }
      const nowMs = kit.clock.monotonicMs()
      const sinceMs = waitingSinceMs.get(key) ?? nowMs
      const leftMs = sinceMs + seconds * 1000 - nowMs
      if (leftMs > 0) {
        waitingSinceMs.set(key, sinceMs)
        return { requeueInMs: leftMs }
      }
      waitingSinceMs.delete(key)
      await evict(pod, kit, signal)
    },

    async reconcileGone(key) {
      waitingSinceMs.delete(key)
    },
  })
}

function tell(object: Pod, message: string, { events }: Kit): void {
  events.normal({ row: pods, object }, 'TaintManagerEviction', message)
}

async function evict(pod: Pod, kit: Kit, signal: AbortSignal): Promise<void> {
  tell(pod, `Marking for deletion Pod ${keyOf(pod)}`, kit)
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'DeletionByTaintManager',
    message: 'Taint manager: deleting due to NoExecute taint',
  }
  const conditions = withCondition(pod.status?.conditions, condition, kit.clock.nowMs())
  const marked = await kit.writer.putStatus(pods, pod, { ...pod.status, conditions }, signal)
  await kit.writer.remove(pods, marked, {}, signal)
}
