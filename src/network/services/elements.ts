// Rules of Services as what a table of the kernel holds: flat maps, and chains for each number of
// endpoints. Pure.

import type { Frontend } from '../translations.ts'
import { type Action, AFFINITY_BITS, type ServiceRule, type ServiceRules } from './rules.ts'

/** Elements by map (or set: then values are empty), each keyed by its nft text. */
export type Elements = ReadonlyMap<string, ReadonlyMap<string, string>>

export type TableContent = {
  readonly elements: Elements
  /** Endpoint counts that need a chain and a map, by the family of chains. */
  readonly counts: Readonly<Record<ChainFamily, ReadonlySet<number>>>
  /** Seconds for which clients stick to an endpoint: one learning chain each. */
  readonly lifetimes: ReadonlySet<number>
}

/**
 * s: an address, source kept. x: an address, masqueraded. p: a port of the node, masqueraded.
 * l: a port of the node, source kept.
 */
export type ChainFamily = 's' | 'x' | 'p' | 'l'
export const CHAIN_FAMILIES: readonly ChainFamily[] = ['s', 'x', 'p', 'l']

/** The map that the chains of a family look endpoints up in. */
export const ENDPOINT_MAP: Record<ChainFamily, string> = {
  s: 'endpoint',
  x: 'external_endpoint',
  p: 'nodeport_endpoint',
  l: 'local_endpoint',
}

/** Marks a packet to be masqueraded on its way out; the bit kube-proxy uses. */
export const MASQUERADE_MARK = 0x4000
/** The numbers of affinities stand in these bits of the mark. */
export const AFFINITY_SHIFT = 16
export const AFFINITY_MASK = ((2 ** AFFINITY_BITS - 1) << AFFINITY_SHIFT) >>> 0

/** `previous` is what the kernel has: its chains are kept, since removing them could fail. */
export function tableContent(plan: ServiceRules, previous?: TableContent): TableContent {
  const draft = new Draft(previous)
  for (const ip of plan.ownEndpoints) draft.add('own', `${ip} . ${ip}`, '')
  for (const rule of plan.rules.values()) draft.addRule(rule)
  return draft
}

type Maps = { all: string; inside: string; refused: string; refusedOutside: string; sticky: string }

/** The maps of frontends with an address, and of those at every address of the node. */
const ADDRESS_MAPS: Maps = {
  all: 'service',
  inside: 'service_inside',
  refused: 'refused',
  refusedOutside: 'refused_outside',
  sticky: 'sticky',
}
const NODE_MAPS: Maps = {
  all: 'nodeport',
  inside: 'nodeport_inside',
  refused: 'refused_nodeport',
  refusedOutside: 'refused_nodeport_outside',
  sticky: 'nodeport_sticky',
}

class Draft implements TableContent {
  readonly elements = new Map<string, Map<string, string>>()
  readonly counts: Record<ChainFamily, Set<number>>
  readonly lifetimes: Set<number>

  constructor(previous: TableContent | undefined) {
    const { s, x, p, l } = previous?.counts ?? {}
    this.counts = { s: new Set(s), x: new Set(x), p: new Set(p), l: new Set(l) }
    this.lifetimes = new Set(previous?.lifetimes)
  }

  addRule(rule: ServiceRule): void {
    const { frontend, inside, outside, affinity } = rule
    const { address } = frontend
    const key = `${address === undefined ? '' : `${address} . `}${frontendPort(frontend)}`
    const maps = address === undefined ? NODE_MAPS : ADDRESS_MAPS
    if (inside === outside || (inside.kind === 'refuse' && outside.kind === 'refuse')) {
      this.#act(maps.all, maps.refused, key, outside)
    } else {
      this.#act(maps.inside, maps.refused, key, inside)
      this.#act(maps.all, maps.refusedOutside, key, outside)
    }
    if (rule.allowedSources !== undefined) {
      this.add('limited', key, '')
      for (const range of rule.allowedSources) this.add('allowed', `${key} . ${range}`, '')
    }
    if (affinity === undefined) return
    const isMasqueraded = inside.kind === 'balance' && inside.masquerade
    const mark = (affinity.id << AFFINITY_SHIFT) >>> 0
    this.lifetimes.add(affinity.lifetimeSeconds)
    this.add(maps.sticky, key, hex(isMasqueraded ? mark | MASQUERADE_MARK : mark))
    this.add('lifetime', hex(mark), `goto learn${affinity.lifetimeSeconds}`)
  }

  add(map: string, key: string, value: string): void {
    const elements = this.elements.get(map) ?? new Map<string, string>()
    this.elements.set(map, elements)
    elements.set(key, value)
  }

  #act(served: string, refused: string, key: string, action: Action): void {
    if (action.kind === 'refuse') return this.add(refused, key, 'goto refuse')
    if (action.kind === 'drop') return this.add(refused, key, 'drop')
    const isNode = served === NODE_MAPS.all || served === NODE_MAPS.inside
    const family = isNode ? (action.masquerade ? 'p' : 'l') : action.masquerade ? 'x' : 's'
    const count = action.backends.length
    this.counts[family].add(count)
    this.add(served, key, `goto ${family}${count}`)
    action.backends.forEach(({ ip, port }, i) => {
      this.add(`${ENDPOINT_MAP[family]}${count}`, `${key} . ${i}`, `${ip} . ${port}`)
    })
  }
}

function frontendPort({ protocol, port }: Frontend): string {
  return `${protocol} . ${port}`
}

/** As nft prints marks. */
function hex(mark: number): string {
  return `0x${(mark >>> 0).toString(16).padStart(8, '0')}`
}
