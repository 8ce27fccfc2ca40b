// Rulesets as text for `nft -f -`. Pure: the whole table, or the difference of two.

import {
  type ChainFamily,
  type Elements,
  ENDPOINT_MAP,
  MASQUERADE_MARK,
  type Ruleset,
  STICKY_SHIFT,
} from './rules.ts'

export const TABLE = 'inet kedge'
/** Written last, so that it stands only when everything does. */
export const LAST_CHAIN = 'nat_postrouting'

/** One statement names at most this many elements: nft holds a statement in memory whole. */
const ELEMENTS_MAX = 1000

const ADDRESS = 'ip daddr . meta l4proto . th dport'
const NODE_PORT = 'meta l4proto . th dport'
const BY_ADDRESS = 'type ipv4_addr . inet_proto . inet_service'
const BY_NODE_PORT = 'type inet_proto . inet_service'
const STICKY_MASK = `0x${((0x7fff << STICKY_SHIFT) >>> 0).toString(16)}`
const MASQUERADE = `0x${MASQUERADE_MARK.toString(16)}`
/** Traffic of this node and its pods: never another machine asking for a node port. */
const INSIDE = 'fib saddr type local'

/** What a family of chains matches on, and what its chains do before they choose an endpoint. */
const FAMILY: Record<ChainFamily, { key: string; before: string }> = {
  s: { key: ADDRESS, before: '' },
  p: { key: NODE_PORT, before: `meta mark set meta mark or ${MASQUERADE}` },
  l: { key: NODE_PORT, before: '' },
}
const FAMILIES = Object.keys(FAMILY) as ChainFamily[]

/** Address ranges of pods and of Services, as address/prefix. */
export type Ranges = { pods: string; services: string }

/** Replaces the table whole, in one transaction: connections that stand are not touched. */
export function planTable(rules: Ruleset, ranges: Ranges): string {
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
export function planScript(from: Ruleset, to: Ruleset): string {
  const lines = [
    ...growth(from, to),
    ...removals(from.elements, to.elements),
    ...additions(from.elements, to.elements),
  ]
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`
}

function base(podRange: string): string[] {
  return [
    map('service', `${BY_ADDRESS} : verdict`),
    map('refused', `${BY_ADDRESS} : verdict`),
    map('sticky', `${BY_ADDRESS} : mark`),
    map('nodeport', `${BY_NODE_PORT} : verdict`),
    map('nodeport_inside', `${BY_NODE_PORT} : verdict`),
    map('refused_nodeport', `${BY_NODE_PORT} : verdict`),
    map('refused_nodeport_outside', `${BY_NODE_PORT} : verdict`),
    map('nodeport_sticky', `${BY_NODE_PORT} : mark`),
    map('lifetime', 'type mark : verdict'),
    `add set ${TABLE} own { type ipv4_addr . ipv4_addr; }`,
    map(
      'affinity',
      'type ipv4_addr . mark : ipv4_addr . inet_service; flags dynamic,timeout; size 65536',
    ),
    chain('refuse'),
    rule('refuse', 'reject'),
    chain('services'),
    rule('services', `meta mark set ${ADDRESS} map @sticky`),
    rule('services', `ip daddr != 127.0.0.0/8 fib daddr type local ${stickyNodePort()}`),
    rule(
      'services',
      `meta mark & ${STICKY_MASK} != 0 meta l4proto { tcp, udp, sctp } ` +
        'dnat ip to ip saddr . meta mark map @affinity',
    ),
    rule('services', `${ADDRESS} vmap @service`),
    rule('services', 'ip daddr 127.0.0.0/8 return'),
    rule(
      'services',
      `fib daddr type local ip saddr ${podRange} ${NODE_PORT} vmap @nodeport_inside`,
    ),
    rule('services', `fib daddr type local ${INSIDE} ${NODE_PORT} vmap @nodeport_inside`),
    rule('services', `fib daddr type local ${NODE_PORT} vmap @nodeport`),
    chain('refusals'),
    rule('refusals', `ct state new ${ADDRESS} vmap @refused`),
    rule('refusals', `ct state new fib daddr type local ${NODE_PORT} vmap @refused_nodeport`),
    rule(
      'refusals',
      `ct state new fib daddr type local ip saddr != ${podRange} fib saddr type != local ` +
        `${NODE_PORT} vmap @refused_nodeport_outside`,
    ),
  ]
}

function stickyNodePort(): string {
  return `meta mark set ${NODE_PORT} map @nodeport_sticky`
}

function hooks(ranges: Ranges): string[] {
  const on = (name: string, type: string, hook: string, priority: string) =>
    `add chain ${TABLE} ${name} { type ${type} hook ${hook} priority ${priority}; }`
  return [
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
    on(LAST_CHAIN, 'nat', 'postrouting', 'srcnat'),
    rule(
      LAST_CHAIN,
      `meta mark & ${MASQUERADE} == ${MASQUERADE} meta mark set meta mark ^ ${MASQUERADE} masquerade`,
    ),
    // A pod that reaches itself through a Service must not see its own address as the source.
    rule(LAST_CHAIN, 'ct status dnat ip saddr . ip daddr @own masquerade'),
    // Whoever is neither pod nor node must get its answers back through this node.
    rule(
      LAST_CHAIN,
      `ct status dnat ct original ip daddr ${ranges.services} ip saddr != ${ranges.pods} ` +
        'fib saddr type != local masquerade',
    ),
  ]
}

/** Chains and maps for endpoint counts and lifetimes that were not there before. Never removed. */
function growth(from: Ruleset | undefined, to: Ruleset): string[] {
  const lines: string[] = []
  for (const family of FAMILIES) {
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
