// Judges nodes by what is heard of them: conditions, taints, and the readiness of their pods.
//
//   heard of ──(50 s of silence)──► Unknown, NoSchedule ──(at its zone's rate)──► NoExecute
//       ▲                           pods not ready                                  │
//       └──────────────────────(heard of again: all undone)─────────────────────────┘

import { leases } from '../../api/kinds/coordination/lease/row.ts'
import { nodes } from '../../api/kinds/core/node/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import { keyOf } from '../../api/object.ts'
import type { Node, Pod } from '../../api/schema/generated/types.ts'
import { isConflict, isNotFound } from '../../api/status.ts'
import {
  type Controller,
  defineController,
  indexing,
  type Kit,
  watching,
} from '../../kit/controller.ts'
import { conditionOf, withCondition } from '../conditions.ts'
import { NodeHealth, unknownConditions } from './node-health.ts'
import { hasNoExecute, NOT_READY, noScheduleKeys, UNREACHABLE, withTaints } from './taints.ts'
import { isNodeReady, planZones, taintsPerSecond, type Zones, zoneOf } from './zones.ts'

const LEASE_NAMESPACE = 'kube-node-lease'
const BY_NODE = 'node'

export function nodeLifecycleController(): Controller<Node> {
  const health = new NodeHealth()
  const pace = new Pace()
  /** Uids of the nodes that were welcomed. */
  const known = new Map<string, string>()
  let wasAllDown = false

  return defineController<Node>({
    name: 'node-controller',
    reconciles: nodes,
    // One at a time: zones are judged as a whole.
    workers: 1,
    reads: [pods],
    indexes: [indexing(pods, BY_NODE, ({ spec }) => (spec.nodeName ? [spec.nodeName] : []))],
    only: [{ row: leases, selection: { namespace: LEASE_NAMESPACE } }],
    watches: [watching(leases, ({ metadata }) => [metadata.name ?? ''])],

    async reconcile(cached, kit, signal) {
      const { name = '' } = cached.metadata
      welcome(cached, known, kit)
      const nowMs = kit.clock.monotonicMs()
      const lease = kit.list(leases).get(`${LEASE_NAMESPACE}/${name}`)
      const silentInMs = health.look(cached, lease, nowMs)
      const node = silentInMs > 0 ? cached : await putUnknown(cached, kit, signal)

      const zones = planZones(
        kit
          .list(nodes)
          .all()
          .map((other) => (keyOf(other) === name ? node : other)),
      )
      if (zones.isAllDown !== wasAllDown) {
        wasAllDown = zones.isAllDown
        if (!zones.isAllDown) health.forgive(nowMs)
        for (const other of kit.list(nodes).all()) kit.enqueue(keyOf(other))
      }
      const { noExecute, inMs } = planNoExecute(node, zones, pace, nowMs)
      await putTaints(node, noExecute, kit, signal)
      if (isUnknown(node)) await putPodsNotReady(name, kit, signal)

      const waits = [silentInMs, inMs ?? 0].filter((ms) => ms > 0)
      if (waits.length > 0) return { requeueInMs: Math.min(...waits) }
    },

    async reconcileGone(name, { events }) {
      const uid = known.get(name)
      known.delete(name)
      health.forget(name)
      if (uid === undefined) return
      const about = { row: nodes, object: { metadata: { name, uid } } }
      const message = `Node ${name} event: Removing Node ${name} from Controller`
      events.normal(about, 'RemovingNode', message)
    },
  })
}

function welcome({ metadata }: Node, known: Map<string, string>, { events }: Kit): void {
  const { name = '', uid = '' } = metadata
  if (known.get(name) === uid) return
  known.set(name, uid)
  const about = { row: nodes, object: { metadata: { name, uid } } }
  const message = `Node ${name} event: Registered Node ${name} in Controller`
  events.normal(about, 'RegisteredNode', message)
}

const isUnknown = ({ status }: Node) =>
  conditionOf(status?.conditions, 'Ready')?.status === 'Unknown'

async function putUnknown(node: Node, { writer, clock, events }: Kit, signal: AbortSignal) {
  const status = { ...node.status, conditions: unknownConditions(node, clock.nowMs()) }
  const marked = await writer.putStatus(nodes, node, status, signal)
  if (isNodeReady(node)) {
    const { name = '', uid = '' } = node.metadata
    const about = { row: nodes, object: { metadata: { name, uid } } }
    events.normal(about, 'NodeNotReady', `Node ${name} status is now: NodeNotReady`)
  }
  return marked
}

export type NoExecutePlan = {
  /** The key of the taint that the node must have now. */
  noExecute: string | undefined
  /** When it may be asked again, if the zone's rate did not allow it now. */
  inMs?: number
}

/** One of the two for a node in trouble; changing one for the other is free, a first one is not. */
function planNoExecute(
  node: Node,
  zones: Zones,
  pace: Pick<Pace, 'mayGo'>,
  nowMs: number,
): NoExecutePlan {
  const ready = conditionOf(node.status?.conditions, 'Ready')?.status
  if (ready === undefined || ready === 'True' || zones.isAllDown) return { noExecute: undefined }
  const key = ready === 'False' ? NOT_READY : UNREACHABLE
  if (hasNoExecute(node, NOT_READY) || hasNoExecute(node, UNREACHABLE)) return { noExecute: key }
  const zone = zoneOf(node)
  const inMs = pace.mayGo(zone, taintsPerSecond(zones, zone), nowMs)
  if (inMs === 0) return { noExecute: key }
  return inMs === undefined ? { noExecute: undefined } : { noExecute: undefined, inMs }
}

/** Lets one through at a time, each zone at its own rate. */
export class Pace {
  readonly #lastMs = new Map<string, number>()

  /** 0 when it may go now, and then it counts; else when; undefined while nobody may. */
  mayGo(zone: string, perSecond: number, nowMs: number): number | undefined {
    if (perSecond === 0) return undefined
    const waitMs = (this.#lastMs.get(zone) ?? Number.NEGATIVE_INFINITY) + 1000 / perSecond - nowMs
    if (waitMs > 0) return waitMs
    this.#lastMs.set(zone, nowMs)
    return 0
  }
}

async function putTaints(
  node: Node,
  noExecute: string | undefined,
  { writer, clock }: Kit,
  signal: AbortSignal,
): Promise<void> {
  const wanted = { noSchedule: noScheduleKeys(node), noExecute }
  const taints = withTaints(node, wanted, clock.nowMs())
  const edit = (draft: Node) => {
    if (taints.length > 0) draft.spec = { ...draft.spec, taints }
    else delete draft.spec?.taints
  }
  await writer.change(nodes, node, edit, signal)
}

/** Nobody on an unreachable node can be relied on, whatever its pods said last. */
async function putPodsNotReady(name: string, kit: Kit, signal: AbortSignal): Promise<void> {
  for (const pod of kit.list(pods).by(BY_NODE, name)) {
    const ready = conditionOf(pod.status?.conditions, 'Ready')
    if (ready === undefined || ready.status === 'False') continue
    try {
      await putNotReady(pod, { ...ready, status: 'False' }, kit, signal)
    } catch (error) {
      // Gone, or changed by someone: the change itself brings us back if it must.
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }
}

async function putNotReady(
  pod: Pod,
  ready: { type: string; status: string },
  { writer, clock, events }: Kit,
  signal: AbortSignal,
): Promise<void> {
  const conditions = withCondition(pod.status?.conditions, ready, clock.nowMs())
  await writer.putStatus(pods, pod, { ...pod.status, conditions }, signal)
  events.warning({ row: pods, object: pod }, 'NodeNotReady', 'Node is not ready')
}
