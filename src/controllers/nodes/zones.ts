// How many nodes of each zone are in trouble, and how fast their pods may be sent away. Pure.
// Numbers of upstream's node lifecycle controller and its defaults.

import type { Node } from '../../api/schema/generated/types.ts'
import { conditionOf } from '../conditions.ts'

export type ZoneState = 'normal' | 'partial' | 'full'

const ZONE = 'topology.kubernetes.io/zone'
const REGION = 'topology.kubernetes.io/region'
/** Nodes with this label say nothing about their zone. */
const EXCLUDED = 'node.kubernetes.io/exclude-disruption'
/** From this part of a zone on, the fault is more likely between it and us than in its nodes. */
const PARTIAL_FRACTION = 0.55
const PARTIAL_NODES_MIN = 3
/** Tainting goes on slowly in a large zone in trouble; in a small one it stops. */
const LARGE_ZONE_NODES = 50
const NORMAL_PER_SECOND = 0.1
const LARGE_PARTIAL_PER_SECOND = 0.01

export type Zones = {
  states: ReadonlyMap<string, ZoneState>
  sizes: ReadonlyMap<string, number>
  /** No node anywhere is ready: then the fault is ours, and nobody is sent away. */
  isAllDown: boolean
}

export function zoneOf({ metadata }: Node): string {
  const { [REGION]: region = '', [ZONE]: zone = '' } = metadata.labels ?? {}
  return `${region}:${zone}`
}

export function isNodeReady({ status }: Node): boolean {
  return conditionOf(status?.conditions, 'Ready')?.status === 'True'
}

export function planZones(nodes: readonly Node[]): Zones {
  const judged = nodes.filter(({ metadata }) => metadata.labels?.[EXCLUDED] === undefined)
  const states = new Map<string, ZoneState>()
  const sizes = new Map<string, number>()
  for (const [zone, members] of Map.groupBy(judged, zoneOf)) {
    const unready = members.filter((node) => !isNodeReady(node)).length
    states.set(zone, stateOf(unready, members.length))
    sizes.set(zone, members.length)
  }
  const isAllDown = states.size > 0 && [...states.values()].every((state) => state === 'full')
  return { states, sizes, isAllDown }
}

function stateOf(unready: number, size: number): ZoneState {
  if (unready === size) return 'full'
  const isPartial = unready >= PARTIAL_NODES_MIN && unready / size >= PARTIAL_FRACTION
  return isPartial ? 'partial' : 'normal'
}

/** Nodes per second that may be tainted NoExecute in `zone`. */
export function taintsPerSecond({ states, sizes, isAllDown }: Zones, zone: string): number {
  if (isAllDown) return 0
  if (states.get(zone) !== 'partial') return NORMAL_PER_SECOND
  return (sizes.get(zone) ?? 0) > LARGE_ZONE_NODES ? LARGE_PARTIAL_PER_SECOND : 0
}
