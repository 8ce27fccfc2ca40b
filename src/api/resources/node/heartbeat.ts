// What makes a node's status a heartbeat: nothing is said but that the node is still there.

import type { Node } from '../../generated/types.ts'
import { equalJson } from '../../patch/value.ts'

/** `node` differs from `old` in the times of its conditions' heartbeats alone. */
export function isHeartbeat(node: Node, old: Node): boolean {
  return equalJson(timeless(node), timeless(old))
}

function timeless({ metadata, status, ...rest }: Node) {
  const { resourceVersion: _revision, managedFields, ...identity } = metadata
  return {
    ...rest,
    metadata: {
      ...identity,
      managedFields: managedFields?.map(({ time: _time, ...owner }) => owner),
    },
    status: {
      ...status,
      conditions: status?.conditions?.map(({ lastHeartbeatTime: _beat, ...said }) => said),
    },
  }
}
