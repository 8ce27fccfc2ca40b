// The nftables rules that pods need on their node: leaving the cluster, host ports, forwarding on
// machines that forbid it, and the guard of localhost. Text for `nft -f -`; pure.
//
// Our table is `inet kedge-node`. Services are another part's table; nothing here depends on it.

import { parseCidr, parseIp } from '../../lib/ip.ts'
import type { PortMapping } from '../contract.ts'
import { localhostGuard } from '../host-settings.ts'
import type { Protocol, Translation } from '../translations.ts'

export const NODE_TABLE = 'inet kedge-node'

export type NodeRules = {
  readonly bridge: string
  /** Ranges of all pods of the cluster; traffic between them keeps its source. */
  readonly clusterCidrs: readonly string[]
  readonly podCidrs: readonly string[]
  /** Addresses of Services: never the node's, also where they are on one of its devices. */
  readonly serviceCidr: string
}

/** A host port of a pod that runs here. */
export type HostPort = PortMapping & { readonly podIp: string }

/** Replaces the table whole, in one transaction. */
export function nodeTable(rules: NodeRules, hostPorts: readonly HostPort[]): string {
  const masquerade = rules.podCidrs.map((own) => {
    const family = familyOf(own)
    const inside = rules.clusterCidrs.filter((cidr) => familyOf(cidr) === family)
    const outside = `${family} daddr != { ${[...inside, multicast(family)].join(', ')} }`
    return `    ${family} saddr ${own} ${outside} oifname != "${rules.bridge}" masquerade`
  })
  // A port asked for through localhost: the pod must not answer to its own localhost.
  const loopback = '    ct status dnat ip saddr 127.0.0.0/8 oifname != "lo" masquerade'
  return [
    `add table ${NODE_TABLE}`,
    `delete table ${NODE_TABLE}`,
    `table ${NODE_TABLE} {`,
    '  map ports { type inet_proto . inet_service : ipv4_addr . inet_service; }',
    '  map ports_at { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }',
    '  set own { type ipv4_addr . ipv4_addr; }',
    ...localhostGuard.map((line) => `  ${line}`),
    '  chain host_ports {',
    '    fib daddr type != local return',
    `    ip daddr ${rules.serviceCidr} return`,
    '    dnat ip to ip daddr . meta l4proto . th dport map @ports_at',
    '    dnat ip to meta l4proto . th dport map @ports',
    '  }',
    '  chain prerouting { type nat hook prerouting priority dstnat + 5; jump host_ports; }',
    '  chain output { type nat hook output priority -95; jump host_ports; }',
    '  chain postrouting {',
    '    type nat hook postrouting priority srcnat + 5;',
    '    ct status dnat ip saddr . ip daddr @own masquerade',
    ...masquerade,
    loopback,
    '  }',
    '}',
    ...hostPortElements('add', hostPorts),
    '',
  ].join('\n')
}

/** Adds or takes away host ports without touching the rest. */
export function hostPortChange(verb: 'add' | 'delete', ports: readonly HostPort[]): string {
  return `${hostPortElements(verb, ports).join('\n')}\n`
}

function hostPortElements(verb: 'add' | 'delete', ports: readonly HostPort[]): string[] {
  const statements = ports
    .filter(({ podIp }) => parseIp(podIp)?.family === 4)
    .map(({ podIp, hostPort, containerPort, protocol, hostIP }) => {
      const isAny = isAnyAddress(hostIP)
      const key = `${isAny ? '' : `${hostIP} . `}${protocol.toLowerCase()} . ${hostPort}`
      const value = verb === 'add' ? ` : ${podIp} . ${containerPort}` : ''
      return `${verb} element ${NODE_TABLE} ${isAny ? 'ports' : 'ports_at'} { ${key}${value} }`
    })
  const pods = new Set(ports.map(({ podIp }) => podIp).filter((ip) => parseIp(ip)?.family === 4))
  const own = [...pods].map((ip) => `${verb} element ${NODE_TABLE} own { ${ip} . ${ip} }`)
  return [...statements, ...own]
}

/** What host ports translate. */
export function hostPortTranslations(ports: readonly HostPort[]): Translation[] {
  return ports
    .filter(({ podIp }) => parseIp(podIp)?.family === 4)
    .map((port) => ({
      protocol: port.protocol.toLowerCase() as Protocol,
      address: isAnyAddress(port.hostIP) ? undefined : port.hostIP,
      port: port.hostPort,
      backends: [{ ip: port.podIp, port: port.containerPort }],
    }))
}

function isAnyAddress(hostIp: string): boolean {
  return hostIp === '' || parseIp(hostIp)?.value === 0n
}

/** A base chain as `nft -j list chains` shows it. */
export type ForwardChain = { family: string; table: string; name: string }

/**
 * Chains of others that drop what they do not know in the forward hook (Docker, ufw, firewalld): an
 * accepting rule in our own table would not overrule them.
 */
export function droppingForwardChains(listing: unknown): ForwardChain[] {
  const items = (listing as { nftables?: { chain?: Record<string, unknown> }[] }).nftables ?? []
  return items.flatMap(({ chain }) => {
    const isOne = chain?.hook === 'forward' && chain.policy === 'drop'
    if (!chain || !isOne) return []
    const { family, table, name } = chain
    return [{ family: String(family), table: String(table), name: String(name) }]
  })
}

/** Lets pods through such a chain, at its top, in a way that iptables can show too. */
export function forwardAccepts(chain: ForwardChain, clusterCidrs: readonly string[]): string {
  const wanted = clusterCidrs.filter(
    (cidr) => chain.family === 'inet' || chain.family === familyOf(cidr),
  )
  const at = `${chain.family} ${chain.table} ${chain.name}`
  const lines = wanted.flatMap((cidr) =>
    ['saddr', 'daddr'].map((side) => `insert rule ${at} ${familyOf(cidr)} ${side} ${cidr} accept`),
  )
  return `${lines.join('\n')}\n`
}

/** True when the listing of a chain already lets the ranges through. */
export function acceptsForward(listing: string, clusterCidrs: readonly string[]): boolean {
  return clusterCidrs.every((cidr) =>
    ['saddr', 'daddr'].every((side) =>
      new RegExp(`${side} ${cidr.replaceAll('.', '\\.')} .*accept`).test(listing),
    ),
  )
}

function familyOf(cidr: string): 'ip' | 'ip6' {
  return parseCidr(cidr)?.family === 6 ? 'ip6' : 'ip'
}

function multicast(family: 'ip' | 'ip6'): string {
  return family === 'ip' ? '224.0.0.0/4' : 'ff00::/8'
}
