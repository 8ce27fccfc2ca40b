// How pods of other nodes are reached: host routes where the nodes share a network, VXLAN
// elsewhere.
//
//   same network    10.42.1.0/24 via 192.168.1.12
//   any other       10.42.1.0/24 via 10.42.1.0 dev kedge-vxlan onlink
//                   10.42.1.0 is at 0e:… (the peer's VXLAN device), 0e:… is behind 203.0.113.7
//
// The MAC address of a node's VXLAN device follows from its name, so nodes need not tell each
// other. Everything here is pure; `planCommands` is a batch for `ip -batch -` and `bridge -batch
// -`.

import { createHash } from 'node:crypto'
import { contains, type Family, formatIp, type Ip, parseCidr, parseIp } from '../../lib/ip.ts'

export type Peer = {
  readonly name: string
  readonly podCidrs: readonly string[]
  readonly internalIps: readonly string[]
}

/** An address of this machine with the network it is directly on. */
export type LocalAddress = { readonly device: string; readonly cidr: string; readonly ip: string }

export type Route = {
  readonly dst: string
  readonly via: string
  /** Set for routes through VXLAN. */
  readonly device: string | undefined
}

export type Neighbour = { readonly ip: string; readonly mac: string; readonly underlay: string }

export type RoutePlan = {
  readonly routes: readonly Route[]
  /** Empty when no peer needs VXLAN; then the device goes away. */
  readonly neighbours: readonly Neighbour[]
}

export const VXLAN_DEVICE = 'kedge-vxlan'
export const VXLAN_ID = 1
/** The port that Linux and flannel use; switches may treat the registered 4789 apart. */
export const VXLAN_PORT = 8472
/** Bytes that the outer headers take from each packet. */
export const VXLAN_OVERHEAD_BYTES = 50
/** Marks our routes, so that nobody else's are ever touched (`ip route show proto 107`). */
export const ROUTE_PROTOCOL = 107

/** Routes to every peer that has both a range and an address of the same family as ours. */
export function planRoutes(peers: readonly Peer[], local: readonly LocalAddress[]): RoutePlan {
  const routes: Route[] = []
  const neighbours: Neighbour[] = []
  for (const peer of peers.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    for (const dst of peer.podCidrs) {
      const range = parseCidr(dst)
      const underlay = range && addressOf(peer, range.family)
      if (range === undefined || underlay === undefined) continue
      if (local.some(({ ip }) => ip === underlay)) continue // Ourselves under another name.
      if (isOnLink(underlay, local)) {
        routes.push({ dst, via: underlay, device: undefined })
        continue
      }
      const gateway = formatIp({ family: range.family, value: range.base })
      routes.push({ dst, via: gateway, device: VXLAN_DEVICE })
      neighbours.push({ ip: gateway, mac: vxlanMac(peer.name), underlay })
    }
  }
  return { routes, neighbours }
}

/** A locally administered unicast address, the same on every node that computes it. */
export function vxlanMac(nodeName: string): string {
  const bytes = createHash('sha256').update(`kedge-vxlan/${nodeName}`).digest().subarray(0, 6)
  bytes[0] = (bytes[0]! & 0xfc) | 0x02
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}

export type RouteCommands = {
  /** Lines for `ip -batch -`, routes that must go first. */
  readonly ip: readonly string[]
  /** Lines for `bridge -batch -`. */
  readonly bridge: readonly string[]
}

/** What turns the routes that are there (marked as ours) into the planned ones. */
export function planCommands(
  plan: RoutePlan,
  present: { routes: readonly Route[]; neighbours: readonly Neighbour[] },
): RouteCommands {
  const key = (route: Route) => `${route.dst} ${route.via} ${route.device ?? ''}`
  const wanted = new Set(plan.routes.map(key))
  const there = new Set(present.routes.map(key))
  const wantedMacs = new Set(plan.neighbours.map((one) => `${one.mac} ${one.underlay}`))
  const goneRoutes = present.routes.filter((route) => !wanted.has(key(route)))
  const goneNeighbours = present.neighbours.filter(
    (one) => !wantedMacs.has(`${one.mac} ${one.underlay}`),
  )
  return {
    ip: [
      ...goneRoutes.map(({ dst }) => `route del ${dst} proto ${ROUTE_PROTOCOL}`),
      ...plan.neighbours.map(
        ({ ip, mac }) => `neigh replace ${ip} lladdr ${mac} dev ${VXLAN_DEVICE} nud permanent`,
      ),
      ...plan.routes.filter((route) => !there.has(key(route))).map(routeCommand),
    ],
    bridge: [
      ...goneNeighbours.map(
        ({ mac, underlay }) => `fdb del ${mac} dev ${VXLAN_DEVICE} dst ${underlay}`,
      ),
      ...plan.neighbours.map(
        ({ mac, underlay }) =>
          `fdb replace ${mac} dev ${VXLAN_DEVICE} dst ${underlay} self permanent`,
      ),
    ],
  }
}

function routeCommand({ dst, via, device }: Route): string {
  const path = device === undefined ? `via ${via}` : `via ${via} dev ${device} onlink`
  return `route replace ${dst} ${path} proto ${ROUTE_PROTOCOL}`
}

/** Our routes out of `ip -j route show proto 107`. */
export function parseRoutes(json: string): Route[] {
  const items: { dst?: string; gateway?: string; dev?: string }[] = JSON.parse(json || '[]')
  return items.flatMap(({ dst, gateway, dev }) => {
    if (dst === undefined || gateway === undefined) return []
    return [{ dst, via: gateway, device: dev === VXLAN_DEVICE ? dev : undefined }]
  })
}

/** Entries of our device out of `bridge -j fdb show dev kedge-vxlan`. */
export function parseNeighbours(json: string): Neighbour[] {
  const items: { mac?: string; dst?: string }[] = JSON.parse(json || '[]')
  return items.flatMap(({ mac, dst }) =>
    mac === undefined || dst === undefined ? [] : [{ ip: '', mac, underlay: dst }],
  )
}

/** Addresses out of `ip -j addr show`: global ones of devices that are not `skipped`. */
export function parseAddresses(json: string, skipped: readonly string[]): LocalAddress[] {
  type Item = { ifname: string; addr_info?: { local: string; prefixlen: number; scope: string }[] }
  const items: Item[] = JSON.parse(json || '[]')
  return items
    .filter(({ ifname }) => !skipped.includes(ifname))
    .flatMap(({ ifname, addr_info = [] }) =>
      addr_info
        .filter(({ scope }) => scope === 'global')
        .map(({ local, prefixlen }) => ({
          device: ifname,
          ip: local,
          cidr: `${local}/${prefixlen}`,
        })),
    )
}

/** The devices that planned routes lead out by. */
export function routeDevices(plan: RoutePlan, local: readonly LocalAddress[]): string[] {
  const devices = plan.routes.flatMap(({ via, device }) => {
    const ip = parseIp(via)
    return device ?? local.find(({ cidr }) => ip && isIn(cidr, ip))?.device ?? []
  })
  return [...new Set(devices)]
}

function addressOf(peer: Peer, family: Family): string | undefined {
  return peer.internalIps.find((ip) => parseIp(ip)?.family === family)
}

function isOnLink(address: string, local: readonly LocalAddress[]): boolean {
  const ip = parseIp(address)
  if (ip === undefined) return false
  return local.some(({ cidr }) => isIn(cidr, ip))
}

function isIn(cidr: string, ip: Ip): boolean {
  const net = parseCidr(cidr)
  return net !== undefined && contains(net, ip)
}
