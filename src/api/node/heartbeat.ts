// What makes a node's status a heartbeat: nothing is said but that the node is still there.

import { equalJson } from '../patch/value.ts'
import type { Node } from '../schema/generated/types.ts'

/** `node` differs from `old` in the times of heartbeats and who wrote them, and in nothing else. */
export function isHeartbeat(node: Node, old: Node): boolean {
  return !equalJson(beatsOf(node), beatsOf(old)) && equalJson(timeless(node), timeless(old))
}

function beatsOf({ status }: Node) {
  return status?.conditions?.map(({ lastHeartbeatTime }) => lastHeartbeatTime)
}

function timeless({ metadata, status, ...rest }: Node) {
  const { resourceVersion: _revision, managedFields, ...identity } = metadata
  const owners = managedFields?.filter(({ subresource }) => subresource !== 'status')
  return {
    ...rest,
    metadata: { ...identity, managedFields: owners?.map(({ time: _time, ...owner }) => owner) },
    status: {
      ...status,
      conditions: status?.conditions?.map(({ lastHeartbeatTime: _beat, ...said }) => said),
    },
  }
}
