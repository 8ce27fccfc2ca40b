// UDP has no end of connection: a client that goes on sending keeps the endpoint it once got, also
// when that is gone. Such flows are forgotten (kube-proxy's conntrack cleaner does the same). Pure.

import { ENDPOINT_MAP, type Ruleset } from './rules.ts'

/** Commands that forget the flows to endpoints which `after` no longer has. */
export function planStaleFlows(before: Ruleset, after: Ruleset): string[][] {
  const alive = udpEndpoints(after)
  const gone = [...udpEndpoints(before)].filter(([key]) => !alive.has(key))
  const started = [...udpServices(after)].filter((key) => !udpServices(before).has(key))
  return [
    ...gone.map(([, { address, port, endpoint }]) => [
      ...['conntrack', '-D', '-f', 'ipv4', '-p', 'udp'],
      ...(address === undefined ? [] : ['--orig-dst', address]),
      ...['--orig-port-dst', port, '--dst-nat', endpoint],
    ]),
    // Packets sent before the Service had an endpoint made flows that go nowhere.
    ...started.map((key) => {
      const [address, , port] = key.split(' . ')
      const to = ['--orig-dst', address!, '--orig-port-dst', port!]
      return ['conntrack', '-D', '-f', 'ipv4', '-p', 'udp', ...to]
    }),
  ]
}

type Flow = { address: string | undefined; port: string; endpoint: string }

function udpEndpoints(rules: Ruleset): Map<string, Flow> {
  const flows = new Map<string, Flow>()
  for (const [map, elements] of rules.elements) {
    if (!Object.values(ENDPOINT_MAP).some((name) => isCounted(map, name))) continue
    for (const [key, value] of elements) {
      const parts = key.split(' . ')
      const [protocol, port] = parts.slice(-3)
      if (protocol !== 'udp') continue
      const [endpoint] = value.split(' . ')
      const address = parts.length === 4 ? parts[0] : undefined
      flows.set(`${address} ${port} ${endpoint}`, { address, port: port!, endpoint: endpoint! })
    }
  }
  return flows
}

/** `endpoint12` is the map `endpoint` for twelve of them. */
function isCounted(map: string, name: string): boolean {
  return map.startsWith(name) && /^[0-9]+$/.test(map.slice(name.length))
}

function udpServices(rules: Ruleset): Set<string> {
  const keys = [...(rules.elements.get('service')?.keys() ?? [])]
  return new Set(keys.filter((key) => key.includes(' . udp . ')))
}

/** The endpoints of sticky ports that `after` no longer has, as `ip . port`. */
export function planLostEndpoints(before: Ruleset, after: Ruleset): ReadonlySet<string> {
  const alive = stickyEndpoints(after)
  return new Set([...stickyEndpoints(before)].filter((endpoint) => !alive.has(endpoint)))
}

function stickyEndpoints(rules: Ruleset): Set<string> {
  const ports = ['sticky', 'nodeport_sticky'].flatMap((map) => [
    ...(rules.elements.get(map)?.keys() ?? []),
  ])
  const found = new Set<string>()
  if (ports.length === 0) return found
  for (const [map, elements] of rules.elements) {
    if (!Object.values(ENDPOINT_MAP).some((name) => isCounted(map, name))) continue
    for (const [key, endpoint] of elements) {
      if (ports.includes(key.slice(0, key.lastIndexOf(' . ')))) found.add(endpoint)
    }
  }
  return found
}

/** What `nft -j list map` says of a map, as far as it matters here. */
type MapListing = { nftables: { map?: { elem?: [ListedKey, { concat: [string, number] }][] } }[] }
type ListedKey = { elem?: { val: { concat: [string, number] } }; concat?: [string, number] }

/**
 * Clients that stick to an endpoint which is gone choose anew: the keys to take out of `affinity`.
 */
export function planForgottenClients(listing: MapListing, lost: ReadonlySet<string>): string[] {
  const elements = listing.nftables.flatMap(({ map }) => map?.elem ?? [])
  return elements.flatMap(([key, { concat }]) => {
    const [client, mark] = key.elem?.val.concat ?? key.concat ?? ['', 0]
    return lost.has(concat.join(' . ')) ? [`${client} . ${mark}`] : []
  })
}
