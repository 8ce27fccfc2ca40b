// When each node was last heard of, by our own clock: clocks of small machines are often wrong by
// hours until they have a network, so times written by nodes are compared, never trusted.

import type { Lease, Node, NodeCondition } from '../../api/schema/generated/types.ts'
import { formatTime } from '../../api/time.ts'
import { conditionOf } from '../conditions.ts'

/** A node that renews neither lease nor status for this long is taken for unreachable. */
const GRACE_MS = 50_000
/** A node that never said anything gets longer: it may be starting. */
const STARTUP_GRACE_MS = 60_000

type Heard = { sign: string; atMs: number }

export class NodeHealth {
  readonly #heard = new Map<string, Heard>()

  /** Notes what is known of a node. Returns how long it may stay silent from now on, in ms. */
  look(node: Node, lease: Lease | undefined, nowMs: number): number {
    const { name = '', uid = '' } = node.metadata
    const ready = conditionOf(node.status?.conditions, 'Ready')
    // Our own verdict is no sign of life: it leaves the time of the last heartbeat as it was.
    const sign = [uid, lease?.spec.renewTime, ready?.lastHeartbeatTime].join(' ')
    const known = this.#heard.get(name)
    const heard = known?.sign === sign ? known : { sign, atMs: nowMs }
    this.#heard.set(name, heard)
    const graceMs = ready === undefined ? STARTUP_GRACE_MS : GRACE_MS
    return heard.atMs + graceMs - nowMs
  }

  /** After all nodes were silent, the silence was ours: everyone gets the full time again. */
  forgive(nowMs: number): void {
    for (const [name, { sign }] of this.#heard) this.#heard.set(name, { sign, atMs: nowMs })
  }

  forget(name: string): void {
    this.#heard.delete(name)
  }
}

const JUDGED = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'] as const

/** The conditions of a node that fell silent. Those that are unknown already stay as they are. */
export function unknownConditions(node: Node, nowMs: number): NodeCondition[] {
  const conditions = [...(node.status?.conditions ?? [])]
  const lastTransitionTime = formatTime(nowMs)
  for (const type of JUDGED) {
    const index = conditions.findIndex((condition) => condition.type === type)
    const old = conditions[index]
    if (old === undefined) {
      const lastHeartbeatTime = node.metadata.creationTimestamp ?? lastTransitionTime
      conditions.push({
        type,
        status: 'Unknown',
        lastHeartbeatTime,
        lastTransitionTime,
        reason: 'NodeStatusNeverUpdated',
        message: 'Kubelet never posted node status.',
      })
    } else if (old.status !== 'Unknown') {
      conditions[index] = {
        ...old,
        status: 'Unknown',
        lastTransitionTime,
        reason: 'NodeStatusUnknown',
        message: 'Kubelet stopped posting node status.',
      }
    }
  }
  return conditions
}
