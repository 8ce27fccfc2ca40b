// The table of Services as text for `nft -f -`. Pure: the whole of it, or the difference of two.

import {
  AFFINITY_MASK,
  CHAIN_FAMILIES,
  type ChainFamily,
  type Elements,
  ENDPOINT_MAP,
  MASQUERADE_MARK,
  type TableContent,
} from './elements.ts'

export const TABLE = 'inet kedge'

/** One statement names at most this many elements: nft holds a statement in memory whole. */
const ELEMENTS_MAX = 1000

const ADDRESS = 'ip daddr . meta l4proto . th dport'
const NODE_PORT = 'meta l4proto . th dport'
const BY_ADDRESS = 'type ipv4_addr . inet_proto . inet_service'
const BY_NODE_PORT = 'type inet_proto . inet_service'
const STICKY_MASK = `0x${AFFINITY_MASK.toString(16)}`
const MASQUERADE = `0x${MASQUERADE_MARK.toString(16)}`
/** Traffic of this node and its pods: never another machine asking for a node port. */
const INSIDE = 'fib saddr type local'

/** What a family of chains matches on, and what its chains do before they choose an endpoint. */
const FAMILY: Record<ChainFamily, { key: string; before: string }> = {
  s: { key: ADDRESS, before: '' },
  x: { key: ADDRESS, before: `meta mark set meta mark or ${MASQUERADE}` },
  p: { key: NODE_PORT, before: `meta mark set meta mark or ${MASQUERADE}` },
  l: { key: NODE_PORT, before: '' },
}

/** Address ranges of pods and of Services, as address/prefix. */
export type Ranges = { pods: string; services: string }

/** Replaces the table whole, in one transaction: connections that stand are not touched. */
export function planTable(rules: TableContent, ranges: Ranges): string {
  return [
    `add table ${TABLE}`,
    `delete table ${TABLE}`,
    `add table ${TABLE}`,
    ...base(ranges.pods),
    ...growth(undefined, rules),
    ...hooks(ranges),
    ...additions(new Map(), rules.elements),
    '',
  ].join('\n')
}

/** Turns `from` into `to`; empty when nothing changes. Its size is that of the change. */
export function planScript(from: TableContent, to: TableContent): string {
  const lines = [
    ...growth(from, to),
    ...removals(from.elements, to.elements),
    ...additions(from.elements, to.elements),
  ]
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`
}

function base(podRange: string): string[] {
  return [
    ...['service', 'service_inside', 'refused', 'refused_outside'].map((name) =>
      map(name, `${BY_ADDRESS} : verdict`),
    ),
    ...['nodeport', 'nodeport_inside', 'refused_nodeport', 'refused_nodeport_outside'].map((name) =>
      map(name, `${BY_NODE_PORT} : verdict`),
    ),
    map('sticky', `${BY_ADDRESS} : mark`),
    map('nodeport_sticky', `${BY_NODE_PORT} : mark`),
    map('lifetime', 'type mark : verdict'),
    `add set ${TABLE} own { type ipv4_addr . ipv4_addr; }`,
    map(
      'affinity',
      'type ipv4_addr . mark : ipv4_addr . inet_service; flags dynamic,timeout; size 65536',
    ),
    `add set ${TABLE} limited { ${BY_ADDRESS}; }`,
    `add set ${TABLE} allowed { ${BY_ADDRESS} . ipv4_addr; flags interval; }`,
    chain('refuse'),
    rule('refuse', 'reject'),
    chain('services'),
    rule('services', `meta mark set ${ADDRESS} map @sticky`),
    rule('services', `fib daddr type local meta mark set ${NODE_PORT} map @nodeport_sticky`),
    rule(
      'services',
      `meta mark & ${STICKY_MASK} != 0 meta l4proto { tcp, udp, sctp } ` +
        'dnat ip to ip saddr . meta mark map @affinity',
    ),
    rule('services', `ip saddr ${podRange} ${ADDRESS} vmap @service_inside`),
    rule('services', `${INSIDE} ${ADDRESS} vmap @service_inside`),
    rule('services', `${ADDRESS} vmap @service`),
    rule(
      'services',
      `fib daddr type local ip saddr ${podRange} ${NODE_PORT} vmap @nodeport_inside`,
    ),
    rule('services', `fib daddr type local ${INSIDE} ${NODE_PORT} vmap @nodeport_inside`),
    rule('services', `fib daddr type local ${NODE_PORT} vmap @nodeport`),
    ...refusals(podRange),
  ]
}

function refusals(podRange: string): string[] {
  const outside = `ip saddr != ${podRange} fib saddr type != local`
  const toNode = 'fib daddr type local'
  return [
    chain('refusals'),
    rule('refusals', `ct state new ${ADDRESS} vmap @refused`),
    rule('refusals', `ct state new ${outside} ${ADDRESS} vmap @refused_outside`),
    rule('refusals', `ct state new ${toNode} ${NODE_PORT} vmap @refused_nodeport`),
    rule(
      'refusals',
      `ct state new ${toNode} ${outside} ${NODE_PORT} vmap @refused_nodeport_outside`,
    ),
  ]
}

function hooks(ranges: Ranges): string[] {
  const on = (name: string, type: string, hook: string, priority: string) =>
    `add chain ${TABLE} ${name} { type ${type} hook ${hook} priority ${priority}; }`
  return [
    // Before translation, while the address of the load balancer is still to be seen.
    on('sources', 'filter', 'prerouting', 'dstnat - 10'),
    rule('sources', `${ADDRESS} @limited ${ADDRESS} . ip saddr != @allowed drop`),
    on('nat_prerouting', 'nat', 'prerouting', 'dstnat'),
    rule('nat_prerouting', 'jump services'),
    on('nat_output', 'nat', 'output', '-100'),
    rule('nat_output', 'jump services'),
    ...['input', 'forward', 'output'].flatMap((hook) => [
      on(`filter_${hook}`, 'filter', hook, 'filter - 10'),
      rule(`filter_${hook}`, 'jump refusals'),
    ]),
    // Before source translation, so that the client is still known by its own address.
    on('learn', 'filter', 'postrouting', 'mangle'),
    rule('learn', `ct status dnat meta mark & ${STICKY_MASK} vmap @lifetime`),
    on('nat_postrouting', 'nat', 'postrouting', 'srcnat'),
    rule(
      'nat_postrouting',
      `meta mark & ${MASQUERADE} == ${MASQUERADE} meta mark set meta mark ^ ${MASQUERADE} masquerade`,
    ),
    // A pod that reaches itself through a Service must not see its own address as the source.
    rule('nat_postrouting', 'ct status dnat ip saddr . ip daddr @own masquerade'),
    // Whoever is neither pod nor node must get its answers back through this node.
    rule(
      'nat_postrouting',
      `ct status dnat ct original ip daddr ${ranges.services} ip saddr != ${ranges.pods} ` +
        'fib saddr type != local masquerade',
    ),
  ]
}

/** Chains and maps for endpoint counts and lifetimes that were not there before. Never removed. */
function growth(from: TableContent | undefined, to: TableContent): string[] {
  const lines: string[] = []
  for (const family of CHAIN_FAMILIES) {
    for (const count of to.counts[family]) {
      if (!from?.counts[family].has(count)) lines.push(...countChain(family, count))
    }
  }
  for (const seconds of to.lifetimes) {
    if (from?.lifetimes.has(seconds)) continue
    lines.push(
      chain(`learn${seconds}`),
      rule(
        `learn${seconds}`,
        `update @affinity { ct original ip saddr . meta mark timeout ${seconds}s : ` +
          'ip daddr . th dport }',
      ),
    )
  }
  return lines
}

function countChain(family: ChainFamily, count: number): string[] {
  const { key, before } = FAMILY[family]
  const endpoints = `${ENDPOINT_MAP[family]}${count}`
  const choice = `${key} . numgen random mod ${count}`
  return [
    // `th`, not `tcp`: nft would let the chain work for TCP alone.
    map(endpoints, `typeof ${choice} : ip daddr . th dport`),
    chain(`${family}${count}`),
    ...(before === '' ? [] : [rule(`${family}${count}`, before)]),
    rule(`${family}${count}`, `dnat ip to ${choice} map @${endpoints}`),
  ]
}

function removals(from: Elements, to: Elements): string[] {
  const lines: string[] = []
  for (const [name, elements] of from) {
    const after = to.get(name)
    const gone = [...elements].filter(([key, value]) => after?.get(key) !== value)
    lines.push(
      ...statements(
        'delete',
        name,
        gone.map(([key]) => key),
      ),
    )
  }
  return lines
}

function additions(from: Elements, to: Elements): string[] {
  const lines: string[] = []
  for (const [name, elements] of to) {
    const before = from.get(name)
    const added = [...elements].filter(([key, value]) => before?.get(key) !== value)
    const texts = added.map(([key, value]) => (value === '' ? key : `${key} : ${value}`))
    lines.push(...statements('add', name, texts))
  }
  return lines
}

function statements(verb: 'add' | 'delete', name: string, texts: readonly string[]): string[] {
  const lines: string[] = []
  for (let at = 0; at < texts.length; at += ELEMENTS_MAX) {
    const some = texts.slice(at, at + ELEMENTS_MAX).join(', ')
    lines.push(`${verb} element ${TABLE} ${name} { ${some} }`)
  }
  return lines
}

const map = (name: string, body: string) => `add map ${TABLE} ${name} { ${body}; }`
const chain = (name: string) => `add chain ${TABLE} ${name}`
const rule = (name: string, body: string) => `add rule ${TABLE} ${name} ${body}`
